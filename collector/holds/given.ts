/** Which orders about holds a host was given in the present generation: read once for each host, not once for each hold. */
import type { AgentId } from '../../protocol/ids.ts';
import type { CommandRow, HoldId } from '../store/types.ts';
import type { Context } from '../types.ts';

type HoldVerb = 'hold.place' | 'hold.release';

/** As they were at the first question about a host: made anew for each look, and each answer. */
export class GivenOrders {
  readonly #ctx: Pick<Context, 'store' | 'generation'>;
  readonly #read = new Map<string, Promise<Map<HoldId, CommandRow[]>>>();

  constructor(ctx: Pick<Context, 'store' | 'generation'>) {
    this.#ctx = ctx;
  }

  /** In the order of their numbers. */
  async of(agent: AgentId, verb: HoldVerb, hold: HoldId): Promise<readonly CommandRow[]> {
    const key = `${agent} ${verb}`;
    const known = this.#read.get(key) ?? this.#load(agent, verb);
    this.#read.set(key, known);
    return (await known).get(hold) ?? [];
  }

  async #load(agent: AgentId, verb: HoldVerb): Promise<Map<HoldId, CommandRow[]>> {
    const { store, generation } = this.#ctx;
    const rows = await store.read.commands.list({ agent, generation: generation(), verb });
    rows.sort((a, b) => a.n - b.n);
    return Map.groupBy(rows, ({ body }) => body.hold as HoldId);
  }
}
