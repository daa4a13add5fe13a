/**
 * What remote tools call managed devices, as their agents say it sealed (`device.known`): which of them an id belongs to.
 *
 * O11 An id of a device is on the disk in its agent's sealed part and nowhere else, not even as a digest. The index is in
 *     memory, under a key of this process, is made anew at each start from what opens, and forgets what is erased.
 */
import { createHmac } from 'node:crypto';
import type { EventPersonal } from '../../protocol/event.ts';
import type { AgentId, AgreementId, CustomerId, GroupId } from '../../protocol/ids.ts';
import { isOver } from '../erasing/end-rules.ts';
import { plain } from '../roster.ts';
import type { DeviceRow, Reader } from '../store/types.ts';
import type { Context } from '../types.ts';

/** Parts opened in one go. */
const PAGE = 1_000;

/** An id under the key of this process: says nothing to anybody else. */
export type Digest = string;

interface Said {
  /** The group that it lies under. */
  group: GroupId;
  digests: readonly Digest[];
}

/** A managed device that is called so. */
export interface Claim {
  agreement: AgreementId;
  customer: CustomerId;
}

export class Devices {
  readonly #ctx: Context;
  readonly #key: Buffer;
  readonly #said = new Map<AgentId, Said>();
  readonly #owners = new Map<Digest, Set<AgentId>>();

  private constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#key = ctx.random(32);
  }

  /** With all that opens now. */
  static async open(ctx: Context): Promise<Devices> {
    const devices = new Devices(ctx);
    await devices.#read(await ctx.store.read.devices.list());
    return devices;
  }

  /** Devices that are called something. */
  get size(): number {
    return this.#said.size;
  }

  digestOf(tool: string, id: string): Digest {
    // Tools show their ids in groups of digits.
    const text = `${tool}\0${plain('teamviewer', id)}`;
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }

  /** What this agent said last; returns what its device is called that it was not called before. */
  async refresh(agent: AgentId): Promise<Digest[]> {
    const before = new Set(this.#said.get(agent)?.digests);
    const row = await this.#ctx.store.read.devices.get(agent);
    if (row !== null) await this.#read([row]);
    return (this.#said.get(agent)?.digests ?? []).filter((digest) => !before.has(digest));
  }

  /** The group is being erased: nobody is called by what lay under it any more. */
  forget(group: GroupId): void {
    for (const [agent, said] of this.#said) if (said.group === group) this.#drop(agent);
  }

  /** Managed devices, of agreements that hold, that are called so; at `reader`'s state of things. */
  async claims(reader: Reader, digest: Digest): Promise<Claim[]> {
    const found: Claim[] = [];
    for (const agent of this.#owners.get(digest) ?? []) {
      const claim = await this.#claimOf(reader, agent);
      if (claim !== null) found.push(claim);
    }
    return found;
  }

  async #claimOf(reader: Reader, agent: AgentId): Promise<Claim | null> {
    const said = this.#said.get(agent);
    const group = said === undefined ? null : await reader.groups.get(said.group);
    const row = await reader.agents.get(agent);
    if (row?.state !== 'approved' || row.mode !== 'managed' || group?.state !== 'live') return null;
    // A host that was moved to another agreement says there anew what it is called.
    if (group.agreement !== row.agreement) return null;
    const agreement = await reader.agreements.get(row.agreement);
    const holds = agreement?.mode === 'managed' && !isOver(agreement, this.#ctx.clock.now());
    return holds ? { agreement: agreement.agreement, customer: agreement.customer } : null;
  }

  async #read(rows: readonly DeviceRow[]): Promise<void> {
    const { store, opener } = this.#ctx;
    for (let from = 0; from < rows.length; from += PAGE) {
      const page = rows.slice(from, from + PAGE);
      const positions = page.map(({ pos }) => pos);
      const under = new Map((await store.read.parts(positions)).map((part) => [part.pos, part.under]));
      const opened = await opener.open(store.read, positions);
      for (const { agent, pos } of page) {
        const p = opened.get(pos) as EventPersonal<'device.known'> | undefined;
        const group = under.get(pos);
        if (p !== undefined && group !== undefined) this.#take(agent, group, p.ids);
        else this.#drop(agent);
      }
    }
  }

  #take(agent: AgentId, group: GroupId, ids: EventPersonal<'device.known'>['ids']): void {
    this.#drop(agent);
    const digests = [...new Set(ids.map(({ tool, id }) => this.digestOf(tool, id)))];
    this.#said.set(agent, { group, digests });
    for (const digest of digests) {
      this.#owners.set(digest, (this.#owners.get(digest) ?? new Set<AgentId>()).add(agent));
    }
  }

  #drop(agent: AgentId): void {
    for (const digest of this.#said.get(agent)?.digests ?? []) {
      const owners = this.#owners.get(digest);
      owners?.delete(agent);
      if (owners?.size === 0) this.#owners.delete(digest);
    }
    this.#said.delete(agent);
  }
}
