/**
 * Looks every minute at the holds in force, and says in the own log what somebody has to see to.
 *
 * V107 A notice (H5) and a review are told of three days before they are due, and are critical from that day on; so is a hold
 *      that a host has not put in force for a day, or that a recorder has broken. Which hold it is says `hold list`.
 */
import { RULES } from '../../protocol/alert-rules.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import { AlertMachines, type Step } from '../alert-machines.ts';
import { Looks } from '../looks.ts';
import type { HoldHostRow, HoldRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { noticeOf } from './notice.ts';
import { earliestOf } from './sessions.ts';

const LOOK_MS = MINUTE_MS;
/** A reminder comes so long before. */
export const REMIND_MS = 3 * DAY_MS;
/** How long a broken hold is told of after it was last broken. */
const BROKEN_MS = DAY_MS;

export const HOLD_CHECKS = ['hold-notice', 'hold-review', 'hold-pending', 'hold-violated'] as const;
export type HoldCheck = (typeof HOLD_CHECKS)[number];

export interface HeldHere {
  hold: HoldRow;
  /** Null: a hold on sessions of this host. */
  row: HoldHostRow | null;
  hosts: readonly HoldHostRow[];
  /** Start of the earliest session that it names; null: it names none. */
  earliest: UtcMs | null;
}

/** What is measured of one host, of each check: seconds, and of what was broken a count. Pure. */
export function measureHolds(held: readonly HeldHere[], now: UtcMs): Record<HoldCheck, number> {
  const sum = { 'hold-notice': 0, 'hold-review': 0, 'hold-pending': 0, 'hold-violated': 0 };
  const raise = (check: HoldCheck, value: number) => {
    sum[check] = Math.max(sum[check], value);
  };
  for (const { hold, row, hosts, earliest } of held) {
    if (hold.state !== 'placed') continue;
    const notice = noticeOf(hold, hosts, earliest);
    if (notice !== null && notice.doneAt === null && notice.dueAt !== null)
      raise('hold-notice', since(notice.dueAt - REMIND_MS, now));
    if (hold.reviewAt !== null) raise('hold-review', since(hold.reviewAt - REMIND_MS, now));
    if (row === null) continue;
    const open =
      row.state === 'pending' || (row.report?.protection === 'failed' && row.confirmedPos === null);
    const byHand = row.report?.protection === 'cannot-enforce' && row.confirmedPos === null;
    if (open || byHand) raise('hold-pending', since(hold.createdAt, now));
    if (row.violatedAt !== null && now - row.violatedAt < BROKEN_MS) sum['hold-violated'] += row.violated;
  }
  return sum;
}

/** Whole seconds from `at` on; 0: not yet. */
function since(at: number, now: UtcMs): number {
  return Math.max(0, Math.floor((now - at) / SECOND_MS));
}

export class HoldAlertWatch {
  readonly #ctx: Context;
  readonly #machines: AlertMachines;
  readonly #looks: Looks;

  private constructor(ctx: Context, machines: AlertMachines) {
    this.#ctx = ctx;
    this.#machines = machines;
    const failed = 'hold alerts: a look could not be stored';
    this.#looks = new Looks(ctx, { everyMs: LOOK_MS, failed, look: () => this.#look() });
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<HoldAlertWatch> {
    return new HoldAlertWatch(ctx, await AlertMachines.open(ctx, HOLD_CHECKS, LOOK_MS));
  }

  start(): void {
    this.#looks.start();
  }

  /** One look. Never throws: what could not be stored is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  close(): Promise<void> {
    return this.#looks.close();
  }

  async #look(): Promise<void> {
    const { read } = this.#ctx.store;
    const now = this.#ctx.clock.now();
    const byHost = await this.#byHost();
    const measured: Step[] = [];
    for (const agent of new Set([...byHost.keys(), ...this.#machines.hosts()])) {
      const host = await read.agents.get(agent);
      if (host === null) continue;
      const values = measureHolds(byHost.get(agent) ?? [], now);
      for (const check of HOLD_CHECKS) {
        const rule = host.state === 'revoked' ? undefined : RULES[check];
        const step = this.#machines.step({ agent, check, rule, value: values[check], now });
        if (step !== null) measured.push(step);
      }
    }
    await this.#machines.store(measured);
  }

  async #byHost(): Promise<Map<AgentId, HeldHere[]>> {
    const { read } = this.#ctx.store;
    const found = new Map<AgentId, HeldHere[]>();
    const add = (agent: AgentId, one: HeldHere) => found.set(agent, [...(found.get(agent) ?? []), one]);
    for (const hold of await read.holds.list({ state: 'placed' })) {
      const hosts = await read.holdHosts.list({ hold: hold.hold });
      const sessions = await read.sessionsById((hold.scope.sessions ?? []) as never);
      const earliest = earliestOf(sessions);
      for (const row of hosts) add(row.agent, { hold, row, hosts, earliest });
      const agents = new Set(sessions.map((one) => one.agent));
      for (const agent of agents) add(agent, { hold, row: null, hosts, earliest });
    }
    return found;
  }
}
