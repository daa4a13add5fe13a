/**
 * Looks at sessions every minute, and says in the own log what people are to be told of. Laws U18 and U19 are in
 * `session-alerts-rules.ts`.
 *
 * U20 What the machines know is stored in the transaction of the events that they make: a crash repeats nothing.
 */
import { ALERT_OK, type AlertState, isAtRest, stepAlert } from '../protocol/alert-machine.ts';
import { alertEvent, RULES } from '../protocol/alert-rules.ts';
import type { AgentId, SessionId } from '../protocol/ids.ts';
import { newId } from '../protocol/ids.ts';
import { MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import type { SessionAlerts } from './config.ts';
import { Looks } from './looks.ts';
import { type Denied, DeniedTally } from './session-alerts-denied.ts';
import {
  measure,
  rulesOf,
  SESSION_CHECKS,
  type SessionCheck,
  settingsOf,
  type Watched,
  WINDOW_MS,
} from './session-alerts-rules.ts';
import type { AgentRow, SessionRow, SessionWatchRow } from './store/types.ts';
import { peopleOf } from './tickets-match.ts';
import type { Context, OwnDraft } from './types.ts';

const LOOK_MS = MINUTE_MS;
/** Sessions of one look: the first that began within the window, and those that have run the longest. */
const MAX_SESSIONS = 5_000;

/** Changes with each entry that is added or removed. */
const NO_ROSTER = '0 ';

interface Machine {
  alert: SessionWatchRow['alert'];
  state: AlertState;
}
interface Step {
  watch: string;
  machine: Machine;
  event: OwnDraft | null;
}

export class SessionAlertWatch {
  readonly #ctx: Context;
  readonly #machines = new Map<string, Machine>();
  readonly #denied: DeniedTally;
  /** Whether the roster knew who came, by session and its last event: parts are opened once. */
  #known = new Map<string, boolean | null>();
  #roster = NO_ROSTER;
  readonly #looks: Looks;

  private constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'session alerts: a look could not be stored',
      look: () => this.#look(),
    });
    this.#denied = new DeniedTally(ctx);
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<SessionAlertWatch> {
    const watch = new SessionAlertWatch(ctx);
    for (const row of await ctx.store.read.sessionWatch.list()) {
      watch.#machines.set(row.watch, { alert: row.alert, state: row.state });
    }
    return watch;
  }

  start(): void {
    this.#looks.start();
  }

  /** One look. Never throws: what could not be stored is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    const now = this.#ctx.clock.now();
    const { rows, hasRoster } = await this.#sessions(now);
    const denied = await this.#denied.since(utcMs(now - WINDOW_MS));
    const steps: Step[] = [];
    for (const agent of this.#hosts(rows, denied)) {
      const host = await this.#ctx.store.read.agents.get(agent);
      if (host !== null)
        steps.push(...this.#host(host, rows.get(agent) ?? [], denied.get(agent) ?? 0, hasRoster, now));
    }
    await this.#store(steps);
  }

  /** Those that something was seen of, and those that something is open of. */
  #hosts(rows: ReadonlyMap<AgentId, Watched[]>, denied: Denied): Set<AgentId> {
    const open = [...this.#machines.keys()].map((watch) => watch.split(' ')[0] as AgentId);
    return new Set([...rows.keys(), ...denied.keys(), ...open]);
  }

  #host(
    host: AgentRow,
    sessions: readonly Watched[],
    denied: number,
    hasRoster: boolean,
    now: UtcMs,
  ): Step[] {
    const settings = this.#ctx.sessionAlerts ?? {};
    const rules = rulesOf(settings, host.customer, hasRoster);
    const values = measure(sessions, denied, settingsOf(settings, host.customer), now);
    return SESSION_CHECKS.flatMap((check) => {
      const watch = `${host.agent} ${check}`;
      const machine = this.#machines.get(watch);
      const rule = host.state === 'revoked' ? undefined : rules[check];
      if (machine === undefined && (rule === undefined || values[check] === 0)) return [];
      return [
        this.#step(host.agent, check, machine ?? { alert: null, state: ALERT_OK }, rule, values[check], now),
      ];
    });
  }

  #step(
    agent: AgentId,
    check: SessionCheck,
    before: Machine,
    rule: ReturnType<typeof rulesOf>[SessionCheck],
    value: number,
    now: UtcMs,
  ): Step {
    const watch = `${agent} ${check}`;
    // Switched off, or a host that is revoked: what is open clears.
    const measured = { value: rule === undefined ? ('gone' as const) : value, now, atMostMs: 1.5 * LOOK_MS };
    const { state, transition } = stepAlert(before.state, rule ?? RULES[check], measured);
    if (transition === null) return { watch, machine: { ...before, state }, event: null };
    const alert = before.alert ?? newId<'alert'>(this.#ctx.random);
    const event = alertEvent({ alert, check, index: null, agent }, transition, 'all') as OwnDraft;
    return { watch, machine: { alert: transition.type === 'cleared' ? null : alert, state }, event };
  }

  /** The commit point: events and what the machines know, or neither (U20). */
  async #store(steps: readonly Step[]): Promise<void> {
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

  /** By host: what began within the window, and what runs. */
  async #sessions(now: UtcMs): Promise<{ rows: Map<AgentId, Watched[]>; hasRoster: boolean }> {
    const { read } = this.#ctx.store;
    const query = { customers: null, attempts: false, limit: MAX_SESSIONS };
    const recent = await read.sessions({
      ...query,
      since: utcMs(now - WINDOW_MS),
      until: utcMs(now + WINDOW_MS),
    });
    const running = await read.runningSessions(MAX_SESSIONS);
    const unique = new Map<SessionId, SessionRow>([...recent, ...running].map((row) => [row.session, row]));
    const roster = await read.identities.list({ state: 'active' });
    await this.#askRoster([...unique.values()], `${roster.length} ${roster.at(-1)?.identity ?? ''}`);
    const watched = [...unique.values()].map((row) => this.#watched(row));
    return { rows: Map.groupBy(watched, ({ agent }) => agent), hasRoster: roster.length > 0 };
  }

  #watched(row: SessionRow): Watched {
    const { agent, customer, startedAt, state, failedAttempts } = row;
    const known = this.#known.get(keyOf(row)) ?? null;
    return {
      agent,
      customer,
      startedAt,
      active: state === 'active',
      failedAttempts: failedAttempts ?? 0,
      known,
    };
  }

  /** Opens what has not been opened since it changed; what it opens is not kept, only whether somebody knows it. */
  async #askRoster(rows: readonly SessionRow[], roster: string): Promise<void> {
    const known = this.#roster === roster ? this.#known : new Map<string, boolean | null>();
    const incoming = rows.filter(({ direction, partPos }) => direction !== 'outgoing' && partPos.length > 0);
    const asked = roster !== NO_ROSTER || asksAnyway(this.#ctx.sessionAlerts ?? {});
    const fresh = asked ? incoming.filter((row) => !known.has(keyOf(row))) : [];
    const people = fresh.length === 0 ? new Map() : await peopleOf(this.#ctx, fresh);
    this.#roster = roster;
    this.#known = new Map(
      incoming.flatMap((row) => {
        const key = keyOf(row);
        const found = people.get(row);
        if (found === undefined) return known.has(key) ? [[key, known.get(key) ?? null]] : [];
        return [[key, found.seen ? found.person !== null : null]];
      }),
    );
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}

/** Without a roster nothing is opened, unless somebody wants to be told of everybody. */
function asksAnyway({ unknown, customers = {} }: SessionAlerts): boolean {
  return unknown === true || Object.values(customers).some((rules) => rules.unknown === true);
}

function keyOf({ session, lastSeq, partPos }: SessionRow): string {
  return `${session} ${lastSeq} ${partPos.length}`;
}
