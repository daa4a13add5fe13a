/**
 * Looks every minute whether hosts audit themselves, and says so in the own log where they do not (A1). Law V82 is in
 * `audit-watch-rules.ts`.
 *
 * V83 What the machines know is stored in the transaction of the events that they make: a crash repeats nothing.
 */
import { ALERT_OK, isAtRest } from '../protocol/alert-machine.ts';
import type { AgentId } from '../protocol/ids.ts';
import { type AuditStep, LOOK_MS, lateness, type Newest, stepAudit } from './audit-watch-rules.ts';
import { Looks } from './looks.ts';
import type { AgreementRow, AuditWatchRow, Pos } from './store/types.ts';
import type { Context } from './types.ts';

/** Looks are further apart than this: something stood still. */
const LEAP_MS = 5 * LOOK_MS;

export class AuditWatch {
  readonly #ctx: Context;
  readonly #machines = new Map<AgentId, AuditWatchRow>();
  /** When the newest audit of a host came, by its leaf: leaves are looked up once. */
  readonly #received = new Map<Pos, number>();
  readonly #looks: Looks;
  #listening = Number.POSITIVE_INFINITY;
  #last: { wall: number; mono: number } | null = null;

  private constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'self-audits: a look could not be stored',
      look: () => this.#look(),
    });
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<AuditWatch> {
    const watch = new AuditWatch(ctx);
    for (const row of await ctx.store.read.auditWatch.list()) watch.#machines.set(row.agent, row);
    return watch;
  }

  /** The port is open: hosts can tell of their audits. */
  start(): void {
    const { clock } = this.#ctx;
    this.#listening = clock.now();
    this.#last = { wall: clock.now(), mono: clock.mono() };
    this.#looks.start();
  }

  /** One look. Never throws: what could not be stored is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    const { store, clock, random } = this.#ctx;
    const now = clock.now();
    this.#noticeLeap(now);
    const newest = await this.#newest();
    const agreements = new Map((await store.read.agreements.list()).map((row) => [row.agreement, row]));
    const heard = { now, listening: this.#listening };
    const steps: AuditStep[] = [];
    for (const host of await store.read.agents.list()) {
      const agreement: AgreementRow | null = agreements.get(host.agreement) ?? null;
      const value = lateness(host, agreement, newest.get(host.agent) ?? null, heard);
      const known = this.#machines.get(host.agent);
      if (known === undefined && (value === null || value === 'gone')) continue;
      const before = known ?? { agent: host.agent, alert: null, state: ALERT_OK };
      steps.push(stepAudit(before, value, now, random));
    }
    await this.#store(steps);
  }

  /** A process that stood still has not listened: hosts may have audits that wait to be told. */
  #noticeLeap(wall: number): void {
    const mono = this.#ctx.clock.mono();
    const last = this.#last;
    this.#last = { wall, mono };
    if (last === null) return;
    if (wall < last.wall || wall - last.wall > LEAP_MS || mono - last.mono > LEAP_MS) this.#listening = wall;
  }

  /** When the newest audit of each host came here. */
  async #newest(): Promise<Map<AgentId, Newest>> {
    const { read } = this.#ctx.store;
    const rows = await read.auditHosts.list();
    const unknown = rows.filter(({ pos }) => !this.#received.has(pos)).map(({ pos }) => pos);
    const present = new Set(rows.map(({ pos }) => pos));
    for (const pos of [...this.#received.keys()]) if (!present.has(pos)) this.#received.delete(pos);
    for (const { pos, receivedAt } of unknown.length === 0 ? [] : await read.leavesAt(unknown))
      this.#received.set(pos, receivedAt);
    return new Map(
      rows.map(({ agent, pos, everySeconds }) => [
        agent,
        { receivedAt: this.#received.get(pos) ?? 0, everySeconds },
      ]),
    );
  }

  /** The commit point: events and what the machines know, or neither (V83). */
  async #store(steps: readonly AuditStep[]): Promise<void> {
    const matter = steps.filter(({ row, event }) => {
      return event !== null || row.state.phase !== (this.#machines.get(row.agent)?.state.phase ?? 'ok');
    });
    const over = steps.filter(({ row }) => row.alert === null && isAtRest(row.state));
    const gone = over.filter(({ row }) => this.#machines.has(row.agent)).map(({ row }) => row.agent);
    if (matter.length > 0 || gone.length > 0) {
      await this.#ctx.store.write(async (tx) => {
        const events = matter.flatMap(({ event }) => event ?? []);
        await this.#ctx.own.append(tx, events);
        await tx.auditWatch.put(matter.map(({ row }) => row));
        await tx.dropAuditWatch(gone);
      });
    }
    for (const { row } of steps) this.#machines.set(row.agent, row);
    for (const { row } of over) this.#machines.delete(row.agent);
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}
