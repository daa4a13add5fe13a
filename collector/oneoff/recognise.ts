/**
 * An outgoing session is one-off until its peer is known to be a managed device: then it is moved into that device's
 * agreement, as soon as both are known here and while its key lives, whichever of the two came last.
 *
 * O12 A session is moved into an agreement only where that agreement alone claims its peer: among those of its own
 *     agreement, else of its own customer, else of this collector. Where several do, it stays one-off.
 * O13 It is asked again in the transaction that moves: not into an agreement that has ended or a device that is revoked.
 * O14 What is being moved is moved before its end is taken; what is not recognised by then, or by a collector that was
 *     killed in between, goes with its key. Nothing that was erased comes back.
 */
import { codeOf } from '../../protocol/errors.ts';
import {
  type AgentId,
  type AgreementId,
  type CustomerId,
  type GroupId,
  isId,
  type SessionId,
} from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { DAY_MS, fromIso, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import type { Reader } from '../store/types.ts';
import type { Context } from '../types.ts';
import { type Claim, Devices, type Digest } from './devices.ts';
import { intoOf, regroupOneoff } from './regroup.ts';

/** After a move that could not be written. */
const RETRY_MS = 5 * SECOND_MS;
/** Parts of a group that its start is looked for among: it is the first. */
const FIRST_PARTS = 16;
/** Up to so many groups are remembered also when they are over. */
const MANY = 1_024;
/** A start further off is no start of a session that runs. */
const FAR_MS = 366 * DAY_MS;
const AHEAD_MS = 2 * DAY_MS;

/** The start of a session, opened. */
export interface Begun {
  group: GroupId;
  agent: AgentId;
  data: Record<string, unknown>;
  personal: Record<string, unknown>;
}

interface Waiting {
  session: SessionId;
  agent: AgentId;
  startedAt: UtcMs;
  peer: Digest;
}

/** The agreement that a session belongs to by its peer; null: nobody claims it, or several do (O12). Pure. */
export function whose(
  from: { agreement: AgreementId; customer: CustomerId },
  claims: readonly Claim[],
): AgreementId | null {
  const nearest = [
    claims.filter(({ agreement }) => agreement === from.agreement),
    claims.filter(({ customer }) => customer === from.customer),
    claims,
  ].find((some) => some.length > 0);
  const [one = null, ...more] = new Set(nearest?.map(({ agreement }) => agreement));
  return more.length === 0 ? one : null;
}

/** The time whose span a session that runs lies in: its start, or now where that cannot be. Pure. */
export function spanTime(startedAt: UtcMs | null, now: UtcMs): UtcMs {
  const sane = startedAt !== null && startedAt > now - FAR_MS && startedAt < now + AHEAD_MS;
  return sane ? startedAt : now;
}

export class Recogniser {
  readonly #ctx: Context;
  readonly #devices: Devices;
  /** Live one-off groups whose start was seen; null: nothing to be recognised in it. */
  readonly #known = new Map<GroupId, Waiting | null>();
  /** Groups whose start is being looked for, and groups that are being moved. */
  readonly #looking = new Map<GroupId, Promise<void>>();
  readonly #moving = new Map<GroupId, Promise<void>>();
  /** Agents whose word was not taken in yet. */
  readonly #unheard = new Set<AgentId>();
  /** At so many known groups those that are over are looked for. */
  #many = MANY;
  #tail: Promise<void> = Promise.resolve();
  #cancelRetry: () => void = () => {};
  #closed = false;

  private constructor(ctx: Context, devices: Devices) {
    this.#ctx = ctx;
    this.#devices = devices;
  }

  static async open(ctx: Context): Promise<Recogniser> {
    const recogniser = new Recogniser(ctx, await Devices.open(ctx));
    recognisers.set(ctx, recogniser);
    return recogniser;
  }

  /** Devices that sessions are recognised by. */
  get devices(): number {
    return this.#devices.size;
  }

  /** Ingest has stored the start of a one-off session. */
  began(begun: Begun): void {
    if (this.#closed) return;
    this.#prune();
    this.#note(begun);
    this.#match([begun.group]);
  }

  /** Keys were handed over, again maybe: what lies under groups that nothing is known of here can be opened now. */
  keysCame(groups: readonly GroupId[]): void {
    for (const group of groups) {
      // Of a group without a row nothing is stored: ingest will tell.
      if (this.#known.has(group) || this.#looking.has(group) || this.#ctx.groups.byId(group) === null)
        continue;
      const looking = this.#later(() => this.#look(group)).finally(() => this.#looking.delete(group));
      this.#looking.set(group, looking);
    }
  }

  /** An agent has said what its device is called. */
  deviceSaid(agent: AgentId): void {
    if (this.#unheard.has(agent)) return;
    this.#unheard.add(agent);
    void this.#later(() => this.#hear(agent));
  }

  async #hear(agent: AgentId): Promise<void> {
    this.#unheard.delete(agent);
    try {
      const fresh = new Set(await this.#devices.refresh(agent));
      if (fresh.size === 0) return;
      const waiting = [...this.#known].filter(([, one]) => one !== null && fresh.has(one.peer));
      this.#match(waiting.map(([group]) => group));
    } catch (error) {
      this.#unheard.add(agent);
      throw error;
    }
  }

  /** A group is being erased. */
  forget(group: GroupId): void {
    this.#devices.forget(group);
    this.#known.delete(group);
  }

  /** Resolves when those of these groups that are being moved are; never rejects. Others are not waited for (O14). */
  async settled(groups: readonly GroupId[]): Promise<void> {
    await Promise.all(groups.map((group) => this.#looking.get(group)));
    await Promise.all(groups.map((group) => this.#moving.get(group)));
  }

  /** Lets what runs finish; nothing begins after it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#tail;
    await Promise.all(this.#moving.values());
    recognisers.delete(this.#ctx);
  }

  /** One after the other. Never rejects: what failed is tried again soon. */
  #later(fn: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail
      .then(() => (this.#closed ? undefined : fn()))
      .catch((error: unknown) => this.#failed(error));
    return this.#tail;
  }

  #note({ group, agent, data, personal }: Begun): void {
    const { session, tool, direction, mode, startedAt } = data;
    const { peerId } = personal;
    const outgoing = direction === 'outgoing' && mode === 'one-off';
    if (!outgoing || !isId(session) || typeof peerId !== 'string' || typeof tool !== 'string') {
      this.#known.set(group, null);
      return;
    }
    const started = typeof startedAt === 'string' ? fromIso(startedAt) : null;
    this.#known.set(group, {
      session: session as SessionId,
      agent,
      startedAt: spanTime(started, this.#ctx.clock.now()),
      peer: this.#devices.digestOf(tool, peerId),
    });
  }

  /** The start of the session that a group was made for, from what is stored of it. */
  async #look(group: GroupId): Promise<void> {
    const { store, groups, opener } = this.#ctx;
    const row = groups.byId(group);
    if (this.#known.has(group) || row?.kind !== 'oneoff' || row.state !== 'live') return;
    const places = await store.read.partsUnder(group, null, FIRST_PARTS);
    const leaves = await store.read.leavesAt(places.map(({ pos }) => pos));
    const start = leaves.find(({ type }) => type === 'session.started');
    const leaf = start === undefined ? null : readLeaf(start.bytes);
    if (start === undefined || leaf === null || typeof leaf === 'string') return;
    const personal = (await opener.open(store.read, [start.pos])).get(start.pos);
    // Ingest may have told of it meanwhile.
    if (personal === undefined || this.#known.has(group)) return;
    this.#note({ group, agent: row.subject as AgentId, data: leaf.data, personal });
    this.#match([group]);
  }

  #match(groups: readonly GroupId[]): void {
    for (const group of groups) {
      const one = this.#known.get(group) ?? null;
      if (one === null || this.#moving.has(group) || this.#closed) continue;
      const moving = this.#move(group, one)
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#moving.delete(group));
      this.#moving.set(group, moving);
    }
  }

  async #move(group: GroupId, one: Waiting): Promise<void> {
    const { store, faults } = this.#ctx;
    const agreement = await this.#agreementOf(store.read, group, one);
    if (agreement === null) return;
    // A crash from here to the commit of the move leaves a one-off session: its agent hands the key over again, and it is
    // recognised again, or it ends.
    faults.hit?.('collector.oneoff.recognised');
    const wish = { agreement, class: 'session', kind: 'span', at: one.startedAt } as const;
    const same = async (reader: Reader) => (await this.#agreementOf(reader, group, one)) === agreement;
    const moved = await regroupOneoff(this.#ctx, one.session, wish, same);
    if (moved === null) return;
    this.#known.set(group, null);
    faults.hit?.('collector.oneoff.moved');
  }

  /** As `reader` knows it (O13). */
  async #agreementOf(reader: Reader, group: GroupId, { agent, peer }: Waiting): Promise<AgreementId | null> {
    const row = this.#ctx.groups.byId(group);
    if (row?.state !== 'live' || intoOf(row) !== null) return null;
    const claims = await this.#devices.claims(reader, peer);
    const from = claims.length === 0 ? null : await reader.agents.get(agent);
    return from === null ? null : whose(from, claims);
  }

  #failed(error: unknown): void {
    this.#ctx.log.error({ code: codeOf(error) }, 'one-off: sessions to managed devices could not be moved');
    this.#cancelRetry();
    if (this.#closed) return;
    this.#cancelRetry = this.#ctx.clock.after(RETRY_MS, () => {
      for (const agent of this.#unheard) void this.#later(() => this.#hear(agent));
      this.#match([...this.#known.keys()]);
    });
  }

  /** Groups that are over are forgotten, where there are many; the looks for them cost no more than what came. */
  #prune(): void {
    if (this.#known.size < this.#many) return;
    for (const group of this.#known.keys()) {
      const row = this.#ctx.groups.byId(group);
      if (row !== null && row.state !== 'live') this.#known.delete(group);
    }
    this.#many = Math.max(MANY, 2 * this.#known.size);
  }
}

const recognisers = new WeakMap<Context, Recogniser>();

/** Null before the duties of this collector have begun, and after their end. */
export function recogniserOf(ctx: Context): Recogniser | null {
  return recognisers.get(ctx) ?? null;
}
