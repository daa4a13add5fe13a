/** A session as `docs/design/cli.md` shows it: the projection's row, and what its sealed parts say. */
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { SessionPeople } from '../session-people.ts';
import type { SessionRow } from '../store/types.ts';
import type { Seen } from './lens.ts';
import type { OpenedWhole, Whole } from './merged.ts';
import type { PersonalState } from './parts.ts';
import type { View } from './view.ts';

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
  /** Of a session that runs: whether somebody is at the other end, and since when; null: not known, or it is over. */
  connection: SessionRow['connection'];
  connectionAt: string | null;
  /** Why, as it was said last; null: nobody has said, or it is erased. */
  ticket: string | null;
  purpose: string | null;
  confirmedBy: string[];
  erasedAt: string | null;
  /** What became of the personal data; says why `peer` and its like are null, or pseudonyms. */
  personal: PersonalState | 'pseudonym';
  log: string;
  seq: [number, number];
  /** Sessions that were merged into this one, by other installations or hosts; the first ones. */
  mergedFrom: { id: string; hostId: string }[];
}

export function sessionItem(
  { row, mergedFrom }: Whole,
  view: View,
  parts: OpenedWhole,
  { peer, technician, localUser, toolSessionId, veiled }: Seen,
): SessionItem {
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
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
    connection: row.state === 'active' ? row.connection : null,
    connectionAt: row.state === 'active' ? iso(row.connectionAt) : null,
    ...parts.why,
    confirmedBy: row.confirmedBy,
    erasedAt: iso(parts.erasedAt),
    personal: veiled && parts.state === 'open' ? 'pseudonym' : parts.state,
    log: row.log,
    seq: [row.firstSeq, row.lastSeq],
    mergedFrom,
  };
}
