/**
 * From a row of `Connections_incoming.txt` to events: one row is one whole session, so it gives its start and its
 * end at once. Pure.
 */
import type { EventPersonal } from '../../protocol/event.ts';
import type { SessionId, SourceId } from '../../protocol/ids.ts';
import { SECOND_MS, toIso } from '../../protocol/time.ts';
import type { AgentIdentity, Draft } from '../types.ts';
import { type ConnectionRow, naturalKey } from './teamviewer.ts';

export interface RowPlace {
  source: SourceId;
  /** Offset of the row in its file. */
  offset: number;
  mode: AgentIdentity['mode'];
  /** Random; the row has none of its own. */
  session: SessionId;
  /** How many equal rows stand shortly before it (`pump-occurrence.ts`). */
  occurrence: number;
}

/** Limits of the sealed part's allow-list, in UTF-16 units. */
const MAX = { peerId: 64, peerName: 512, localUser: 256, toolSessionId: 128 };

type Personal = EventPersonal<'session.started'>;

/** The two events of a row, to be stored in one transaction. `cut`: fields that were longer than they may be. */
export function sessionDrafts(row: ConnectionRow, place: RowPlace): { drafts: Draft[]; cut: number } {
  const { source, offset, mode, session, occurrence } = place;
  const { personal, cut } = personalOf(row);
  const from = { source, offset };
  const started: Draft<'session.started'> = {
    type: 'session.started',
    data: {
      session,
      source,
      tool: 'teamviewer',
      direction: 'incoming',
      mode,
      kind: row.kind,
      startedAt: toIso(row.startedAt),
      startBasis: 'file-utc',
      occurrence,
      confirmedBy: ['connections'],
    },
    personal,
    groupAt: row.startedAt,
    from,
  };
  const ended: Draft<'session.ended'> = {
    type: 'session.ended',
    data: {
      session,
      endedAt: toIso(row.endedAt),
      endBasis: 'file-utc',
      // The clock may have been set back during the session: the times say so, the duration never does.
      durationSeconds: Math.max(0, Math.round((row.endedAt - row.startedAt) / SECOND_MS)),
      reason: 'completed',
    },
    from,
  };
  return { drafts: [started, ended], cut };
}

/** What a source cannot know is left out, never guessed. */
function personalOf(row: ConnectionRow): { personal: Personal; cut: number } {
  const count = { cut: 0 };
  const within = (text: string, max: number) => {
    if (text.length <= max) return text;
    count.cut += 1;
    return text.slice(0, max).toWellFormed();
  };
  const personal: Personal = {
    peerId: within(row.peerId, MAX.peerId),
    ...(row.peerName === null ? {} : { peerNames: [within(row.peerName, MAX.peerName)] }),
    ...(row.localUser === null ? {} : { localUser: within(row.localUser, MAX.localUser) }),
    ...(row.toolSessionId === null ? {} : { toolSessionId: within(row.toolSessionId, MAX.toolSessionId) }),
  };
  return { personal, cut: count.cut };
}

/** Text that is equal for rows with equal natural keys. */
export function keyText(row: ConnectionRow): string {
  const { peerId, startedAt, localUser, kind, toolSessionId } = naturalKey(row);
  return JSON.stringify([peerId, startedAt, localUser, kind, toolSessionId]);
}
