/** Events of a session, from what is known of it. Pure; what is longer than the allow-list takes is cut and counted. */
import type { EventData, EventPersonal } from '../../protocol/event.ts';
import type { SessionId, SourceId } from '../../protocol/ids.ts';
import { SECOND_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import type { Beginning, Known, SessionChange, TimeBasis } from '../sources/change.ts';
import type { ConnectionRow } from '../sources/teamviewer.ts';
import type { AgentIdentity, Draft } from '../types.ts';

/** Limits of the sealed part's allow-list, in UTF-16 units, and of its lists. */
const MAX = { peerId: 64, peerName: 512, localUser: 256, toolSessionId: 128, technician: 256, ip: 64 };
const MAX_NAMES = 16;
const MAX_IPS = 32;
/** Bytes of the lists, escaped: with all other fields at their limits less than the 16 KiB of a sealed part. */
const NAMES_BYTES = 6 * 1024;
const IPS_BYTES = 4 * 1024;

export interface Told {
  session: SessionId;
  source: SourceId;
  tool: EventData<'session.started'>['tool'];
  mode: AgentIdentity['mode'];
  /** Which of the tool's files says so. */
  word: string;
  /** Offset of the line. */
  offset: number;
  /** How many equal rows stand shortly before it (`occurrence.ts`); absent: none, or the key tells them apart. */
  occurrence?: number;
}

type Personal = EventPersonal<'session.started'>;
type Start = EventData<'session.started'>;

/** `known` as the sealed part takes it; null where nothing is known. `cut`: how many fields were too long. */
export function personalOf(known: Known): { personal: Personal | null; cut: number } {
  const count = { cut: 0 };
  const within = (text: string, max: number) => {
    if (text.length <= max) return text;
    count.cut += 1;
    return text.slice(0, max).toWellFormed();
  };
  const fitting = <T>(list: readonly T[], most: number, bytes: number) => {
    const kept: T[] = [];
    let left = bytes;
    for (const one of list.slice(0, most)) {
      left -= Buffer.byteLength(JSON.stringify(one)) + 1;
      if (left >= 0) kept.push(one);
    }
    count.cut += Math.min(list.length, most) - kept.length;
    return kept;
  };
  const { peerId, peerNames, peerIps, localUser, toolSessionId, technician } = known;
  const personal: Personal = {
    ...(peerId === undefined ? {} : { peerId: within(peerId, MAX.peerId) }),
    ...(peerNames === undefined || peerNames.length === 0
      ? {}
      : {
          peerNames: fitting(
            peerNames.map((name) => within(name, MAX.peerName)),
            MAX_NAMES,
            NAMES_BYTES,
          ),
        }),
    ...(peerIps === undefined || peerIps.length === 0
      ? {}
      : {
          peerIps: fitting(
            peerIps.map((one) => ({ ...one, ip: within(one.ip, MAX.ip) })),
            MAX_IPS,
            IPS_BYTES,
          ),
        }),
    ...(localUser === undefined ? {} : { localUser: within(localUser, MAX.localUser) }),
    ...(toolSessionId === undefined ? {} : { toolSessionId: within(toolSessionId, MAX.toolSessionId) }),
    ...(technician === undefined ? {} : { technician: within(technician, MAX.technician) }),
  };
  return { personal: Object.keys(personal).length === 0 ? null : personal, cut: count.cut };
}

function startOf(told: Told, { at, basis, direction, kind }: Omit<Beginning, 'key' | 'known'>): Start {
  const { session, source, tool, mode, word, occurrence = 0 } = told;
  return {
    ...{ session, source, tool, direction, mode, kind, startedAt: toIso(at), startBasis: basis },
    occurrence,
    confirmedBy: [word],
  };
}

export interface Made {
  draft: Draft;
  cut: number;
}

export function begun(type: 'session.attempted' | 'session.started', told: Told, beginning: Beginning): Made {
  const { personal, cut } = personalOf(beginning.known);
  const from = { source: told.source, offset: told.offset };
  return { draft: { type, data: startOf(told, beginning), personal, groupAt: beginning.at, from }, cut };
}

export function rejected(
  told: Told,
  change: Beginning & Pick<Extract<SessionChange, { what: 'rejected' }>, 'reason' | 'count'>,
  until: UtcMs | null,
): Made {
  const { personal, cut } = personalOf(change.known);
  const data: EventData<'session.rejected'> = {
    ...startOf(told, change),
    reason: change.reason,
    ...(change.count === 1 && until === null ? {} : { count: change.count }),
    ...(until === null ? {} : { until: toIso(until) }),
  };
  const from = { source: told.source, offset: told.offset };
  return { draft: { type: 'session.rejected', data, personal, groupAt: change.at, from }, cut };
}

export interface News {
  auth?: EventData<'session.updated'>['auth'] | undefined;
  failedAttempts?: number | null | undefined;
  files?: number | null | undefined;
  kind?: Start['kind'];
  known?: Known;
  row?: EventData<'session.updated'>['row'];
  connection?: Extract<SessionChange, { what: 'updated' }>['connection'];
}

/** `startedAt` picks the group: the session's own, also where it ended a moment ago. */
export function updated(told: Told, startedAt: UtcMs, news: News): Made {
  const { personal, cut } = personalOf(news.known ?? {});
  const data: EventData<'session.updated'> = {
    session: told.session,
    auth: news.auth ?? null,
    failedAttempts: news.failedAttempts ?? null,
    files: news.files ?? null,
    ...(news.kind === undefined ? {} : { kind: news.kind }),
    confirmedBy: [told.word],
    ...(news.row === undefined ? {} : { row: news.row }),
    ...(news.connection === undefined ? {} : { connection: connectionOf(news.connection) }),
  };
  const from = { source: told.source, offset: told.offset };
  return { draft: { type: 'session.updated', data, personal, groupAt: startedAt, from }, cut };
}

function connectionOf({ state, at }: NonNullable<News['connection']>) {
  return { state: state === 'cut' ? ('disconnected' as const) : ('connected' as const), at: toIso(at) };
}

export function ended(
  told: Pick<Told, 'session' | 'source' | 'offset'>,
  span: { startedAt: number; endedAt: UtcMs },
  basis: TimeBasis,
  reason: EventData<'session.ended'>['reason'],
): Draft {
  const { session, source, offset } = told;
  const data: EventData<'session.ended'> = {
    ...{ session, endedAt: toIso(span.endedAt), endBasis: basis, reason },
    // The clock may have been set back during the session: the times say so, the duration never does.
    durationSeconds: Math.max(0, Math.round((span.endedAt - span.startedAt) / SECOND_MS)),
  };
  return { type: 'session.ended', data, from: { source, offset } };
}

export function rowOf(
  row: ConnectionRow,
  direction: Start['direction'],
  occurrence: number,
): NonNullable<EventData<'session.updated'>['row']> {
  const { kind, startedAt, endedAt } = row;
  const times = { startedAt: toIso(startedAt), endedAt: toIso(endedAt), basis: 'file-utc' as const };
  return { direction, kind, ...times, occurrence };
}

/** What a row knows. */
export function knownOf({ peerId, peerName, localUser, toolSessionId }: ConnectionRow): Known {
  return {
    peerId,
    ...(peerName === null ? {} : { peerNames: [peerName] }),
    ...(localUser === null ? {} : { localUser }),
    ...(toolSessionId === null ? {} : { toolSessionId }),
  };
}
