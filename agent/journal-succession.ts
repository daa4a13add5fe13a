/**
 * Births and successors. A log is never continued after a loss: a successor is born that names its predecessor,
 * says first what was lost, and reads its sources again from there (B1).
 */
import type { KeyObject } from 'node:crypto';
import { type Birth, type BirthReason, signBirth } from '../protocol/birth.ts';
import type { GAP_REASONS } from '../protocol/event.ts';
import { type LogId, newId, type Random } from '../protocol/ids.ts';
import { publicText } from '../protocol/sign.ts';
import { type Clock, toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import type { Db } from './db.ts';
import type { AgentIdentity, Draft } from './types.ts';

type GapReason = (typeof GAP_REASONS)[number];

export interface BirthOptions {
  identity: Pick<AgentIdentity, 'agent' | 'agreement' | 'site'>;
  /** The agent's Ed25519 key. */
  key: KeyObject;
  clock: Clock;
  random: Random;
}

/** The signed birth of a new log. */
export function makeBirth(o: BirthOptions, reason: BirthReason, predecessor: Birth['predecessor']): Birth {
  const { agent, agreement, site } = o.identity;
  return signBirth(o.key, {
    v: 1,
    log: newId<'log'>(o.random),
    agent,
    agreement,
    site,
    key: publicText(o.key),
    predecessor,
    reason,
    at: toIso(o.clock.now()),
  });
}

/** Leaves of a log that are lost with it, as far as known. */
export interface Lost {
  /** Null: the state directory does not say any more. */
  log: LogId | null;
  from: number;
  to: number;
  /** Null: not known. */
  count: number | null;
  fromAt: UtcMs | null;
  toAt: UtcMs | null;
  reason: GapReason;
}

/** What is lost with the leaves `from` … `to` of a log; null where that is nothing. */
export function lostLeaves(
  db: Db,
  { id, log }: { id: number; log: LogId },
  from: number,
  to: number,
  reason: GapReason,
): Lost | null {
  if (to < from) return null;
  const span = db
    .prepare<[number, number, number], { first: number | null; last: number | null }>(
      'SELECT min(at) AS first, max(at) AS last FROM leaves WHERE log = ? AND seq BETWEEN ? AND ?',
    )
    .get(id, from, to);
  const at = (value: number | null | undefined) =>
    value === null || value === undefined ? null : utcMs(value);
  return { log, from, to, count: to - from + 1, fromAt: at(span?.first), toAt: at(span?.last), reason };
}

/** A whole database is gone: how much of the log it held is not known. */
export function lostDatabase(log: LogId | null, now: UtcMs): Lost {
  return { log, from: 0, to: 0, count: null, fromAt: null, toAt: now, reason: 'database-lost' };
}

/** The first events of a successor. */
export function successionEvents(reason: BirthReason, version: string, lost: Lost | null): Draft[] {
  const restored: Draft<'agent.restored'> = { type: 'agent.restored', data: { version, reason } };
  return lost === null ? [restored] : [restored, gapEvent(lost)];
}

export function gapEvent(lost: Lost): Draft<'journal.gap'> {
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  return {
    type: 'journal.gap',
    data: { ...lost, source: null, fromAt: iso(lost.fromAt), toAt: iso(lost.toAt) },
  };
}
