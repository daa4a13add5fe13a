/**
 * Sees to it that hosts have what they are to have: a new generation, a machine that joined a site, a catalogue that was
 * lost and gave its cameras other ids.
 *
 * V105 Each hold that is in force was ordered of each of its hosts in the present generation, with the cameras as that host
 *      calls them now; one that was released is ordered to be let go until the host says that it did.
 */
import type { HoldOrder } from '../../protocol/hold.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { issueIn } from '../ingest/commands.ts';
import { Looks } from '../looks.ts';
import type { AgentRow, CommandRow, HoldHostRow, HoldRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { camerasOf, type NamedCamera, openCameras } from './cameras.ts';
import { orderHost } from './place.ts';
import { partOf } from './reach.ts';

const LOOK_MS = 5 * SECOND_MS;

export class HoldCourier {
  readonly #ctx: Context;
  readonly #looks: Looks;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    const failed = 'holds: seeing to it that hosts have them failed';
    this.#looks = new Looks(ctx, { everyMs: LOOK_MS, failed, look: () => this.#look() });
  }

  start(): void {
    this.#looks.start();
  }

  /** One look now; for tests. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  close(): Promise<void> {
    return this.#looks.close();
  }

  async #look(): Promise<void> {
    const { store } = this.#ctx;
    const holds = await store.read.holds.list();
    if (holds.length === 0) return;
    const agents = new Map((await store.read.agents.list()).map((row) => [row.agent, row]));
    for (const hold of holds) {
      if (this.#looks.closed) return;
      if (hold.state === 'placed') await this.#join(hold, agents);
      for (const row of await store.read.holdHosts.list({ hold: hold.hold })) {
        const agent = agents.get(row.agent);
        if (agent !== undefined && agent.state !== 'revoked') await this.#give(hold, row, agent);
      }
    }
  }

  /** Machines that came to the site, or were enrolled anew, since it was placed. */
  async #join(hold: HoldRow, agents: ReadonlyMap<AgentId, AgentRow>): Promise<void> {
    const { store } = this.#ctx;
    const { site } = partOf(hold.scope);
    if (site === null) return;
    const known = new Set((await store.read.holdHosts.list({ hold: hold.hold })).map(({ agent }) => agent));
    for (const agent of agents.values()) {
      if (agent.site !== site || agent.state === 'revoked' || known.has(agent.agent)) continue;
      await store.write((tx) => orderHost(this.#ctx, tx, hold, agent, null));
    }
  }

  async #give(hold: HoldRow, row: HoldHostRow, { agent }: AgentRow): Promise<void> {
    const { store, generation } = this.#ctx;
    if (hold.state === 'released') {
      if (row.state === 'released') return;
      const given = await this.#given(agent, 'hold.release', hold);
      // One that waits, or was obeyed and is told of soon, is enough; after it a slip may have placed it once more.
      const since = row.appliedAt ?? 0;
      if (given.some(({ resultAt, ok }) => resultAt === null || (ok === true && resultAt >= since))) return;
      const body = { hold: hold.hold };
      await store.write((tx) => issueIn(this.#ctx, tx, agent, { verb: 'hold.release', body, person: null }));
      return;
    }
    // What it is about is known to the host alone (V104).
    if (hold.kind === 'unknown') return;
    const orders = await this.#asNow(row);
    const given = await this.#given(agent, 'hold.place', hold);
    const last = given.sort((a, b) => b.n - a.n)[0];
    if (last !== undefined && same(last.body, orders) && last.generation === generation()) return;
    await store.write(async (tx) => {
      await tx.holdHosts.put([{ ...row, orders }]);
      await issueIn(this.#ctx, tx, agent, { verb: 'hold.place', body: { ...orders }, person: null });
    });
  }

  async #given(
    agent: AgentId,
    verb: 'hold.place' | 'hold.release',
    { hold }: HoldRow,
  ): Promise<CommandRow[]> {
    const { store, generation } = this.#ctx;
    const rows = await store.read.commands.list({ agent, generation: generation(), verb });
    return rows.filter(({ body }) => body.hold === hold);
  }

  /** Names are opened only where a camera came after the held ones. */
  async #asNow({ agent, orders }: HoldHostRow): Promise<HoldOrder> {
    const { cameras } = orders;
    if (cameras === undefined) return orders;
    const told = await camerasOf(this.#ctx.store.read, agent);
    const held = told.filter(({ camera }) => cameras.includes(camera));
    const last = Math.max(0, ...held.map(({ pos }) => pos));
    if (told.every(({ camera, pos }) => pos <= last || cameras.includes(camera))) return orders;
    return { ...orders, cameras: calledNow(cameras, await openCameras(this.#ctx, told)) };
  }
}

/**
 * The held cameras as their host calls them now: of one root and one name the newest id, of other roots every one of that
 * name that came later. A camera whose name cannot be told stays as it is, and the host then keeps all of them (C80).
 */
export function calledNow(held: readonly string[], told: readonly NamedCamera[]): string[] {
  const found = new Set<string>();
  for (const camera of held) {
    const known = told.find((one) => one.camera === camera);
    const alike =
      known?.name == null ? [] : told.filter(({ name, pos }) => name === known.name && pos > known.pos);
    const heirs = alike.filter(({ source }) => source === known?.source);
    for (const one of alike) if (one.source !== known?.source) found.add(one.camera);
    found.add(heirs.sort((a, b) => b.pos - a.pos)[0]?.camera ?? camera);
  }
  return [...found].sort();
}

function same(body: Record<string, unknown>, orders: HoldOrder): boolean {
  const { hold, from, to, cameras } = body as unknown as HoldOrder;
  const sorted = (list: readonly string[] | undefined) => [...(list ?? [])].sort().join();
  return (
    hold === orders.hold &&
    from === orders.from &&
    to === orders.to &&
    sorted(cameras) === sorted(orders.cameras)
  );
}
