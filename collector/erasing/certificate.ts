/**
 * What can be shown of an erasure: what went, under which rule, when it was due and done, how, how that was verified,
 * which hosts have said that they hold nothing of it, and until when a copy may still exist elsewhere. Pure.
 *
 * V48 A certificate claims no more than was done here: what backups and images may still hold is said beside it, and
 *     where nobody has said how long those are kept, that too (S6).
 */
import { addPeriod, type Period } from '../../protocol/period.ts';
import { SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import { horizonOf } from '../horizon.ts';
import type { AgentRow, ConfirmationRow, ErasureRow, GroupRow, KeyCopyRow } from '../store/types.ts';

/** How long backups and images of the collector's machine are kept; `none`: none are made; null: nobody has said. */
export type BackupsKept = Period | 'none' | null;

export interface BackupHorizon {
  /** Until then a copy of the keys may exist; null: none may, or nobody knows until when. */
  until: UtcMs | null;
  /** False: there is, or may be, a copy of which nobody has said how long it is kept. */
  known: boolean;
  /** Copies of the keys on record that hold this one: escrows, and second copies that were left. */
  copies: number;
  /** What is declared of backups and images of the machine itself (`backupsKeptFor`). */
  images: 'none' | 'declared' | 'not-declared';
}

export function backupHorizon(
  row: Pick<GroupRow, 'kind' | 'createdAt' | 'erasedAt'>,
  copies: readonly KeyCopyRow[],
  kept: BackupsKept,
): BackupHorizon {
  // Keys of one-off sessions are in memory only: no file ever held one.
  if (row.kind === 'oneoff') return { until: null, known: true, copies: 0, images: 'none' };
  const held = horizonOf(row, copies);
  const image =
    kept === null || kept === 'none' || row.erasedAt === null ? null : addPeriod(row.erasedAt, kept, 'UTC');
  const times = [held?.until ?? null, image].filter((at) => at !== null);
  return {
    until: times.length === 0 ? null : (Math.max(...times) as UtcMs),
    known: kept !== null && row.erasedAt !== null && (held === null || held.until !== null),
    copies: held?.copies ?? 0,
    images: kept === null ? 'not-declared' : kept === 'none' ? 'none' : 'declared',
  };
}

/** What was looked at before it counted as done. */
const VERIFIED: Readonly<Record<string, readonly string[]>> = {
  'slot-overwritten': ['keys-read-back', 'rows-deleted', 'database-log-emptied'],
  tombstone: ['keys-read-back', 'rows-deleted', 'database-log-emptied'],
  anonymised: ['keys-read-back', 'rows-deleted', 'database-log-emptied'],
  'key-dropped': ['key-in-memory-only', 'rows-deleted', 'database-log-emptied'],
};

export interface Certificate {
  state: 'erasing' | 'erased';
  by: string | null;
  policy: string | null;
  version: number | null;
  dueAt: UtcMs | null;
  begunAt: UtcMs | null;
  doneAt: UtcMs | null;
  lateSeconds: number | null;
  method: string | null;
  verified: readonly string[];
  parts: number | null;
  listRoot: string | null;
}

/** `erasure` is null for what an earlier version erased: its events hold the rest. */
export function certificateOf(row: GroupRow, erasure: ErasureRow | null): Certificate {
  const doneAt = row.erasedAt;
  const dueAt = erasure?.dueAt ?? row.dueAt;
  const method = doneAt === null ? null : (erasure?.method ?? null);
  return {
    state: row.state === 'erased' ? 'erased' : 'erasing',
    by: erasure?.by ?? row.erasedBy,
    policy: erasure?.policy ?? null,
    version: erasure?.version ?? null,
    dueAt,
    begunAt: erasure?.begunAt ?? null,
    doneAt,
    lateSeconds:
      dueAt === null || doneAt === null ? null : Math.max(0, Math.floor((doneAt - dueAt) / SECOND_MS)),
    method,
    verified: VERIFIED[method ?? ''] ?? [],
    parts: erasure?.parts ?? null,
    listRoot: erasure?.listRoot ?? null,
  };
}

export interface HostWord {
  agent: AgentRow;
  state: 'confirmed' | 'pending' | 'revoked';
  confirmedAt: UtcMs | null;
}

/** What one host of the agreement has said about one erasure (V44). */
export function hostWord(
  agent: AgentRow,
  confirmation: ConfirmationRow | null,
  erasure: ErasureRow | null,
): HostWord {
  const donePos = erasure?.donePos ?? null;
  const confirmed = donePos !== null && confirmation !== null && confirmation.pos >= donePos;
  if (confirmed) return { agent, state: 'confirmed', confirmedAt: confirmation.at };
  return { agent, state: agent.state === 'revoked' ? 'revoked' : 'pending', confirmedAt: null };
}
