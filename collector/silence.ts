/**
 * Looks for hosts that fall silent, every 15 seconds, and says so in the own log.
 *
 * U3  What the machines know is stored in the transaction of the events that they make: a crash repeats nothing and
 *     loses nothing, in whatever state a host was.
 * U4  One look is one transaction, however many hosts are gone.
 * U5  A collector that stood still, or whose clock leapt, has not listened: it begins to count anew.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { AlertState } from '../protocol/alert-machine.ts';
import type { AgentId } from '../protocol/ids.ts';
import { MINUTE_MS, utcMs } from '../protocol/time.ts';
import { LATE_MS } from './host-state.ts';
import { Looks } from './looks.ts';
import { isOver, LOOK_MS, lookAt, NOT_SILENT, type Silent } from './silence-rules.ts';
import type { SilentHost } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

/** Looks are further apart than this: something stood still (U5). */
const LEAP_MS = MINUTE_MS;
/** A state that changes without an event is stored this often: after a crash, flapping is forgotten no further back. */
const STORE_MS = 10 * MINUTE_MS;

/** Events that are made in one go: sockets are read between, however many hosts are gone. */
const SLICE = 200;

interface Change {
  agent: AgentId;
  silent: Silent;
  events: OwnDraft[];
}

export class Silence {
  readonly #ctx: Context;
  readonly #silent = new Map<AgentId, Silent>();
  /** `ran` of each as it is stored; absent: it is not. */
  readonly #stored = new Map<AgentId, number>();
  /** Hosts that waited for approval at a look, and when. */
  readonly #waited = new Map<AgentId, number>();
  #listening = 0;
  #last: { wall: number; mono: number } | null = null;
  readonly #looks: Looks;

  private constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'silence: a look at the hosts could not be stored',
      look: () => this.#look(),
    });
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<Silence> {
    const silence = new Silence(ctx);
    for (const { agent, alert, state } of await ctx.store.read.silences.list()) {
      silence.#silent.set(agent, { alert, state: state as AlertState });
      silence.#stored.set(agent, state.ran);
    }
    return silence;
  }

  /** The port is open: from now on silence means something. */
  start(): void {
    this.#listen();
    this.#looks.start();
  }

  #listen(): void {
    this.#listening = this.#ctx.clock.now();
  }

  /** One look. Never throws: what could not be stored is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    const { clock, store, own } = this.#ctx;
    const now = clock.now();
    this.#noticeLeap(now);
    const hosts = await store.read.silentHosts(utcMs(now - LATE_MS), [...this.#silent.keys()]);
    const changes = this.#changes(hosts, now);
    const kept = changes.filter((change) => this.#matters(change));
    if (kept.length > 0) {
      await store.write(async (tx) => {
        for (const slice of slices(kept.flatMap(({ events }) => events))) {
          await own.append(tx, slice);
          await turn();
        }
        const over = kept.filter(({ silent }) => isOver(silent));
        await tx.dropSilences(over.map(({ agent }) => agent));
        const open = kept.filter(({ silent }) => !isOver(silent));
        // The commit point: before it all of this look comes again, after it none (U3).
        await tx.silences.put(open.map(({ agent, silent }) => ({ agent, ...silent })));
      });
    }
    for (const change of changes) this.#take(change, kept.includes(change));
  }

  #noticeLeap(wall: number): void {
    const mono = this.#ctx.clock.mono();
    const last = this.#last;
    this.#last = { wall, mono };
    if (last === null) return;
    const [byWall, byMono] = [wall - last.wall, mono - last.mono];
    if (byWall < 0 || byWall > LEAP_MS || byMono > LEAP_MS) this.#listen();
  }

  #changes(hosts: readonly SilentHost[], now: number): Change[] {
    const { random } = this.#ctx;
    const watched = new Map(hosts.map((host) => [host.agent, host]));
    for (const { agent, state } of hosts) if (state === 'waiting') this.#waited.set(agent, now);
    const approved = hosts.filter(({ state }) => state === 'approved').map(({ agent }) => agent);
    return [...new Set([...this.#silent.keys(), ...approved])].map((agent) => {
      const host = watched.get(agent);
      const waitedUntil = this.#waited.get(agent);
      const heard = { listening: this.#listening, ...(waitedUntil === undefined ? {} : { waitedUntil }) };
      const before = this.#silent.get(agent) ?? NOT_SILENT;
      const there = host?.state === 'approved' ? host : null;
      return { agent, ...lookAt(agent, there, before, heard, now, random) };
    });
  }

  /** Whether it has to be on disk: an event, another phase, the end of it, or much time. */
  #matters({ agent, silent, events }: Change): boolean {
    const stored = this.#stored.get(agent);
    if (events.length > 0) return true;
    if (stored === undefined) return false;
    const phase = this.#silent.get(agent)?.state.phase;
    return silent.state.phase !== phase || isOver(silent) || silent.state.ran - stored >= STORE_MS;
  }

  #take({ agent, silent }: Change, stored: boolean): void {
    if (isOver(silent)) {
      this.#silent.delete(agent);
      this.#stored.delete(agent);
      return;
    }
    this.#silent.set(agent, silent);
    if (stored) this.#stored.set(agent, silent.state.ran);
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}

function slices(events: readonly OwnDraft[]): OwnDraft[][] {
  const count = Math.ceil(events.length / SLICE);
  return Array.from({ length: count }, (_, i) => events.slice(i * SLICE, (i + 1) * SLICE));
}
