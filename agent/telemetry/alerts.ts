/**
 * The agent's alerts: steps each machine with what was measured, and writes what came of it.
 *
 * T17 Transitions and the states of the machines that came to them are one transaction: after a crash at any moment
 *     an alert goes on where its events say that it is, and no transition is said twice or left out.
 * T18 Where a transition could not be stored, the machine stays where it was and comes to it again.
 */
import type { AlertCheck, AlertLevel, CollectorCheck, Notify } from '../../protocol/alert.ts';
import {
  ALERT_OK,
  type AlertState,
  isAtRest,
  type Measured,
  stepAlert,
} from '../../protocol/alert-machine.ts';
import { alertEvent, RULES } from '../../protocol/alert-rules.ts';
import { type Id, idBytes, idFrom, newId, type Random } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { Draft } from '../types.ts';
import type { TelemetryStore } from './store.ts';

/** What the agent looks at itself; whether an agent is silent, only the collector can see. */
export type OwnCheck = Exclude<AlertCheck, CollectorCheck>;
export const DISK_CHECKS: readonly OwnCheck[] = ['disk-space', 'disk-fill', 'inodes'];

/** One measurement of one thing. */
export interface Watched extends Omit<Measured, 'now'> {
  check: OwnCheck;
  /** Disk; null: the machine. */
  index: number | null;
}

export interface OpenAlert {
  alert: string;
  check: OwnCheck;
  index: number | null;
  level: AlertLevel;
  since: string;
  /** Back beyond its threshold, waiting for the delay. */
  clearing: boolean;
}

interface Held {
  check: OwnCheck;
  index: number | null;
  state: AlertState;
  alert: Id<'alert'> | null;
  raisedAt: number | null;
}

export interface AlertDeps {
  store: TelemetryStore;
  journal: {
    append(drafts: readonly Draft[], cursors: readonly [], aside: { also(): void }): unknown;
    spare(act: () => void): boolean;
  };
  random: Random;
  notify: Notify;
}

export class Alerts {
  readonly #deps: AlertDeps;
  readonly #held = new Map<string, Held>();
  /** As it stands in the database. */
  readonly #stored = new Map<string, string>();

  constructor(deps: AlertDeps) {
    this.#deps = deps;
    for (const { name, state, alert, raisedAt } of deps.store.alerts()) {
      const { check, index } = subjectOf(name);
      this.#held.set(name, {
        check,
        index,
        state: JSON.parse(state),
        alert: alert === null ? null : idFrom<'alert'>(alert),
        raisedAt,
      });
      this.#stored.set(name, state);
    }
  }

  /**
   * @param beside written with the states where there is room; without room it is left out
   * @returns false where there was no room for what is not an event
   * @throws TilsynError `journal.full` (retryable): no transition was taken
   */
  look(watched: readonly Watched[], now: UtcMs, beside: () => void = () => {}): boolean {
    const next = new Map<string, Held>();
    const drafts: Draft[] = [];
    for (const one of watched) this.#step(one, now, next, drafts);
    if (drafts.length > 0) {
      // Commit point: events and states together. A crash before it comes to the same transitions again.
      this.#deps.journal.append(drafts, [], { also: () => this.#save(next) });
      this.#adopt(next);
      return this.#deps.journal.spare(beside);
    }
    const fitted = this.#deps.journal.spare(() => {
      this.#save(next);
      beside();
    });
    this.#adopt(next, fitted);
    return fitted;
  }

  #step({ check, index, ...measured }: Watched, now: UtcMs, next: Map<string, Held>, drafts: Draft[]): void {
    const name = nameOf(check, index);
    const held = this.#held.get(name) ?? { check, index, state: ALERT_OK, alert: null, raisedAt: null };
    const { state, transition } = stepAlert(held.state, RULES[check], { ...measured, now });
    const after = { ...held, state };
    next.set(name, after);
    if (transition === null) return;
    if (transition.type === 'raised') {
      after.alert = newId<'alert'>(this.#deps.random);
      after.raisedAt = now;
    }
    // Only a raise makes an id; a state without one was never raised by this machine.
    const alert = after.alert ?? newId<'alert'>(this.#deps.random);
    drafts.push(alertEvent({ alert, check, index, agent: null }, transition, this.#deps.notify));
    if (transition.type === 'cleared') {
      after.alert = null;
      after.raisedAt = null;
    }
  }

  /** Inside a transaction. */
  #save(next: ReadonlyMap<string, Held>): void {
    for (const [name, { state, alert, raisedAt }] of next) {
      const text = textOf(state);
      if (text === (this.#stored.get(name) ?? null)) continue;
      const bytes = alert === null ? null : idBytes(alert);
      this.#deps.store.saveAlert({
        name,
        state: text,
        alert: bytes === null ? null : Buffer.from(bytes),
        raisedAt,
      });
    }
  }

  #adopt(next: ReadonlyMap<string, Held>, stored = true): void {
    for (const [name, held] of next) {
      this.#held.set(name, held);
      const text = textOf(held.state);
      if (!stored) continue;
      if (text === null) this.#stored.delete(name);
      else this.#stored.set(name, text);
    }
  }

  /** What the database held of it is erased. */
  forget(): void {
    this.#held.clear();
    this.#stored.clear();
  }

  /** Disks that something is remembered of. */
  disks(): number[] {
    const open = [...this.#held.values()].filter(({ index, state }) => index !== null && !isAtRest(state));
    return [...new Set(open.map(({ index }) => index ?? 0))];
  }

  open(): OpenAlert[] {
    return [...this.#held.values()].flatMap(({ check, index, state, alert, raisedAt }) =>
      state.level === null || alert === null
        ? []
        : [
            {
              alert,
              check,
              index,
              level: state.level,
              since: toIso((raisedAt ?? 0) as UtcMs),
              clearing: state.phase === 'clearing',
            },
          ],
    );
  }
}

/** Null: at rest, nothing to remember. */
function textOf(state: AlertState): string | null {
  return isAtRest(state) ? null : JSON.stringify(state);
}

function nameOf(check: OwnCheck, index: number | null): string {
  return index === null ? check : `${check}/${index}`;
}

function subjectOf(name: string): { check: OwnCheck; index: number | null } {
  const [check = '', index] = name.split('/');
  return { check: check as OwnCheck, index: index === undefined ? null : Number(index) };
}
