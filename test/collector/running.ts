/** A whole collector on a real port and a real state directory, for tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { type Handle, type InitResult, init, run } from '../../collector/main.ts';
import { createToken, type NewToken } from '../../collector/tokens.ts';
import type { FaultSeam } from '../../collector/types.ts';
import { type Clock, type UtcMs, utcMs } from '../../protocol/time.ts';
import { AgentDouble } from '../support/agent-double.ts';

export const silent = pino({ level: 'silent' });

/** The system's clock, moved; timers run in real time unless they are let off by hand. */
export class MovedClock implements Clock {
  offset = 0;
  #pending = new Set<{ at: number; fn: () => void; cancel: () => void }>();

  now(): UtcMs {
    return utcMs(Date.now() + this.offset);
  }
  mono(): number {
    return performance.now() + this.offset;
  }
  after(ms: number, fn: () => void): () => void {
    const one = { at: this.mono() + ms, fn: () => {}, cancel: () => {} };
    const timer = setTimeout(() => one.fn(), ms);
    one.fn = () => {
      one.cancel();
      fn();
    };
    one.cancel = () => {
      clearTimeout(timer);
      this.#pending.delete(one);
    };
    this.#pending.add(one);
    return one.cancel;
  }
  /** Moves both clocks on; what falls due is let off in order. */
  advance(ms: number): void {
    this.offset += ms;
    const due = [...this.#pending].filter((one) => one.at <= this.mono()).sort((a, b) => a.at - b.at);
    for (const one of due) if (this.#pending.has(one)) one.fn();
  }
}

export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-run-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Place {
  dir: string;
  made: InitResult;
  ca: string;
}

export async function makePlace(policy = 'none'): Promise<Place> {
  const dir = join(scratch(), 'state');
  const made = await init({ state: dir, policy, name: 'tilsyn.test', log: silent });
  return { dir, made, ca: readFileSync(made.caFile ?? '', 'utf8') };
}

export interface World extends Place {
  handle: Handle;
  clock: MovedClock;
  token(change?: Partial<NewToken>): Promise<string>;
  /** An enrolled double. */
  agent(change?: Partial<NewToken>): Promise<AgentDouble>;
  /** Stops and starts again, on the same state. */
  restart(): Promise<void>;
}

export async function startWorld(
  options: { faults?: FaultSeam; place?: Place; clock?: MovedClock; metrics?: string } = {},
): Promise<World> {
  const place = options.place ?? (await makePlace());
  const clock = options.clock ?? new MovedClock();
  const start = () =>
    run({
      state: place.dir,
      listen: '127.0.0.1:0',
      signals: false,
      clock,
      log: silent,
      metrics: options.metrics,
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
  const world: World = {
    ...place,
    clock,
    handle: await start(),
    async token(change = {}) {
      const wanted: NewToken = { customer: 'Acme', site: 'Albertslund', person: null, ...change };
      return (await createToken(world.handle.ctx, wanted)).text;
    },
    async agent(change = {}) {
      const double = new AgentDouble({
        address: world.handle.address,
        ca: place.ca,
        token: await world.token(change),
      });
      const answer = await double.enrol();
      if (answer.status !== 200) throw new Error(`enrol: ${JSON.stringify(answer.body)}`);
      return double;
    },
    async restart() {
      await world.handle.stop();
      world.handle = await start();
    },
  };
  onTestFinished(() => world.handle.stop());
  return world;
}

/** Types of the collector's own events, in order. */
export async function ownTypes(world: World): Promise<string[]> {
  const { read } = world.handle.ctx.store;
  const logs = (await read.logsOf(null)).map(({ log }) => log);
  return (await read.leaves({ logs, limit: 100_000 })).map(({ type }) => type);
}

/** Own events of one type, their data. */
export async function ownEvents(world: World, type: string): Promise<Record<string, unknown>[]> {
  const { read } = world.handle.ctx.store;
  const logs = (await read.logsOf(null)).map(({ log }) => log);
  const leaves = await read.leaves({ logs, types: [type], limit: 100_000 });
  return leaves.map(({ bytes }) => (JSON.parse(bytes) as { data: Record<string, unknown> }).data);
}

/** Waits until `look` is true, for what happens a moment after its cause. */
export async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 5));
}
