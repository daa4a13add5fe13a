/**
 * When agents were seen. Written together every 15 seconds, sooner where an agent came or went: a fleet's beats
 * must not become a transaction each.
 *
 * S1  `lastSeenAt` and `readThrough` never go back; a crash loses at most what the next beat says again.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { SECOND_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context } from '../types.ts';

const FLUSH_MS = 15 * SECOND_MS;
const SOON_MS = 200;

export type Seen = Partial<
  Pick<AgentRow, 'lastSeenAt' | 'readThrough' | 'skewMs' | 'backlog' | 'software' | 'generation'>
>;

export class Presence {
  readonly #ctx: Context;
  #dirty = new Map<AgentId, Seen>();
  #timer: { at: number; cancel: () => void } | null = null;
  #closed = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** @param soon true where the agent came or went, which people want to see at once */
  note(agent: AgentId, seen: Seen, soon = false): void {
    const before = this.#dirty.get(agent) ?? {};
    const readThrough = latest(before.readThrough, seen.readThrough);
    const lastSeenAt = latest(before.lastSeenAt, seen.lastSeenAt);
    this.#dirty.set(agent, { ...before, ...seen, ...present({ readThrough, lastSeenAt }) });
    this.#arm(soon ? SOON_MS : FLUSH_MS);
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    const at = this.#ctx.clock.mono() + ms;
    if (this.#timer !== null && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = this.#ctx.clock.after(ms, () => {
      this.#timer = null;
      void this.flush();
    });
    this.#timer = { at, cancel };
  }

  async flush(): Promise<void> {
    const dirty = this.#dirty;
    this.#dirty = new Map();
    if (dirty.size === 0) return;
    try {
      await this.#ctx.store.write(async (tx) => {
        const rows: AgentRow[] = [];
        for (const [agent, seen] of dirty) {
          const row = await tx.agents.get(agent);
          if (row !== null) rows.push(merged(row, seen));
        }
        await tx.agents.put(rows);
      });
    } catch (error) {
      // Not evidence: the next beat says it again.
      this.#ctx.log.warn({ code: codeOf(error) }, 'presence: not written');
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.flush();
  }
}

function latest(a: UtcMs | null | undefined, b: UtcMs | null | undefined): UtcMs | undefined {
  if (a == null) return b ?? undefined;
  return b == null ? a : utcMs(Math.max(a, b));
}

function present(seen: { readThrough: UtcMs | undefined; lastSeenAt: UtcMs | undefined }): Seen {
  return {
    ...(seen.readThrough === undefined ? {} : { readThrough: seen.readThrough }),
    ...(seen.lastSeenAt === undefined ? {} : { lastSeenAt: seen.lastSeenAt }),
  };
}

function merged(row: AgentRow, seen: Seen): AgentRow {
  const lastSeenAt = latest(row.lastSeenAt, seen.lastSeenAt) ?? null;
  return {
    ...row,
    ...seen,
    firstSeenAt: row.firstSeenAt ?? lastSeenAt,
    lastSeenAt,
    readThrough: latest(row.readThrough, seen.readThrough) ?? null,
  };
}
