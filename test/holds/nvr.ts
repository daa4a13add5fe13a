/**
 * A recorder's host as its agent sees it — real files, catalogue, journal, sweep and desk — and its line to a real collector:
 * commands by `commandsAfter` and `runCommand`, leaves through the real ingest. The line is there when it is asked to be.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldDesk } from '../../agent/holds/desk.ts';
import type { Command } from '../../agent/uplink/commands.ts';
import { runCommand } from '../../agent/uplink/commands.ts';
import { settle } from '../../agent/uplink/hello.ts';
import { commandsAfter, commandsThrough, storeResult } from '../../collector/ingest/commands.ts';
import { birthHash } from '../../protocol/birth.ts';
import { TilsynError } from '../../protocol/errors.ts';
import type { AgentId, LogId } from '../../protocol/ids.ts';
import { publicText } from '../../protocol/sign.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { SweepWorld } from '../agent/recordings/sweep-world.ts';
import { type World, world } from '../agent/support.ts';
import type { ApiWorld, Loose } from '../collector/api-world.ts';

const LIMITS = { events: 500, bytes: 200_000 };
const FILES = ['agent.db', 'agent.db-wal', 'agent.db-shm'];

/** A process that dies between doing an order and storing that it was done. */
class Killed extends Error {}

export class Nvr {
  readonly sw: SweepWorld;
  readonly agent: AgentId;
  desk: HoldDesk;
  readonly #api: ApiWorld;
  readonly #identity: Loose;
  readonly #saved = mkdtempSync(join(tmpdir(), 'tilsyn-holds-saved-'));
  /** Trusted time of the last word that every order took effect (H4). */
  #confirmed: number | null = null;

