/**
 * Key groups: what is erased together. The collector signs each; agents get the public half.
 *
 * G1  A session's personal data lies under the group of the span in which it started.
 * G2  A group that was erased stays dead for ever; its id is never used again.
 */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { AgreementId, GroupId } from './ids.ts';
import { signRecord, verifyRecord } from './sign.ts';
import { fromIso, isIso, toIso, type UtcMs, utcMs } from './time.ts';

export const id = z.string().regex(/^[0-9a-f]{32}$/);
export const b64 = z.string().regex(/^[A-Za-z0-9_-]*$/);
export const iso = z.string().refine(isIso, 'not ISO 8601 UTC with milliseconds');

export const GROUP_KINDS = ['oneoff', 'span', 'whole', 'late', 'single', 'house'] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/** Data classes: what retention policies name. All after the first two are the collector's own records. */
export const DATA_CLASSES = [
  'session',
  'host.name',
  'audit.event',
  'audit.reading',
  'hold.record',
  'person.account',
  'customer.name',
] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/**
 * Classes with a `house` group per person or customer instead of per span, and the field of `data` that names whose
 * it is. The group lives as long as its subject.
 *
 * G3  What is kept of a person's account, or of a customer's name, is erased with that one, alone and whole: never
 *     with a month, never with another's.
 */
const SUBJECTS = { 'person.account': 'person', 'customer.name': 'customer', 'hold.record': 'hold' } as const;

/** The id that events of this class are grouped by; null where the class goes by spans. */
export function subjectOf(cls: DataClass, data: Record<string, unknown>): string | null {
  if (!hasSubject(cls)) return null;
  const subject = data[SUBJECTS[cls]];
  return typeof subject === 'string' ? subject : null;
}

export function hasSubject(cls: DataClass): cls is keyof typeof SUBJECTS {
  return Object.hasOwn(SUBJECTS, cls);
}

const groupRecord = z.object({
  group: id,
  kind: z.enum(GROUP_KINDS),
  /** Null for `house` groups, which no agreement's end touches. */
  agreement: id.nullable(),
  class: z.string().regex(/^[a-z.]{1,32}$/),
  /** The span, half open; null for `whole`, `late`, `single` and `oneoff`. */
  from: iso.nullable(),
  to: iso.nullable(),
  /** X25519 public half, base64url of 32 bytes; null for `oneoff`, whose key lives in RAM only. */
  key: b64.nullable(),
  sig: b64,
});
export type SignedGroup = z.infer<typeof groupRecord>;
/** Fields of a later version stay, unread: the signature is over them too. */
export const signedGroup: z.ZodType<SignedGroup> = z.looseObject(groupRecord.shape);

export interface GroupSpec {
  group: GroupId;
  kind: GroupKind;
  agreement: AgreementId | null;
  class: DataClass;
  from: UtcMs | null;
  to: UtcMs | null;
  key: string | null;
}

/** Signs a group with the collector's identity key. */
export function signGroup(identity: KeyObject, spec: GroupSpec): SignedGroup {
  return signRecord('group', identity, {
    ...spec,
    from: spec.from === null ? null : toIso(spec.from),
    to: spec.to === null ? null : toIso(spec.to),
  });
}

/**
 * The record of a group that an agent makes for one one-off session. Nobody signs it: its key is handed over inside
 * the connection and lies on no disk, and its id is all that others are told.
 */
export function oneoffGroup(group: GroupId, agreement: AgreementId): SignedGroup {
  const none = { from: null, to: null, key: null };
  return { group, kind: 'oneoff', agreement, class: 'session', ...none, sig: '' };
}

export function verifyGroup(identityKey: string, group: SignedGroup): boolean {
  return verifyRecord('group', identityKey, group);
}

export type SpanUnit = 'day' | 'month';

/** The UTC day or month that holds `at`, half open. */
export function spanOf(at: UtcMs, unit: SpanUnit): { from: UtcMs; to: UtcMs } {
  const from = new Date(at);
  from.setUTCHours(0, 0, 0, 0);
  if (unit === 'month') from.setUTCDate(1);
  const to = new Date(from);
  if (unit === 'day') to.setUTCDate(to.getUTCDate() + 1);
  else to.setUTCMonth(to.getUTCMonth() + 1);
  return { from: utcMs(from.getTime()), to: utcMs(to.getTime()) };
}

/** True where the group's span holds `at`. Groups without a span hold nothing by time. */
export function spanHolds(group: SignedGroup, at: UtcMs): boolean {
  if (group.from === null || group.to === null) return false;
  const from = fromIso(group.from);
  const to = fromIso(group.to);
  return from !== null && to !== null && from <= at && at < to;
}
