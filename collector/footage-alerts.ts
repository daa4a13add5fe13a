/**
 * Looks every minute at what hosts told of their recordings, and says in the own log what people are to be told of.
 *
 * V98 An alert about recordings says how many or how long, and of which host: never which camera, nor whose. A host that is not
 *     connected keeps the alert that it has: a sweep that waited goes on waiting.
 * V99 What is kept lawfully past its time, by a hold, a restriction or a keep-at-least, is no alert. A camera that is in no
 *     register is one only where its customer keeps a register: else every camera would be.
 */
import { RULES } from '../protocol/alert-rules.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import { AlertMachines, type Step } from './alert-machines.ts';
import { Looks } from './looks.ts';
import type { AgentRow, CameraRow, ClockStepRow, RootRow } from './store/types.ts';
import type { Context } from './types.ts';

const LOOK_MS = MINUTE_MS;
export const FOOTAGE_CHECKS = [
  'sweep-waiting',
  'root-suspect',
  'recordings-overdue',
  'clock-stepped',
  'camera-unknown',
] as const;
export type FootageCheck = (typeof FOOTAGE_CHECKS)[number];

/** Reasons that keep footage lawfully (V99). */
const LAWFUL: ReadonlySet<string> = new Set(['hold', 'restriction', 'keep-at-least', 'agreement-open']);
/** For these a sweep waits because nobody knows what time it is. */
const CLOCK: ReadonlySet<string> = new Set(['stepped', 'conflict', 'never-told', 'time-untrusted']);
/** As the agent's own measure of trusted time (C1). */
const STEP_MS = 5 * MINUTE_MS;

export interface ToldOfHost {
  roots: readonly RootRow[];
  cameras: readonly CameraRow[];
  step: ClockStepRow | null;
  /** Its customer keeps a register of cameras. */
  registered: boolean;
}

/** What is measured of one host, of each check. Pure. */
export function measureFootage(
  { roots, cameras, step, registered }: ToldOfHost,
  now: UtcMs,
): Record<FootageCheck, number> {
  const live = roots.filter(({ state }) => state !== 'retired');
  const sources = new Set(live.map(({ source }) => source));
  const unknown = cameras.filter(
    ({ source, registeredPos }) => registeredPos === null && sources.has(source),
  );
  const waited = live.flatMap(({ waitsSince }) => (waitsSince === null ? [] : [now - waitsSince]));
  const overdue = live.flatMap(({ left }) => left ?? []).filter(({ reason }) => !LAWFUL.has(reason));
  const stepped = step !== null && Math.abs(step.byMs) >= STEP_MS && now - step.at < HOUR_MS;
  const clockless = live.some(({ waits }) => waits !== null && CLOCK.has(waits));
  return {
    'sweep-waiting': Math.max(0, Math.floor(Math.max(0, ...waited) / SECOND_MS)),
    'root-suspect': live.filter(({ state }) => state === 'suspect').length,
    'recordings-overdue': overdue.reduce(
      (sum, { count }) => Math.min(Number.MAX_SAFE_INTEGER, sum + count),
      0,
    ),
    'clock-stepped': stepped || clockless ? 1 : 0,
    'camera-unknown': registered ? unknown.length : 0,
  };
}

export class FootageAlertWatch {
  readonly #ctx: Context;
  readonly #machines: AlertMachines;
  readonly #looks: Looks;

  private constructor(ctx: Context, machines: AlertMachines) {
    this.#ctx = ctx;
    this.#machines = machines;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'footage alerts: a look could not be stored',
      look: () => this.#look(),
    });
  }

  /** Reads what the last run left. */
  static async open(ctx: Context): Promise<FootageAlertWatch> {
    return new FootageAlertWatch(ctx, await AlertMachines.open(ctx, FOOTAGE_CHECKS, LOOK_MS));
  }

  start(): void {
    this.#looks.start();
  }

  /** One look. Never throws: what could not be stored is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    const { read } = this.#ctx.store;
    const now = this.#ctx.clock.now();
    const [roots, cameras, steps] = [
      Map.groupBy(await read.roots.list(), ({ agent }) => agent),
      Map.groupBy(await read.cameras.list(), ({ agent }) => agent),
      new Map((await read.clockSteps.list()).map((row) => [row.agent, row])),
    ];
    const registering = new Set(
      [...cameras.values()].flat().flatMap((row) => (row.registeredPos === null ? [] : [row.customer])),
    );
    const measured: Step[] = [];
    for (const agent of new Set([...roots.keys(), ...cameras.keys(), ...this.#machines.hosts()])) {
      const host = await read.agents.get(agent);
      if (host === null) continue;
      const told = { roots: roots.get(agent) ?? [], cameras: cameras.get(agent) ?? [] };
      const step = steps.get(agent) ?? null;
      measured.push(...this.#host(host, { ...told, step, registered: registering.has(host.customer) }, now));
    }
    await this.#machines.store(measured);
  }

  #host(host: AgentRow, told: ToldOfHost, now: UtcMs): Step[] {
    const values = measureFootage(told, now);
    return FOOTAGE_CHECKS.flatMap((check) => {
      const rule = host.state === 'revoked' ? undefined : RULES[check];
      return this.#machines.step({ agent: host.agent, check, rule, value: values[check], now }) ?? [];
    });
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}
