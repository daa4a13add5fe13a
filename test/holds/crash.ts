/**
 * `npm run test:holds`: SIGKILL at each step of placing and of releasing, of either side, in real processes with a real root.
 *
 * V100, H1, H2, H3, D1: whatever dies, after the next start the hold is there once or not at all; what it covers outlives the
 * sweep, what it does not cover is gone; and released it goes too. Copying has a table of its own (`npm run test:nvr`).
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { markRoot } from '../../agent/main.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import { type Agent, endAll, type Proc, Stage } from '../identity/stage.ts';

const AGENT = fileURLToPath(new URL('./agent-child.ts', import.meta.url));
const COLLECTOR = fileURLToPath(new URL('../oneoff/collector-child.ts', import.meta.url));

type Side = 'agent' | 'collector';
/** Where which side dies, and what is safe by then. */
const PLACING: readonly [Side, string, string][] = [
  ['collector', 'hold.placing', 'nothing: the transaction is not committed'],
  ['collector', 'hold.placed', 'the hold and its order; nobody was answered'],
  ['agent', 'agent.hold.placing', 'the order, at the collector'],
  ['agent', 'agent.hold.placed', 'the hold on the host; the outcome is not stored'],
  ['agent', 'agent.send.before', 'the same, and its outcome'],
  ['agent', 'agent.send.after', 'the same, and the collector may know'],
  ['collector', 'collector.ingest.before-commit', 'the hold on the host; the collector does not know'],
  ['collector', 'collector.ingest.after-commit', 'both know; nothing was acked'],
];
const RELEASING: readonly [Side, string, string][] = [
  ['collector', 'hold.releasing', 'nothing: the transaction is not committed'],
  ['collector', 'hold.released', 'the release and its order; nobody was answered'],
  ['agent', 'agent.hold.releasing', 'the order, at the collector'],
  ['agent', 'agent.hold.released', 'the release on the host; the outcome is not stored'],
  ['agent', 'agent.send.before', 'the same, and its outcome'],
  ['agent', 'agent.send.after', 'the same, and the collector may know'],
  ['collector', 'collector.ingest.before-commit', 'let go on the host; the collector does not know'],
  ['collector', 'collector.ingest.after-commit', 'both know; nothing was acked'],
];

const WHY = '--kind crime --case 2026-114 --basis TVOL --reason theft'.split(' ');

interface Shown {
  id: string;
  state: string;
  scope: { from: string };
  agents: { state: string; recordings: number | null }[];
}

class Scene {
  readonly stage: Stage;
  readonly agent: Agent;
  readonly root: string;
  readonly second: Record<string, string>;
  /** An hour in which everything was recorded, long past its time. */
  readonly old = Math.floor((Date.now() - 35 * DAY_MS) / HOUR_MS) * HOUR_MS;
  host = '';
  #agent: Proc | null = null;

  private constructor(stage: Stage, agent: Agent, second: Record<string, string>) {
    this.stage = stage;
    this.agent = agent;
    this.second = second;
    this.root = stage.at('recordings');
  }

  static async open(): Promise<Scene> {
    const stage = await Stage.open();
    await stage.found('dk-msp');
    await stage.collector?.stop();
    // Nobody's second word counts whose account is younger than a week.
    await stage.startCollector({ file: COLLECTOR, config: { aheadMs: -8 * DAY_MS } });
    const added = await stage.json<{ token: string }>(['person', 'add', '--role', 'security']);
    await stage.collector?.stop();
    await stage.startCollector({ file: COLLECTOR, config: {} });
    const scene = new Scene(stage, await stage.enrol('nvr'), stage.as(stage.secret(added.token)));
    for (const [n] of PLACING.entries()) {
      scene.#record('gate', n);
      scene.#record('yard', n);
    }
    await markRoot(scene.root);
    const source = { type: 'recordings', root: scene.root, layout: 'frigate', mode: 'erase' };
    writeFileSync(scene.agent.config, JSON.stringify({ sources: [source], telemetry: null }));
    await scene.startAgent();
    await scene.until('all is catalogued', async () => {
      const { items } = await stage.json<{ items: unknown[] }>(['recording', 'list', ...scene.here]);
      return items.length === 2 * PLACING.length;
    });
    // A camera has a name at the collector before it can be held by it.
    await scene.until('the cameras are known', async () => {
      const { items } = await stage.json<{ items: unknown[] }>(['camera', 'list']);
      return items.length === 2;
    });
    scene.host = (await stage.hosts())[0]?.id ?? '';
    return scene;
  }

