/**
 * What a `single` key group is for: the sessions whose sealed parts were taken out of their spans into it, and why.
 * Fields of ours beside those of the group's record: nobody signed them, and no agent is given such a group.
 */
import { isId, type SessionId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { GroupRow } from '../store/types.ts';

export const WHYS = ['request', 'kept', 'let-go'] as const;

export interface Takes {
  sessions: SessionId[];
  /** To be erased at once; kept until it is let go; due when the policy says so again. */
  why: (typeof WHYS)[number];
  /** The approval that was given for a request. */
  approval: string | null;
  /** Every group of the agreement was looked through for what belongs here. */
  gathered: boolean;
  /** When the first and the last of the sessions ended, of what was let go. */
  ends: { earliest: UtcMs; latest: UtcMs } | null;
}

/** Null where the group was not made for sessions. */
export function takesOf({ kind, record }: Pick<GroupRow, 'kind' | 'record'>): Takes | null {
  const { takes } = record as GroupRow['record'] & { takes?: Takes };
  if (kind !== 'single' || typeof takes !== 'object' || takes === null) return null;
  const known = Array.isArray(takes.sessions) && takes.sessions.every(isId) && WHYS.includes(takes.why);
  return known ? takes : null;
}

export function withTakes(row: GroupRow, takes: Takes): GroupRow {
  return { ...row, record: { ...row.record, takes } as GroupRow['record'] };
}
