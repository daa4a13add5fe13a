/**
 * Sees to it that hosts have what they are to have: a new generation, a machine that joined a site, a catalogue that was
 * lost and gave its cameras other ids.
 *
 * V105 Each hold that is in force was ordered of each of its hosts in the present generation, with the cameras as that host
 *      calls them now; one that was released is ordered to be let go until the host says that it did.
 */
import type { HoldOrder } from '../../protocol/hold.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { HOUR_MS, SECOND_MS } from '../../protocol/time.ts';
import { issueIn } from '../ingest/commands.ts';
import { Looks } from '../looks.ts';
import type { AgentRow, HoldHostRow, HoldRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { camerasOf, type NamedCamera, openCameras } from './cameras.ts';
import { GivenOrders } from './given.ts';
import { orderHost } from './place.ts';
import { partOf } from './reach.ts';

const LOOK_MS = 5 * SECOND_MS;
/** What a host could not do may be possible by now: it is ordered again. */
const AGAIN_MS = HOUR_MS;

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
    const { read } = this.#ctx.store;
    // The holds first: whatever is found of them had its orders committed with it.
    const placed = new Map((await read.holds.list({ state: 'placed' })).map((row) => [row.hold, row]));
    // Of those that were released, only hosts that have not said so: there are more of them with each year.
    const open = [
      ...(await read.holdHosts.list({ state: 'pending' })),
      ...(await read.holdHosts.list({ state: 'in-force' })),
    ].filter(({ hold }) => !placed.has(hold));
    if (placed.size === 0 && open.length === 0) return;
    const agents = new Map((await read.agents.list()).map((row) => [row.agent, row]));
    const given = new GivenOrders(this.#ctx);
    const getsOrders = ({ agent }: HoldHostRow) => (agents.get(agent)?.state ?? 'revoked') !== 'revoked';
    for (const hold of placed.values()) {
      if (this.#looks.closed) return;
      await this.#join(hold, agents);
      for (const row of (await read.holdHosts.list({ hold: hold.hold })).filter(getsOrders))
        await this.#place(hold, row, given);
    }
    for (const row of open.filter(getsOrders)) {
      const hold = await read.holds.get(row.hold);
      if (hold?.state === 'released') await this.#release(hold, row, given);
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
      await store.write(async (tx) => {
        if (await isStill(tx, hold)) await orderHost(this.#ctx, tx, hold, agent, null);
      });
    }
  }

  async #release(hold: HoldRow, row: HoldHostRow, orders: GivenOrders): Promise<void> {
    if (row.state === 'released') return;
    const given = await orders.of(row.agent, 'hold.release', hold.hold);
    // One that waits, or was obeyed and is told of soon, is enough; after it a slip may have placed it once more.
    const since = row.appliedAt ?? 0;
    if (given.some(({ resultAt, ok }) => resultAt === null || (ok === true && resultAt >= since))) return;
    await this.#order(hold, row, 'hold.release', { hold: hold.hold });
  }

  async #place(hold: HoldRow, row: HoldHostRow, given: GivenOrders): Promise<void> {
    // What it is about is known to the host alone (V104).
    if (hold.kind === 'unknown') return;
    const orders = await this.#asNow(row);
    const last = (await given.of(row.agent, 'hold.place', hold.hold)).at(-1);
    const tried = last?.ok === false && this.#ctx.clock.now() - (last.resultAt ?? 0) >= AGAIN_MS;
    if (last !== undefined && same(last.body, orders) && !tried) return;
    await this.#order(hold, row, 'hold.place', orders);
  }

  /** As it stands in this transaction: it may have been released, or told of, since it was looked at. */
  async #order(
    hold: HoldRow,
    { place, agent }: HoldHostRow,
    verb: 'hold.place' | 'hold.release',
    body: HoldOrder | { hold: string },
  ): Promise<void> {
    await this.#ctx.store.write(async (tx) => {
      const row = await tx.holdHosts.get(place);
      if (row === null || !(await isStill(tx, hold))) return;
      if (verb === 'hold.place') await tx.holdHosts.put([{ ...row, orders: body as HoldOrder }]);
      await issueIn(this.#ctx, tx, agent, { verb, body: { ...body }, person: null });
    });
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

async function isStill(tx: Tx, { hold, state }: HoldRow): Promise<boolean> {
  return (await tx.holds.get(hold))?.state === state;
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
