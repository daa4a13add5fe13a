/**
 * Origins: the one keyed hash that is kept. Two rows of one tool with the same natural key are one session,
 * whichever agent or log told of it first.
 *
 * O1  An origin dies with its group: its key is derived from the group's private half, its row lies under it.
 * O2  Absent and unknown are the same: every field of the natural key is there, null where nothing is known.
 */
import { createHmac } from 'node:crypto';
import { canonicalParsed, wellFormed } from '../protocol/canonical.ts';
import type { EventData, EventPersonal } from '../protocol/event.ts';

export interface NaturalKey {
  direction: string;
  kind: string;
  localUser: string | null;
  /** How many equal rows stood before this one in the same file. */
  occurrence: number;
  peerId: string | null;
  startedAt: string;
  toolSessionId: string | null;
}

/** What tells one session of a tool from another. `p` is the opened part of the event that says so. */
export function naturalKeyOf(
  data: Pick<EventData<'session.started'>, 'direction' | 'kind' | 'occurrence' | 'startedAt'>,
  p: EventPersonal<'session.started'> | Record<string, unknown> | null,
): NaturalKey {
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  const personal: Record<string, unknown> = p ?? {};
  return {
    direction: data.direction,
    kind: data.kind,
    localUser: text(personal.localUser),
    occurrence: data.occurrence,
    peerId: text(personal.peerId),
    startedAt: data.startedAt,
    toolSessionId: text(personal.toolSessionId),
  };
}

/** HMAC-SHA-256(origin key, tool ‖ 0 ‖ JCS(natural key)): 32 bytes. */
export function originOf(originKey: Buffer, tool: string, naturalKey: object): Buffer {
  return createHmac('sha256', originKey)
    .update(`${tool}\0${canonicalParsed(wellFormed(naturalKey))}`)
    .digest();
}
