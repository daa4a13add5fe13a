/** Who was at both ends of a session, put together from its sealed parts. */
import type { EventPersonal } from '../protocol/event.ts';
import type { Personal } from '../protocol/seal.ts';

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
export function sessionPeople(parts: readonly Personal[]): SessionPeople {
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
