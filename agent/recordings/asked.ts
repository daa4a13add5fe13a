/** What answers about recordings have in common: what may be asked, of which roots, and why nothing can be judged. */
import { z } from 'zod';
import { id } from '../../protocol/group.ts';
import { ruleFor } from '../../protocol/policy.ts';
import { fromIso, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Filling } from '../holds/disks.ts';
import type { Copies } from './copies.ts';
import type { Surroundings } from './due.ts';
import type { Keeper } from './keeper.ts';
import type { Root } from './roots.ts';
import type { SweepStore } from './sweep-store.ts';
import { type RecordingState, STATES } from './types.ts';

export const MAX_ITEMS = 500;
const time = z
  .string()
  .transform((text, context) => {
    const at = fromIso(text);
    if (at !== null) return at;
    context.addIssue({ code: 'custom', message: 'no time' });
    return z.NEVER;
  })
  .optional();
export const asked = z.object({
  source: id.optional(),
  camera: id.optional(),
  from: time,
  to: time,
  state: z.enum(STATES as [RecordingState, ...RecordingState[]]).optional(),
  after: z.string().max(1024).optional(),
  limit: z.int().min(1).max(MAX_ITEMS).default(100),
});
export type Asked = z.output<typeof asked>;

export interface AnswerDeps {
  keeper: Keeper;
  sweeps: SweepStore;
  now(): UtcMs | null;
  /** Copies in and beside a root, as they were counted last; null: not yet. */
  copies?(root: number): readonly Copies[] | null;
  /** When the disk of each root is full (R9). */
  disks?(): Promise<readonly Filling[]>;
}

export type Answer = Record<string, unknown>;

export function rootsOf({ keeper }: AnswerDeps, { source }: Pick<Asked, 'source'>): Root[] {
  return keeper.roots.filter((root) => source === undefined || root.source === source);
}

/** Why nothing can be called overdue (C47); null: each recording can. A rule without an end is one: nothing is overdue. */
export function unjudged(around: Surroundings | null, now: UtcMs | null): string | null {
  if (around === null) return 'no-policy';
  if (ruleFor(around.policy, 'recording', 'managed') === null) return 'no-rule';
  return now === null ? 'time-untrusted' : null;
}

export function iso(at: number | null): string | null {
  return at === null ? null : toIso(utcMs(at));
}