  get here(): string[] {
    return ['--state', this.agent.state];
  }

  until(what: string, look: () => Promise<boolean>): Promise<void> {
    return this.stage.until(what, look, 60);
  }

  #path(camera: string, n: number): string {
    const iso = toIso(utcMs(this.old + n * HOUR_MS));
    return join(this.root, iso.slice(0, 10), iso.slice(11, 13), camera, '00.00.mp4');
  }

  #record(camera: string, n: number): void {
    const path = this.#path(camera, n);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'footage');
    utimesSync(path, Date.now() / 1000 - 60, Date.now() / 1000 - 60);
  }

  /** Hours of which the file of this camera is there. */
  there(camera: string): number[] {
    return [...PLACING.keys()].filter((n) => existsSync(this.#path(camera, n)));
  }

  async startAgent(): Promise<void> {
    const args = [AGENT, JSON.stringify({ state: this.agent.state, config: this.agent.config })];
    const proc = this.stage.start('agent', 'agent-nvr', args, true);
    this.#agent = proc;
    const first = await Promise.race([
      once(proc.child, 'message').then(() => true),
      proc.exited.then(() => false),
    ]);
    must(first, `the agent ended by itself:\n${this.stage.logs('agent-nvr')}`);
    await this.agent.linked();
  }

  #proc(side: Side): Proc {
    const proc = side === 'agent' ? this.#agent : this.stage.collector;
    if (proc === null) throw new Error(`no ${side} runs`);
    return proc;
  }

  /** `act` is done while `side` is to die at `point`; afterwards it runs again. @throws Error where it did not die */
  async dying(side: Side, point: string, act: () => Promise<unknown>): Promise<void> {
    const proc = this.#proc(side);
    proc.child.send({ point, nth: 1 });
    await once(proc.child, 'message');
    const done = act();
    await this.stage.until(`${side} dies at ${point}`, () => !proc.alive, 30);
    mustEqual((await proc.exited).signal, 'SIGKILL', `${side} at ${point}`);
    await (side === 'agent' ? this.startAgent() : this.stage.startCollector({ file: COLLECTOR, config: {} }));
    await done;
    await this.agent.linked();
  }

  span(n: number): string[] {
    const from = this.old + n * HOUR_MS;
    return ['--from', toIso(utcMs(from)), '--to', toIso(utcMs(from + MINUTE_MS))];
  }

  async holdsOf(n: number): Promise<Shown[]> {
    const { items } = await this.stage.json<{ items: Shown[] }>(['hold', 'list']);
    return items.filter(({ scope }) => scope.from === this.span(n)[1]);
  }

  place(n: number): Promise<unknown> {
    const review = ['--review', toIso(utcMs(Date.now() + 30 * DAY_MS))];
    return this.stage.run([
      'hold',
      'place',
      ...WHY,
      ...review,
      '--camera',
      `${this.host}/gate`,
      ...this.span(n),
    ]);
  }

  /** Exit 1 where the collector died meanwhile. */
  async release(hold: string): Promise<unknown> {
    const open = async () => {
      const { items } = await this.stage.json<{
        items: { id: string; verb: string; state: string; body?: object }[];
      }>(['approval', 'list']);
      return items.find((one) => one.state === 'open' && JSON.stringify(one).includes(hold))?.id;
    };
    let id = await open();
    if (id === undefined) await this.stage.run(['hold', 'release', hold, '--reason', 'settled', '--yes']);
    id ??= await open();
    must(id !== undefined, 'a release was not asked for');
    return await this.stage.run(['approval', 'approve', id ?? ''], this.second);
  }

  async sweep(): Promise<void> {
    await this.stage.run(['sweep', 'run', ...this.here]);
    const { items } = await this.stage.json<{ items: { plan: string | null }[] }>([
      'sweep',
      'plan',
      ...this.here,
    ]);
    const plan = items[0]?.plan;
    if (plan == null) return;
    await this.stage.run(['sweep', 'approve', plan, '--yes', '--reason', 'seen', ...this.here]);
  }
}

