/** What the fields of a declaration make of one line, or of one record. Pure. */
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AuthMethod, Direction, Kind, Known, ReaderOptions } from './change.ts';
import type { Defaults, Fields } from './declared-schema.ts';
import { addressOf, scopeOf } from './ip-scope.ts';
import { fill, type Template } from './template.ts';
import type { ReadTime, TimeFormat } from './time-format.ts';

export type PartOf = (name: string) => string | undefined;

export interface Said {
  known: Known;
  kind: Kind | null;
  auth: AuthMethod | null;
  direction: Direction | null;
  reason: string | null;
  count: number | null;
  files: number | null;
}

type Choice<T extends string> = T | { of: Template; words: Record<string, T>; else?: T | undefined };

/** Fields that are empty in this line are left out (R3). */
export function readFields(
  fields: Fields,
  partOf: PartOf,
  basis: Defaults['ipBasis'],
  own: ReaderOptions,
): Said {
  const part = (template: Template | undefined) => (template === undefined ? null : fill(template, partOf));
  const known: Known = {};
  const peerId = part(fields.peerId);
  const peerName = part(fields.peerName);
  const localUser = part(fields.localUser);
  const technician = part(fields.technician);
  const toolSessionId = part(fields.sessionId);
  const ip = addressOf(part(fields.ip) ?? '');
  if (peerId !== null) known.peerId = peerId;
  if (peerName !== null) known.peerNames = [peerName];
  if (ip !== null) known.peerIps = [{ ip, basis, scope: scopeOf(ip, own.ownIps) }];
  if (localUser !== null) known.localUser = localUser;
  if (technician !== null) known.technician = technician;
  if (toolSessionId !== null) known.toolSessionId = toolSessionId;
  return {
    known,
    kind: choose(fields.kind, partOf),
    auth: choose(fields.auth, partOf),
    direction: choose(fields.direction, partOf),
    reason: choose(fields.reason, partOf),
    count: wholeNumber(part(fields.count)),
    files: wholeNumber(part(fields.files)),
  };
}

function choose<T extends string>(choice: Choice<T> | undefined, partOf: PartOf): T | null {
  if (choice === undefined) return null;
  if (typeof choice === 'string') return choice;
  const text = fill(choice.of, partOf);
  const word = text !== null && Object.hasOwn(choice.words, text) ? choice.words[text] : undefined;
  return word ?? choice.else ?? null;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

export interface EndRule {
  end?: Template | undefined;
  duration?: Template | undefined;
  durationUnit: 'seconds' | 'minutes';
}

/** When a recorded session ended; null: nothing says so, `unreadable`: what says so is no time, or lies before. */
export function endOf(
  rule: EndRule,
  start: ReadTime,
  format: TimeFormat,
  partOf: PartOf,
  around: ReaderOptions,
): ReadTime | null | 'unreadable' {
  const end = rule.end === undefined ? null : fill(rule.end, partOf);
  if (end !== null) {
    const read = format.whole(end, around);
    return read === null || read.at < start.at ? 'unreadable' : read;
  }
  const duration = rule.duration === undefined ? null : fill(rule.duration, partOf);
  if (duration === null) return null;
  const seconds = secondsOf(duration, rule.durationUnit);
  return seconds === null ? 'unreadable' : { at: later(start.at, seconds), basis: start.basis };
}

function later(at: UtcMs, seconds: number): UtcMs {
  return utcMs(at + Math.round(seconds * 1_000));
}

function secondsOf(text: string, unit: EndRule['durationUnit']): number | null {
  const [, hours, minutes, seconds] = /^(\d{1,4}):([0-5]\d):([0-5]\d)$/.exec(text) ?? [];
  if (hours !== undefined) return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (!/^\d{1,8}(?:[.,]\d{1,3})?$/.test(text)) return null;
  return Number(text.replace(',', '.')) * (unit === 'minutes' ? 60 : 1);
}
