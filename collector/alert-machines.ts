/**
 * The machines of alerts that the collector measures about hosts, one for each host and check. What is measured, and by which
 * rule, is for whoever hands it in.
 *
 * U20 What the machines know is stored in the transaction of the events that they make: a crash repeats nothing.
 */
import type { CollectorCheck } from '../protocol/alert.ts';
import { ALERT_OK, type AlertRule, type AlertState, isAtRest, stepAlert } from '../protocol/alert-machine.ts';
import { alertEvent, RULES } from '../protocol/alert-rules.ts';
import type { AgentId } from '../protocol/ids.ts';
import { newId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import type { SessionWatchRow } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

interface Machine {
  alert: SessionWatchRow['alert'];
  state: AlertState;
}
export interface Step {
  watch: string;
  machine: Machine;
  event: OwnDraft | null;
}
export interface Measure {
  agent: AgentId;
  check: CollectorCheck;
  /** Absent: switched off, or of a host that is revoked: what is open clears. */
  rule: AlertRule | undefined;
  value: number;
  now: UtcMs;
}

export class AlertMachines {
  readonly #ctx: Context;
  readonly #everyMs: number;
  readonly #machines = new Map<string, Machine>();

  private constructor(ctx: Context, everyMs: number) {
    this.#ctx = ctx;
    this.#everyMs = everyMs;
  }

  /** Reads what the last run left of these checks. @param everyMs between two measurements */
  static async open(
    ctx: Context,
    checks: readonly CollectorCheck[],
    everyMs: number,
  ): Promise<AlertMachines> {
    const machines = new AlertMachines(ctx, everyMs);
    for (const { watch, alert, state } of await ctx.store.read.sessionWatch.list()) {
      if ((checks as readonly string[]).includes(watch.split(' ')[1] ?? '')) {
        machines.#machines.set(watch, { alert, state });
      }
    }
    return machines;
  }

  /** Hosts of which something is open, or was not long ago. */
  hosts(): AgentId[] {
    return [...new Set([...this.#machines.keys()].map((watch) => watch.split(' ')[0] as AgentId))];
  }

  /** One measurement; null: there is nothing of it, and there was nothing. */
  step({ agent, check, rule, value, now }: Measure): Step | null {
    const watch = `${agent} ${check}`;
    const known = this.#machines.get(watch);
    if (known === undefined && (rule === undefined || value === 0)) return null;
    const before = known ?? { alert: null, state: ALERT_OK };
    const measured = {
      value: rule === undefined ? ('gone' as const) : value,
      now,
      atMostMs: 1.5 * this.#everyMs,
    };
    const { state, transition } = stepAlert(before.state, rule ?? RULES[check], measured);
    if (transition === null) return { watch, machine: { ...before, state }, event: null };
    const alert = before.alert ?? newId<'alert'>(this.#ctx.random);
    const event = alertEvent({ alert, check, index: null, agent }, transition, 'all') as OwnDraft;
    return { watch, machine: { alert: transition.type === 'cleared' ? null : alert, state }, event };
  }

  /** The commit point: events and what the machines know, or neither (U20). */
  async store(steps: readonly Step[]): Promise<void> {
    const matter = steps.filter(
      ({ watch, machine, event }) =>
        event !== null || machine.state.phase !== (this.#machines.get(watch)?.state.phase ?? 'ok'),
    );
    const over = steps.filter(({ machine }) => machine.alert === null && isAtRest(machine.state));
    const gone = over.filter(({ watch }) => this.#machines.has(watch)).map(({ watch }) => watch);
    if (matter.length > 0 || gone.length > 0) {
      await this.#ctx.store.write(async (tx) => {
        await this.#ctx.own.append(
          tx,
          matter.flatMap(({ event }) => event ?? []),
        );
        await tx.sessionWatch.put(matter.map(({ watch, machine }) => ({ watch, ...machine })));
        await tx.dropSessionWatch(gone);
      });
    }
    for (const { watch, machine } of steps) this.#machines.set(watch, machine);
    for (const { watch } of over) this.#machines.delete(watch);
  }
}
