/** How many attempts each host has denied of late, as its own events say: read once as they come, kept by the minute. */
import { type AgentId, isId, type LogId } from '../protocol/ids.ts';
import { MINUTE_MS, type UtcMs } from '../protocol/time.ts';
import type { LeafRow, Pos } from './store/types.ts';
import type { Context } from './types.ts';

export type Denied = Map<AgentId, number>;

const TYPES = ['session.rejected'];
const PAGE = 500;
/** Pages of one look; the rest waits for the next. */
const PAGES = 20;
/** What one event may stand for: a host says how many it has seen, and may say anything. */
const MOST = 1_000_000;

export class DeniedTally {
  readonly #ctx: Context;
  /** By minute of receipt. */
  readonly #minutes = new Map<number, Denied>();
  #cursor: Pos | null = null;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** By host, of what was received since then. */
  async since(from: UtcMs): Promise<Denied> {
    await this.#read(from);
    const first = Math.floor(from / MINUTE_MS);
    const sum: Denied = new Map();
    for (const [minute, denied] of this.#minutes) {
      if (minute < first) this.#minutes.delete(minute);
      else for (const [agent, count] of denied) sum.set(agent, (sum.get(agent) ?? 0) + count);
    }
    return sum;
  }

  async #read(from: UtcMs): Promise<void> {
    const { read } = this.#ctx.store;
    for (let page = 0; page < PAGES; page += 1) {
      // After a start by time, once; afterwards by position.
      const where = this.#cursor === null ? { since: from } : { after: this.#cursor };
      const through = await read.lastPos();
      const leaves = await read.leaves({ ...where, types: TYPES, limit: PAGE });
      const owners = await this.#owners(leaves);
      for (const leaf of leaves) this.#add(leaf, owners.get(leaf.log) ?? null);
      const full = leaves.length === PAGE;
      this.#cursor = full ? (leaves.at(-1)?.pos ?? through) : Math.max(through, leaves.at(-1)?.pos ?? 0);
      if (!full) return;
    }
  }

  async #owners(leaves: readonly LeafRow[]): Promise<Map<LogId, AgentId | null>> {
    const logs = [...new Set(leaves.map(({ log }) => log))];
    return new Map((await this.#ctx.store.read.logStates(logs)).map(({ log, agent }) => [log, agent]));
  }

  #add({ bytes, receivedAt }: LeafRow, agent: AgentId | null): void {
    if (!isId(agent)) return;
    const { data } = JSON.parse(bytes) as { data: Record<string, unknown> };
    const { count } = data;
    const some =
      typeof count === 'number' && Number.isSafeInteger(count) ? Math.min(Math.max(count, 1), MOST) : 1;
    const minute = Math.floor(receivedAt / MINUTE_MS);
    const denied = this.#minutes.get(minute) ?? new Map<AgentId, number>();
    denied.set(agent as AgentId, (denied.get(agent as AgentId) ?? 0) + some);
    this.#minutes.set(minute, denied);
  }
}
