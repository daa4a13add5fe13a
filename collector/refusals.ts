/** Refusals as events: the first of a kind is written at once, the rest of its minute is counted and written as one. */
import { codeOf } from '../protocol/errors.ts';
import { MINUTE_MS } from '../protocol/time.ts';
import type { Context, OwnDraft } from './types.ts';

/** Kinds told apart in one minute; the rest is counted together. */
export const MAX_KINDS = 32;

type Say = (count: number) => OwnDraft;

export interface Refusals {
  /** `say` makes the event of this kind, `beyond` the one for all kinds that are too many to be told apart. */
  add(kind: string, say: Say, beyond: Say): Promise<void>;
  /** Writes what was counted and stops the timer. */
  close(): Promise<void>;
}

export function makeRefusals(ctx: Context): Refusals {
  const counts = new Map<string, { say: Say; more: number }>();
  let cancel: (() => void) | null = null;

  async function write(drafts: OwnDraft[]): Promise<void> {
    if (drafts.length === 0) return;
    try {
      await ctx.store.write((tx) => ctx.own.append(tx, drafts));
      ctx.notify(await ctx.store.read.lastPos());
    } catch (error) {
      // The refusal itself stands, recorded or not; a full disk must not open a door.
      ctx.log.error({ code: codeOf(error), count: drafts.length }, 'refusals could not be recorded');
    }
  }

  async function flush(): Promise<void> {
    cancel?.();
    cancel = null;
    const rest = [...counts.values()].filter((entry) => entry.more > 0);
    counts.clear();
    await write(rest.map(({ say, more }) => say(more)));
  }

  return {
    async add(kind, say, beyond) {
      const known = counts.has(kind) || counts.size < MAX_KINDS;
      const [key, said] = known ? [kind, say] : ['', beyond];
      const entry = counts.get(key);
      if (entry !== undefined) {
        entry.more++;
        return;
      }
      counts.set(key, { say: said, more: 0 });
      cancel ??= ctx.clock.after(MINUTE_MS, () => void flush());
      await write([said(1)]);
    },
    close: flush,
  };
}
