/** Events of sessions: from the first knock to why somebody was there. Laws: `event.ts`. */
import { z } from 'zod';
import { agent, collector, type EventDefinition } from './event-kinds.ts';
import {
  AUTH_METHODS,
  count,
  DIRECTIONS,
  explanation,
  REJECTIONS,
  reasonGiven,
  SESSION_KINDS,
  sessionPersonal,
  sessionStart,
  TIME_BASES,
  word,
} from './event-shapes.ts';
import { id, iso } from './group.ts';
import { CONNECTIONS } from './words.ts';

export const SESSION_EVENTS = {
  /** Somebody knocked. The same session may start, or be refused. */
  'session.attempted': agent(z.strictObject(sessionStart), sessionPersonal, 'session'),
  'session.rejected': agent(
    z.strictObject({
      ...sessionStart,
      reason: z.enum(REJECTIONS),
      /** How many refusals this stands for, between `startedAt` and `until`; absent: one. */
      count: count.optional(),
      until: iso.optional(),
    }),
    sessionPersonal,
    'session',
  ),
  'session.started': agent(z.strictObject(sessionStart), sessionPersonal, 'session'),
  'session.updated': agent(
    z.strictObject({
      session: id,
      auth: z.enum(AUTH_METHODS).nullable(),
      failedAttempts: count.nullable(),
      files: count.nullable(),
      kind: z.enum(SESSION_KINDS).optional(),
      confirmedBy: z.array(word).max(8),
      /** What a row that the tool wrote at the end says of it; its times are UTC, and stand above those of the log. */
      row: z
        .strictObject({
          direction: z.enum(DIRECTIONS),
          kind: z.enum(SESSION_KINDS),
          startedAt: iso,
          endedAt: iso,
          basis: z.enum(TIME_BASES),
          occurrence: count,
        })
        .optional(),
      /** Somebody left a session that goes on without them, or came back; absent: no news. */
      connection: z.strictObject({ state: z.enum(CONNECTIONS), at: iso }).optional(),
    }),
    sessionPersonal,
    'session',
  ),
  'session.ended': agent(
    z.strictObject({
      session: id,
      endedAt: iso,
      endBasis: z.enum(TIME_BASES),
      durationSeconds: count,
      reason: z.enum(['completed', 'tool-stopped', 'unknown']),
    }),
  ),
  'session.merged': collector(z.strictObject({ session: id, into: id })),
  /** Why it was: said by a person (`asked`), or found among imported tickets (`matched`). The newest counts. */
  'session.explained': collector(
    z.strictObject({ session: id, person: id, reason: z.enum(['asked', 'matched']) }),
    explanation,
    'session',
  ),
  /** Somebody who is shown pseudonyms was shown the people of one session. */
  'session.revealed': collector(z.strictObject({ session: id, person: id }), reasonGiven, 'audit.reading'),
} as const satisfies Record<string, EventDefinition>;
