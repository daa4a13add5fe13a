/**
 * Events of audits: what a machine found wrong with itself, that it looked, and who read of it. Findings are words and
 * counts: what they were found on stays on the host, and nothing personal stands here.
 */
import { z } from 'zod';
import { agent, both, collector } from './event-kinds.ts';
import { count, FINDINGS, FOUND_TOOLS, text } from './event-shapes.ts';
import { id, iso } from './group.ts';

/** What a self-audit looks at. */
export const AUDIT_CHECKS = [
  /** Rows of the catalogue against files. */
  'rows',
  /** Files against rows of the catalogue. */
  'files',
  /** Recordings past their due time. */
  'expired',
  /** Sealed parts of what was erased, and copies that are kept for too long. */
  'groups',
  'canary-footage',
  'canary-session',
  'chain',
  'sources',
  /** Runs that were due. */
  'schedule',
] as const;
export type AuditCheck = (typeof AUDIT_CHECKS)[number];

/** What a check did not look at, or why. */
export const UNSEEN = [
  'beyond-sample',
  'exports',
  'copies-elsewhere',
  'backups',
  'snapshots',
  'no-root',
  'root-suspect',
  'not-accepted',
  'first-scan',
  'no-policy',
  'no-rule',
  'time-untrusted',
  'holds-unreadable',
  'sweep-waits',
  'changed-meanwhile',
  'unreadable-folder',
  'platform',
  'no-room',
  'not-running',
  'rules-of-sessions',
  'acked-leaves',
  'never-run',
  'first-run',
  'failed',
] as const;
export type Unseen = (typeof UNSEEN)[number];

export const AUDIT_TRIGGERS = ['schedule', 'late', 'asked'] as const;
export type AuditTrigger = (typeof AUDIT_TRIGGERS)[number];

/** Findings of one run: of each code one. */
export const MAX_AUDIT_FINDINGS = 32;

const unseen = z.array(z.enum(UNSEEN)).max(UNSEEN.length);

export const AUDIT_EVENTS = {
  'audit.finding': both(
    z.strictObject({
      check: z.enum(FINDINGS),
      /** What it was found on; null: a tool without a source, several, or the machine. */
      source: id.nullable(),
      tool: z.enum(FOUND_TOOLS).nullable(),
      count,
      /** The self-audit that found it, which part of it, and what that part did not look at; absent: seen while reading. */
      run: id.optional(),
      of: z.enum(AUDIT_CHECKS).optional(),
      unseen: unseen.optional(),
    }),
  ),
  /** A self-audit took place; its findings are the leaves just before this one. */
  'audit.run': agent(
    z.strictObject({
      run: id,
      trigger: z.enum(AUDIT_TRIGGERS),
      startedAt: iso,
      endedAt: iso,
      /** The longest time to the next ones that the schedule means, seconds; null: none is near. */
      everySeconds: count.nullable(),
      findings: z.int().min(0).max(MAX_AUDIT_FINDINGS),
      checks: z
        .array(
          z.strictObject({
            check: z.enum(AUDIT_CHECKS),
            /** How many were looked at, of how many; null: nobody counted. */
            looked: count,
            of: count.nullable(),
            /** Wrong at first sight, for a reason that is told elsewhere. */
            explained: count,
            unseen,
          }),
        )
        .max(AUDIT_CHECKS.length),
    }),
  ),
  /** A person says that they have read a run and its findings. */
  'audit.signed': collector(
    z.strictObject({ run: id, agent: id, person: id }),
    z.strictObject({ note: text(512) }),
    'audit.event',
  ),
} as const;
