/** A session as `docs/design/cli.md` shows it: the projection's row, and what its sealed parts say. */
import type { EventPersonal } from '../../protocol/event.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { SessionRow } from '../store/types.ts';
import type { Whole } from './merged.ts';
import type { OpenedParts, PersonalState } from './parts.ts';
import type { View } from './view.ts';

type SessionPersonal = EventPersonal<'session.started'>;

export interface Peer {
  id: string | null;
  names: string[];
  ips: { ip: string; basis: string }[];
}
export interface SessionPeople {
  peer: Peer | null;
  technician: string | null;
  localUser: string | null;
  toolSessionId: string | null;
}

/** All parts of a session as one: lists are joined, of single values the newest counts. */
export function sessionPeople({ parts }: OpenedParts): SessionPeople {
  const all = parts as SessionPersonal[];
  const last = <K extends keyof SessionPersonal>(key: K) =>
    all.findLast((p) => p[key] !== undefined)?.[key] ?? null;
  const names = [...new Set(all.flatMap((p) => p.peerNames ?? []))];
  const ips = new Map(all.flatMap((p) => p.peerIps ?? []).map(({ ip, basis }) => [ip, { ip, basis }]));
  const id = last('peerId');
  const known = id !== null || names.length > 0 || ips.size > 0;
  return {
    peer: known ? { id, names, ips: [...ips.values()] } : null,
    technician: last('technician'),
    localUser: last('localUser'),
    toolSessionId: last('toolSessionId'),
  };
}

export interface SessionItem extends SessionPeople {
  id: string;
  host: string;
  hostId: string;
  customer: string | null;
  site: string | null;
  tool: string;
  direction: string;
  kind: string;
  mode: string;
  state: SessionRow['state'];
  startedAt: string;
  endedAt: string | null;
  durationSeconds: number | null;
  startBasis: string;
  endBasis: string | null;
  endReason: string | null;
  auth: string | null;
  failedAttempts: number | null;
  files: number | null;
  /** Filled by the issue that brings explanations. */
  ticket: null;
  purpose: null;
  confirmedBy: string[];
  erasedAt: string | null;
  /** What became of the personal data; says why `peer` and its like are null. */
  personal: PersonalState;
  log: string;
  seq: [number, number];
  /** Sessions that were merged into this one, by other installations or hosts; the first ones. */
  mergedFrom: { id: string; hostId: string }[];
}

export function sessionItem({ row, mergedFrom }: Whole, view: View, parts: OpenedParts): SessionItem {
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  const { peer, technician, localUser, toolSessionId } = sessionPeople(parts);
  return {
    id: row.session,
    host: view.host(row.agent) ?? row.agent,
    hostId: row.agent,
    customer: view.customer(row.customer),
    site: view.site(row.site),
    tool: row.tool,
    direction: row.direction,
    kind: row.kind,
    mode: row.mode,
    state: row.state,
    startedAt: toIso(row.startedAt),
    endedAt: iso(row.endedAt),
    durationSeconds: row.durationSeconds,
    startBasis: row.startBasis,
    endBasis: row.endBasis,
    endReason: row.endReason,
    peer,
    technician,
    localUser,
    toolSessionId,
    auth: row.auth,
    failedAttempts: row.failedAttempts,
    files: row.files,
    ticket: null,
    purpose: null,
    confirmedBy: row.confirmedBy,
    erasedAt: iso(parts.erasedAt),
    personal: parts.state,
    log: row.log,
    seq: [row.firstSeq, row.lastSeq],
    mergedFrom,
  };
}
