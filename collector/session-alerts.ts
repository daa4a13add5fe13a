/**
 * Looks at sessions every minute, and says in the own log what people are to be told of. Laws U18 and U19 are in
 * `session-alerts-rules.ts`.
 */
import type { AgentId, SessionId } from '../protocol/ids.ts';
import { MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { AlertMachines, type Step } from './alert-machines.ts';
import type { SessionAlerts } from './config.ts';
import { Looks } from './looks.ts';
import { type Denied, DeniedTally } from './session-alerts-denied.ts';
import {
  measure,
  rulesOf,
  SESSION_CHECKS,
  settingsOf,
  type Watched,
  WINDOW_MS,
} from './session-alerts-rules.ts';
import type { AgentRow, SessionRow } from './store/types.ts';
import { peopleOf } from './tickets-match.ts';
import type { Context } from './types.ts';

const LOOK_MS = MINUTE_MS;
/** Sessions of one look: the first that began within the window, and those that have run the longest. */
const MAX_SESSIONS = 5_000;

/** Changes with each entry that is added or removed. */
const NO_ROSTER = '0 ';

export class SessionAlertWatch {
  readonly #ctx: Context;
  readonly #machines: AlertMachines;
  readonly #denied: DeniedTally;
  /** Whether the roster knew who came, by session and its last event: parts are opened once. */
  #known = new Map<string, boolean | null>();
  #roster = NO_ROSTER;
  readonly #looks: Looks;

  private constructor(ctx: Context, machines: AlertMachines) {
    this.#ctx = ctx;
    this.#machines = machines;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'session alerts: a look could not be stored',
      look: () => this.#look(),
    });
    this.#denied = new DeniedTally(ctx);
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<SessionAlertWatch> {
    return new SessionAlertWatch(ctx, await AlertMachines.open(ctx, SESSION_CHECKS, LOOK_MS));
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
    await this.#machines.store(steps);
  }

  /** Those that something was seen of, and those that something is open of. */
  #hosts(rows: ReadonlyMap<AgentId, Watched[]>, denied: Denied): Set<AgentId> {
    return new Set([...rows.keys(), ...denied.keys(), ...this.#machines.hosts()]);
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
      const rule = host.state === 'revoked' ? undefined : rules[check];
      return this.#machines.step({ agent: host.agent, check, rule, value: values[check], now }) ?? [];
    });
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
