/**
 * Canaries of sessions: two sealed parts, one under the group of a one-off session and one under a span, that are erased
 * as the product erases them.
 *
 * A28 What was sealed is nowhere after its erasure: no row of it, no byte of it in any file, no key, and it does not come
 *     back. Before, the part opened with the key that was still there: a canary that never sang proves nothing.
 */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { SignedGroup } from '../../protocol/group.ts';
import { type GroupId, newId, type Random, type SessionId } from '../../protocol/ids.ts';
import { openPart } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { type Clock, DAY_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { Draft } from '../types.ts';
import type { CanaryState } from './canary-state.ts';
import { add, type CheckResult, nothing } from './types.ts';

export interface SessionFacts {
  /** Parts that were stored, and whether the one-off one opened. */
  sealed: number;
  opened: boolean;
  /** What they say was in clear in a file. */
  inClear: boolean;
  /** After the erasure: rows, sealed bytes in files, keys; whether a dead group could be used again. */
  rows: number;
  bytes: number;
  keys: number;
  revived: boolean;
}

const SEALED = 2;

/** Pure (A28). */
export function judgeSession(facts: SessionFacts): CheckResult {
  const { sealed, opened, inClear, rows, bytes, keys, revived } = facts;
  const result = nothing('canary-session');
  result.looked = SEALED;
  result.of = SEALED;
  add(result, 'canary-readable', rows + bytes + keys + Number(inClear) + Number(revived), null);
  // Nothing was proven: the canary was not as it has to be.
  if (sealed !== SEALED || !opened) add(result, 'check-failed', 1, null);
  return result;
}

export interface SessionDeps {
  state: CanaryState;
  clock: Clock;
  random: Random;
  rest(): Promise<void>;
  /** The journal under audit. */
  erase?: (journal: AgentJournal, what: { oneOff: SessionId; span: GroupId }) => Promise<void>;
}

/** @throws TilsynError `journal.*`, `state.*` */
export async function checkSession(deps: SessionDeps): Promise<CheckResult> {
  const { state, random, rest } = deps;
  const { journal, store } = state;
  const mark = random(16).toString('hex');
  const span = spanGroup(deps);
  journal.addGroups([span]);
  await rest();
  const [oneOff, managed] = [started(deps, 'one-off', mark), started(deps, 'managed', mark)];
  journal.append([oneOff, managed]);
  await rest();
  const secrets = store.sealed();
  const parts = store.partCount();
  const opened = opens(journal, mark);
  const clear = Buffer.from(mark);
  const inClear = found(state, [clear]) > 0;
  await rest();
  const what = { oneOff: oneOff.data.session as SessionId, span: span.group as GroupId };
  await (deps.erase ?? eraseBoth(deps))(journal, what);
  await rest();
  // It comes with a late frame once more, as the collector's would.
  journal.addGroups([span]);
  return judgeSession({
    ...{ sealed: parts, opened, inClear: inClear || found(state, [clear]) > 0 },
    rows: store.sealed().length,
    bytes: found(state, secrets),
    keys: journal.oneoffKeys().length,
    revived: journal.heldGroups().some(({ group }) => group === span.group),
  });
}

/** As the product does: a one-off session ends, a span is erased by the collector's word. */
function eraseBoth(deps: SessionDeps): NonNullable<SessionDeps['erase']> {
  return async (journal, { oneOff, span }) => {
    const data = { session: oneOff, endedAt: toIso(deps.clock.now()), endBasis: 'file-utc' } as const;
    const draft: Draft<'session.ended'> = {
      type: 'session.ended',
      data: { ...data, durationSeconds: 60, reason: 'completed' },
    };
    journal.append([draft]);
    await deps.rest();
    journal.deadGroups([span]);
  };
}

/** A day's span whose private half is thrown away as it is made. */
function spanGroup({ state, clock, random }: SessionDeps): SignedGroup {
  const { publicKey } = generateKeyPairSync('x25519');
  const now = clock.now();
  return {
    ...{ group: newId<'group'>(random), kind: 'span', agreement: state.identity.agreement, class: 'session' },
    ...{ from: toIso(utcMs(now - DAY_MS)), to: toIso(utcMs(now + DAY_MS)) },
    ...{ key: publicText(publicKey), sig: '' },
  };
}

function started(
  { state, clock, random }: SessionDeps,
  mode: 'managed' | 'one-off',
  mark: string,
): Draft<'session.started'> {
  const at = utcMs(clock.now() - MINUTE_MS);
  return {
    type: 'session.started',
    data: {
      ...{ session: newId<'session'>(random) as SessionId, source: state.journal.sourceId('canary') },
      ...{ tool: 'teamviewer', direction: 'incoming', mode, kind: 'remote-control' },
      ...{ startedAt: toIso(at), startBasis: 'file-utc', occurrence: 0 },
    },
    personal: { peerId: mark },
    groupAt: at,
  };
}

/** The one-off part opens with the key that is in memory, and says what was put in. */
function opens(journal: AgentJournal, mark: string): boolean {
  const log = journal.openLog();
  const out = log === null ? null : journal.outgoing(log, 0, { events: 500, bytes: 250_000 });
  const [held] = journal.oneoffKeys();
  const part = out?.parts.find(({ group }) => group === held?.group);
  if (out == null || held === undefined || part === undefined) return false;
  const leaf = JSON.parse(out.events[part.seq - out.firstSeq] ?? '{}') as {
    pii?: { group: string; c: string }[];
  };
  const c = leaf.pii?.find(({ group }) => group === part.group)?.c;
  const place = { log: out.log, seq: part.seq, group: part.group, under: part.group };
  const key = Buffer.from(held.key, 'base64url');
  const read = c === undefined ? null : openPart(key, place, c, Buffer.from(part.body, 'base64url'));
  key.fill(0);
  return read?.p.peerId === mark;
}

/** How many of these stand in any file of the database. */
function found({ files }: CanaryState, secrets: readonly Buffer[]): number {
  const all = files.filter((path) => existsSync(path)).map((path) => readFileSync(path));
  return secrets.filter((secret) => all.some((bytes) => bytes.includes(secret))).length;
}