  private constructor(api: ApiWorld, row: Loose) {
    this.#api = api;
    this.agent = row.agent;
    const { agent, agreement, site } = row;
    const given = {
      agent,
      agreement,
      site,
      mode: 'managed',
      url: 'wss://127.0.0.1:1',
      collectorName: 'test',
    };
    const times = { ca: null, enrolledAt: '2026-11-22T08:00:00.000Z' };
    this.#identity = { ...given, ...times, identity: publicText(api.ctx.identity) };
    const base = world({ identity: this.#identity });
    base.clock.wall = api.clock.now();
    this.sw = new SweepWorld({}, base);
    this.desk = this.#deskOf();
  }

  static of(api: ApiWorld, row: Loose): Nvr {
    return new Nvr(api, row);
  }

  close(): void {
    this.sw.base.journal.close();
    rmSync(this.#saved, { recursive: true, force: true });
  }

  #deskOf(): HoldDesk {
    const { journal, book, cover, clock } = this.sw.base;
    return new HoldDesk({
      ...{ journal, book, cover, identity: this.#identity, now: () => clock.now(), rest: async () => {} },
      protection: async () => ({ state: 'not-needed', copied: 0, reason: null }),
      ...{ volume: () => null, fills: async () => null, spanOf: () => null, changed: () => {} },
      // Of a process that is over; what it had to tell is told by the next one.
      failed: () => {},
    });
  }

  /** Holds that are in force here by the database. */
  inForce(): string[] {
    return this.sw.base.book.list().flatMap(({ hold, releasedAt }) => (releasedAt === null ? [hold] : []));
  }

  advance(ms: number): void {
    this.sw.base.clock.advance(ms);
    this.sw.trusted = this.sw.base.clock.now();
  }

  /** The process dies and comes back; what was confirmed is forgotten with it. */
  restart(change: () => void = () => {}): void {
    const { base } = this.sw;
    base.journal.close();
    change();
    const again: World = world(base.options);
    (this.sw as Loose).base = again;
    this.sw.sweep = this.sw.newSweep();
    this.desk = this.#deskOf();
    this.#confirmed = null;
  }

  save(): void {
    this.restart(() => this.#copy(this.sw.base.dir, this.#saved));
  }

  /** The machine is put back to where it was saved. */
  restore(): boolean {
    if (!existsSync(join(this.#saved, 'agent.db'))) return false;
    this.restart(() => this.#copy(this.#saved, this.sw.base.dir));
    return true;
  }

  #copy(from: string, to: string): void {
    for (const name of FILES) {
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
      else if (existsSync(join(to, name))) unlinkSync(join(to, name));
    }
  }

  /** A connection, as long as it lasts: `orders` commands and then it breaks, or the process dies after the last of them. */
  async connect(orders = Number.POSITIVE_INFINITY, killed = false): Promise<void> {
    const { ctx } = this.#api;
    const { journal } = this.sw.base;
    if (journal.applied().generation !== ctx.generation()) journal.adoptGeneration(ctx.generation());
    await this.#settle();
    this.desk.met();
    let left = orders;
    for (const command of await commandsAfter(ctx, this.agent, journal.applied().n)) {
      if (left-- <= 0) return;
      await this.#obey(command as Command, killed && left <= 0);
      if (killed && left <= 0) return;
    }
    await this.desk.report();
    await this.#upload();
    const all = journal.applied().n >= (await commandsThrough(ctx.store.read, this.agent, ctx.generation()));
    if (all) this.#confirmed = this.sw.trusted;
  }

  async #obey(command: Command, dies: boolean): Promise<void> {
    const { ctx } = this.#api;
    const { journal } = this.sw.base;
    const context = { agent: this.agent, identity: publicText(ctx.identity), generation: ctx.generation() };
    const dying = {
      applied: () => journal.applied(),
      applyCommand: () => {
        throw new Killed();
      },
    };
    try {
      const answer = await runCommand(command, context, dies ? dying : journal, this.desk.doers);
      if ('result' in answer) await storeResult(ctx, this.agent, answer.result);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.restart();
    }
  }

  /** As the handshake does: logs are made known, and `settle` says what becomes of each, until every one can go on. */
  async #settle(): Promise<void> {
    const { store, clock } = this.#api.ctx;
    const { journal } = this.sw.base;
    for (let again = true; again; ) {
      for (const { log, birth } of journal.logs()) {
        const [known] = await store.read.logs([log]);
        if (known !== undefined) continue;
        const [before] =
          birth.predecessor === null ? [] : await store.read.logs([birth.predecessor.log as LogId]);
        const fresh = {
          log,
          agent: this.agent,
          birth,
          through: 0,
          head: birthHash(birth),
          state: 'open' as const,
        };
        await store.write(async (tx) => {
          await tx.putLogs([{ ...fresh, createdAt: clock.now() }]);
          if (before !== undefined) await tx.putLogs([{ ...before, state: 'closed' }]);
        });
      }
      const cursors = (await store.read.logsOf(this.agent)).map(({ log, through, head, state }) => {
        return { log, through, head: head.toString('base64url'), state };
      });
      again = settle(cursors, journal).succeeded;
    }
  }

  async #upload(): Promise<void> {
    const { store } = this.#api.ctx;
    const { journal } = this.sw.base;
    for (const { log } of journal.logs()) {
      for (;;) {
        const [known] = await store.read.logs([log]);
        const out = journal.outgoing(log, known?.through ?? 0, LIMITS);
        if (out === null) break;
        await this.#submit(log, out.events);
        journal.acked(log, out.lastSeq);
      }
    }
  }

  #submit(log: LogId, events: string[]): Promise<void> {
    const { agreement } = this.#identity;
    return new Promise((resolve, reject) => {
      this.#api.ingest.submit({
        sender: {
          ...{ agent: this.agent, agreement, barred: false, acked: () => resolve() },
          end: (name, refusal) => reject(new Error(`the batch was refused: ${name} ${refusal?.code}`)),
        },
        // What is sealed does not matter here.
        frame: { t: 'batch', log, events, parts: [], wraps: [], keys: [] },
        settled: () => {},
      });
    });
  }

  /** One sweep, approved where it waits for that. */
  async sweep(): Promise<void> {
    const at = this.sw.trusted ?? 0;
    this.sw.unconfirmed = this.#confirmed === null || at - this.#confirmed > DAY_MS;
    const { waits, plan } = await this.sw.run();
    if (plan === null || (waits !== 'first-sweep' && waits !== 'large-plan')) return;
    await this.sw.sweep.approve(this.sw.swept(), plan.plan);
    await this.sw.run();
  }

  /** A word from a stranger, or from before: an order that is not the next one, or not signed for this host. */
  async mislead(command: Command): Promise<string> {
    const { ctx } = this.#api;
    const context = { agent: this.agent, identity: publicText(ctx.identity), generation: ctx.generation() };
    try {
      const answer = await runCommand(command, context, this.sw.base.journal, this.desk.doers);
      return 'close' in answer ? answer.close : 'answered';
    } catch (error) {
      // The journal's own guard: what was done before it is there to be seen.
      if (error instanceof TilsynError) return error.code;
      throw error;
    }
  }
}
