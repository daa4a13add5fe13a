/**
 * Events of recordings. Cameras are random ids; their names lie in the sealed part of `camera.found`. Files are never
 * named: a slice is told by counts, spans and the root of its list, which stays on the host.
 */
import { z } from 'zod';
import { agent, collector } from './event-kinds.ts';
import { count, hash, policyName, text, word } from './event-shapes.ts';
import { id, iso } from './group.ts';

/** Where copies of footage lie that no rule for recordings reaches. */
export const COPY_KINDS = ['export', 'clip', 'recycle-bin', 'snapshot', 'thumbnails', 'lost-found'] as const;

/** What may be ordered at the machine itself, with a reason. */
export const LOCAL_ORDERS = ['sweep.run', 'sweep.approve', 'accept-root', 'retire', 'other'] as const;

/** Whether a camera sees a room or what lies outside. */
export const CAMERA_PLACES = ['indoor', 'outdoor'] as const;

/** What a recordings event is about: a source, a camera where there is one, how many, how much, which span. */
const span = {
  source: id,
  /** Null: several, or not known. */
  camera: id.nullable(),
  count,
  bytes: count.nullable(),
  /** Earliest start and latest end; null: not known. */
  from: iso.nullable(),
  to: iso.nullable(),
};
const slice = z.strictObject({
  ...span,
  slice: count,
  policy: policyName,
  version: count,
  /** Earliest due time in it (D5). */
  dueAt: iso,
  listRoot: hash,
  /** Of `recordings.erased`: how late the latest was, seconds; how many failed; how many a crash left, not seen by us. */
  lateSeconds: count.nullable(),
  failed: count,
  unseen: count,
});
const found = z.strictObject({ ...span, reason: word });
const waiting = z.strictObject({
  source: id,
  reason: word,
  count,
  bytes: count.nullable(),
  plan: id.nullable(),
  since: iso.nullable(),
});

export const RECORDING_EVENTS = {
  'camera.found': agent(
    z.strictObject({ source: id, camera: id }),
    z.strictObject({ name: text(512) }),
    'host.name',
  ),
  /** A camera in the collector's register: what for, where, how long, and since when a sign says so. The newest counts. */
  'camera.registered': collector(
    z.strictObject({
      camera: id,
      agent: id,
      customer: id,
      person: id,
      place: z.enum(CAMERA_PLACES).nullable(),
      /** How long its footage is to be kept; null: not said. */
      retain: z.strictObject({ months: count, hours: count }).nullable(),
      /** Since when a sign says that there is a camera; null: not said. */
      signage: iso.nullable(),
    }),
    z.strictObject({
      address: text(256).optional(),
      area: text(256).optional(),
      purpose: text(512).optional(),
    }),
    'customer.name',
  ),
  /** Whether a camera records sound, by the headers of one recording. */
  'camera.heard': agent(
    z.strictObject({ source: id, camera: id, sound: z.enum(['audio', 'none', 'unknown']) }),
  ),
  /** A camera that does not record any more, or began again. */
  'camera.gap': agent(
    z.strictObject({
      source: id,
      camera: id,
      state: z.enum(['open', 'closed']),
      /** Latest end of the recording before; start of the next one. Both the same: what was thought missing came later. */
      from: iso,
      to: iso.nullable(),
    }),
  ),
  /** A finished day of a camera; told again where it is not as it was. */
  'recordings.day': agent(
    z.strictObject({
      source: id,
      camera: id,
      /** The day in the zone of the site, half open. */
      from: iso,
      to: iso,
      /** Every recording that is known to have begun in it; what became of them. */
      count,
      bytes: count,
      present: count,
      erased: count,
      missing: count,
      first: iso,
      last: iso,
      /** Holes that ended in it and were longer than this camera's are. */
      gaps: count,
      gapSeconds: count,
    }),
  ),
  'recordings.erasing': agent(slice),
  'recordings.erased': agent(slice),
  'recordings.root-suspect': agent(z.strictObject({ source: id, reason: word })),
  /** A root was given up by a person: what became of the disk. */
  'recordings.retired': agent(z.strictObject({ source: id, reason: word, count })),
  'recordings.accepted': agent(z.strictObject({ source: id, reason: word })),
  /** A person at the machine itself ordered this; nobody is signed in there. What came of it, other events say. */
  'recordings.ordered': agent(
    z.strictObject({ verb: z.enum(LOCAL_ORDERS), source: id.nullable(), plan: id.nullable() }),
    z.strictObject({ reason: text(512).optional() }),
    'host.name',
  ),
  'recording.missing': agent(found),
  'recording.unknown': agent(found),
  'recording.refused': agent(found),
  /** Expired and still there (R8), by reason; a count of 0: none is any more. */
  'recordings.overdue': agent(
    z.strictObject({ source: id, count, left: z.array(z.strictObject({ reason: word, count })).max(16) }),
  ),
  /** Copies that no rule for recordings reaches, as far as they can be seen; empty: none. */
  'recordings.copies': agent(
    z.strictObject({
      source: id,
      copies: z
        .array(
          z.strictObject({
            kind: z.enum(COPY_KINDS),
            place: z.enum(['inside', 'beside']),
            count,
            more: z.boolean(),
          }),
        )
        .max(16),
    }),
  ),
  'sweep.waiting': agent(waiting),
  'sweep.done': agent(
    z.strictObject({
      source: id,
      erased: count,
      failed: count,
      /** Expired and still there when it ended (R8), by reason. */
      left: z.array(z.strictObject({ reason: word, count })).max(16),
    }),
  ),
} as const;
