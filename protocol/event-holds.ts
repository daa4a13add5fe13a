/**
 * Events of legal holds. Case, legal basis and reason lie in the sealed part of the collector's events; a host says of a
 * hold its id and numbers only (H8).
 */
import { z } from 'zod';
import { agent, collector } from './event-kinds.ts';
import { count, reasonGiven, text, word } from './event-shapes.ts';
import { id, iso } from './group.ts';
import { HOLD_KINDS } from './hold.ts';

export const MAX_HOLD_CAMERAS = 100;
export const MAX_HOLD_SESSIONS = 200;
export const MAX_HOLD_HOSTS = 100;

/** What a hold covers, in ids and times. */
export const holdReach = z.strictObject({
  /** Both ends within it, the pad included; null: open. */
  from: iso.nullable(),
  to: iso.nullable(),
  padSeconds: count,
  cameras: z
    .array(z.strictObject({ host: id, camera: id }))
    .max(MAX_HOLD_CAMERAS)
    .optional(),
  sessions: z.array(id).max(MAX_HOLD_SESSIONS).optional(),
  hosts: z.array(id).max(MAX_HOLD_HOSTS).optional(),
  site: id.optional(),
});
export type HoldReach = z.infer<typeof holdReach>;

const covered = {
  recordings: count,
  bytes: count,
  erasing: count,
  erased: count,
  missing: count,
  /** Earliest start and latest end among those that are there. */
  oldest: iso.nullable(),
  newest: iso.nullable(),
};

const record = z.strictObject({
  case: text(256),
  basis: text(512),
  reason: text(1024),
  /** Why so much. */
  wide: text(1024).optional(),
});

export const HOLD_EVENTS = {
  'hold.placed': collector(
    z.strictObject({
      hold: id,
      kind: z.enum(HOLD_KINDS),
      person: id,
      reach: holdReach,
      hosts: count,
      reviewAt: iso,
      restricted: z.boolean(),
    }),
    record,
    'hold.record',
  ),
  /** The person concerned was told, or cannot be (H5). */
  'hold.notified': collector(
    z.strictObject({
      hold: id,
      person: id,
      outcome: z.enum(['told', 'not-possible']),
      at: iso,
      copyAsked: z.boolean(),
      copyGiven: z.boolean(),
    }),
    z.strictObject({
      who: text(256).optional(),
      how: text(256).optional(),
      note: text(1024).optional(),
    }),
    'hold.record',
  ),
  'hold.released': collector(
    z.strictObject({ hold: id, person: id, approval: id.nullable() }),
    reasonGiven,
    'hold.record',
  ),
  /** By hand, where a recorder cannot be held from outside. */
  'hold.confirmed': collector(
    z.strictObject({ hold: id, agent: id, person: id }),
    z.strictObject({ note: text(1024) }),
    'hold.record',
  ),
  /** Taken out for a host without a line (H10). */
  'hold.slip-made': collector(z.strictObject({ hold: id, person: id, hosts: count })),
  /** A host has a hold that this collector did not know: it was restored (H7). */
  'hold.adopted': collector(z.strictObject({ hold: id, agent: id })),
  /** In force on this host from this event's commit on, or released there. */
  'hold.applied': agent(
    z.strictObject({
      hold: id,
      outcome: z.enum(['in-force', 'released']),
      via: z.enum(['command', 'slip']),
    }),
  ),
  /** What it covers there; told again when that changed. */
  'hold.reported': agent(
    z.strictObject({
      hold: id,
      ...covered,
      protection: z.enum(['not-needed', 'copying', 'copied', 'failed', 'cannot-enforce']),
      copied: count,
      reason: word.nullable(),
    }),
  ),
} as const;