async function placed(
  scene: Scene,
  n: number,
  [side, point, safe]: (typeof PLACING)[number],
): Promise<string> {
  await scene.dying(side, point, () => scene.place(n));
  const after = (await scene.holdsOf(n)).length;
  must(after <= 1, `${point}: ${after} holds of one order`);
  if (after === 0) await scene.place(n);
  await scene.until(`${point}: in force`, async () => {
    const [one] = await scene.holdsOf(n);
    return one?.agents[0]?.state === 'in-force' && one.agents[0].recordings === 1;
  });
  return `placing, ${side} dies at ${point}: ${safe}; afterwards ${after === 0 ? 'it was not placed' : 'it was in force by itself'}`;
}

async function released(
  scene: Scene,
  n: number,
  [side, point, safe]: (typeof RELEASING)[number],
): Promise<string> {
  const [hold] = await scene.holdsOf(n);
  must(hold !== undefined, `hold ${n} is gone`);
  const id = hold?.id ?? '';
  await scene.dying(side, point, () => scene.release(id));
  const [after] = await scene.holdsOf(n);
  if (after?.state === 'placed') await scene.release(id);
  await scene.until(`${point}: released`, async () => {
    const [one] = await scene.holdsOf(n);
    return one?.state === 'released' && one.agents[0]?.state === 'released';
  });
  return `releasing, ${side} dies at ${point}: ${safe}; afterwards ${after?.state === 'placed' ? 'it was still placed' : 'it was released by itself'}`;
}

const began = performance.now();
const scene = await Scene.open();
let problem: unknown = null;
try {
  const all = [...PLACING.keys()];
  for (const [n, row] of PLACING.entries()) console.log(`✓ ${await placed(scene, n, row)}`);
  await scene.until('the sweep took what nothing holds', async () => {
    await scene.sweep();
    return scene.there('yard').length === 0;
  });
  mustEqual(scene.there('gate').join(), all.join(), 'D1 what is held');
  for (const [n, row] of RELEASING.entries()) {
    console.log(`✓ ${await released(scene, n, row)}`);
  }
  await scene.until('what was released goes with the next sweep', async () => {
    await scene.sweep();
    return scene.there('gate').length === 0;
  });
  const events = await scene.stage.events('hold.placed', 'hold.released');
  for (const type of ['hold.placed', 'hold.released']) {
    const told = events.filter((event) => event.type === type).map(({ data }) => data.hold);
    mustEqual(
      [told.length, new Set(told).size].join(),
      [all.length, all.length].join(),
      `V100 ${type}, each once`,
    );
  }
} catch (error) {
  problem = error;
} finally {
  await endAll();
  await scene.stage.close(problem !== null);
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
if (problem !== null) {
  process.exitCode = 1;
  console.log(
    `✗ holds, killed at each step: ${problem instanceof Error ? (problem.stack ?? problem.message) : problem}`,
  );
  console.log(`  its files: ${scene.stage.root}`);
} else
  console.log(
    `✓ holds: killed at ${PLACING.length} steps of placing and ${RELEASING.length} of releasing, ${seconds} s`,
  );
