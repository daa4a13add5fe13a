/**
 * A small world under test: a collector, a bad line, one enrolled agent, a TeamViewer that writes and rotates.
 * Made by the product's own `init`, token and `enrol`; the two processes run its own `run()` with a fault seam
 * (`agent-child.ts`, `collector-child.ts`).
 */

import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { pino } from 'pino';
import { enrol } from '../../agent/main.ts';
import type { InitResult } from '../../collector/init.ts';
import { init } from '../../collector/main.ts';
import { Child } from '../faults/child.ts';
import { FakeClock } from '../faults/clock.ts';
import { SmallDisk } from '../faults/disk.ts';
import type { Dice } from '../faults/random.ts';
import { Arm, type ArmedAct, type Flags, type Point, readFlags, resetFlags } from './flags.ts';
import { freePort } from './free-port.ts';
import { LinkProxy } from './link-proxy.ts';
import { RowWriter } from './writer.ts';

const AGENT = new URL('./agent-child.ts', import.meta.url);
const COLLECTOR = new URL('./collector-child.ts', import.meta.url);
const START_MS = 60_000;

export interface WorldOptions {
  dice: Dice;
  /** Laws that the builds under test break on purpose. */
  broken: string[];
  rowsPerSecond: number;
  /** Where the collector's and the agent's state shall lie; absent: in the world's own folder. */
  collectorHome?: string;
  agentHome?: string;
  /** Megabytes of the agent's tmpfs; absent: none, and no disk to fill. */
  agentDisk?: number;
  /** False: the agent lives by the machine's own clock. */
  fakeClock: boolean;
}

/** Worlds of this process that are not closed yet: for the way out after a signal. */
const open = new Set<World>();

export async function closeWorlds(): Promise<void> {
  await Promise.all([...open].map((world) => world.close(false)));
}

export class World {
  readonly dir: string;
  readonly writer: RowWriter;
  readonly proxy: LinkProxy;
  readonly disk: SmallDisk | null;
  readonly clock: FakeClock;
  readonly collectorState: string;
  /** The second copy of the keys. */
  readonly keys2: string;
  readonly agentState: string;
  diskFull = false;
  /** Agents started from now on send the last hundred leaves of each log again on every connection. */
  resend = false;
  agent!: Child;
  collector!: Child;
  /** Times that the agent ended by itself because its disk was full; a service manager starts it again. */
  readonly gaveUp: string[] = [];
  readonly #options: WorldOptions;
  readonly #port: number;
  readonly #agentArm: Arm;
  readonly #collectorArm: Arm;
  #init!: InitResult;

  private constructor(options: WorldOptions, dir: string, port: number, proxy: LinkProxy) {
    this.#options = options;
    this.#port = port;
    this.dir = dir;
    this.proxy = proxy;
    this.clock = new FakeClock(join(dir, 'clock'));
    this.#agentArm = new Arm(join(dir, 'agent.arm'));
    this.#collectorArm = new Arm(join(dir, 'collector.arm'));
    this.disk =
      options.agentDisk === undefined ? null : new SmallDisk(join(dir, 'agent-disk'), options.agentDisk);
    this.collectorState = join(options.collectorHome ?? dir, 'collector');
    this.keys2 = join(options.collectorHome ?? dir, 'keys2');
    this.agentState = join(options.agentHome ?? this.disk?.path ?? dir, 'agent');
    mkdirSync(join(dir, 'site'));
    this.writer = new RowWriter({
      path: join(dir, 'site', 'Connections_incoming.txt'),
      rowsPerSecond: options.rowsPerSecond,
      random: () => options.dice.next(),
      firstStart: Math.floor(Date.now() / 1000 - 12 * 3600) * 1000,
    });
  }

  /** Makes, enrols and starts everything; rows are being written when this resolves. */
  static async create(options: WorldOptions): Promise<World> {
    const dir = mkdtempSync(join(tmpdir(), 'tilsyn-world-'));
    const port = await freePort();
    const world = new World(options, dir, port, await LinkProxy.start(port));
    open.add(world);
    await world.#found();
    world.writer.start();
    return world;
  }

  get logFiles(): { agent: string; collector: string } {
    return { agent: join(this.dir, 'agent.log'), collector: join(this.dir, 'collector.log') };
  }

  async #found(): Promise<void> {
    this.#init = await init({
      ...{ state: this.collectorState, keys2: this.keys2, policy: 'none' },
      url: `wss://127.0.0.1:${this.proxy.port}`,
      log: pino({ level: 'silent' }),
    });
    this.startCollector();
    if (!(await this.collector.readyWithin(START_MS)) && this.#portWasTaken()) this.startCollector();
    await this.#mustBeReady(this.collector, 'the collector');
    await this.#enrol();
    const config = {
      sources: [{ type: 'teamviewer', connectionsIncoming: this.#source, startFrom: 'beginning' }],
    };
    writeFileSync(join(this.dir, 'agent.yaml'), JSON.stringify(config));
    this.startAgent();
    await this.#mustBeReady(this.agent, 'the agent');
  }

  async #enrol(): Promise<void> {
    const { token } = await this.api<{ token: string }>('POST', '/v1/tokens', {
      customer: 'Acme',
      site: 'Albertslund',
    });
    await enrol({ state: this.agentState, token });
  }

  /** The machine is set up anew: nothing of the agent is left but what it reads, and it is enrolled once more. */
  async reinstall(): Promise<void> {
    if (this.agent.alive) await this.agent.stop();
    rmSync(this.agentState, { recursive: true });
    await this.#enrol();
    this.startAgent();
    await this.#mustBeReady(this.agent, 'the agent');
  }

  get #source(): string {
    return join(this.dir, 'site', 'Connections_incoming.txt');
  }

  async #mustBeReady(child: Child, name: string): Promise<void> {
    if (await child.readyWithin(START_MS)) return;
    const log = existsSync(child.spec.logFile) ? readFileSync(child.spec.logFile, 'utf8') : 'no log';
    throw new Error(`${name} did not start: ${log.slice(-1_000)}`);
  }

  /** Somebody's outgoing connection was given this very port meanwhile: suites run beside each other. */
  #portWasTaken(): boolean {
    return !this.collector.alive && readFileSync(this.logFiles.collector, 'utf8').includes('port is taken');
  }

  startAgent(): void {
    const flags = join(this.dir, 'agent.flags');
    resetFlags(flags);
    this.agent = new Child({
      entry: AGENT,
      config: {
        state: this.agentState,
        config: join(this.dir, 'agent.yaml'),
        flags,
        arm: join(this.dir, 'agent.arm'),
        broken: this.resend ? [...this.#options.broken, 'resend'] : this.#options.broken,
      },
      logFile: this.logFiles.agent,
      env: this.#options.fakeClock ? this.clock.environment() : {},
    });
    this.#watch(this.agent);
  }

  startCollector(): void {
    const flags = join(this.dir, 'collector.flags');
    resetFlags(flags);
    this.collector = new Child({
      entry: COLLECTOR,
      config: {
        state: this.collectorState,
        listen: `127.0.0.1:${this.#port}`,
        flags,
        arm: join(this.dir, 'collector.arm'),
        broken: this.#options.broken,
      },
      logFile: this.logFiles.collector,
    });
    this.#watch(this.collector);
  }

  startDead(): void {
    if (!this.collector.alive) this.startCollector();
    if (!this.agent.alive) this.startAgent();
  }

  /** Nobody asked it to go: allowed only where the disk is full, and then it is started again. */
  #watch(child: Child): void {
    void child.died.then(({ code, signal }) => {
      if (this.#options.fakeClock) FakeClock.sweep(child.pid);
      if (signal === 'SIGKILL' || child.stopping) return;
      const name = child === this.agent ? 'agent' : 'collector';
      this.gaveUp.push(
        `${name} ended by itself: exit ${code ?? signal}${this.diskFull ? ', its disk was full' : ''}`,
      );
    });
  }

  /** An orderly stop and a fresh start of both: back-off of the weather before is not waited out. */
  async restart(): Promise<void> {
    await Promise.all([this.agent, this.collector].map((child) => child.alive && child.stop()));
    this.startDead();
    await this.#mustBeReady(this.collector, 'the collector');
    await this.#mustBeReady(this.agent, 'the agent');
  }

  arm(point: Point, nth: number, act: ArmedAct = 'die'): void {
    (point.startsWith('agent') ? this.#agentArm : this.#collectorArm).set(point, nth, act);
  }

  disarm(): void {
    this.#agentArm.disarm();
    this.#collectorArm.disarm();
  }

  flags(): { agent: Flags; collector: Flags } {
    return {
      agent: readFlags(join(this.dir, 'agent.flags')),
      collector: readFlags(join(this.dir, 'collector.flags')),
    };
  }

  /**
   * True where the file was rotated and nothing of its successor is committed yet. Read from a copy of the dead
   * agent's database: opening the original would repair what the next start has to repair.
   */
  rotationUnderWay(): boolean {
    const rotation = this.writer.rotations.at(-1);
    if (rotation === undefined) return false;
    return this.#lastCommittedStart() < this.writer.startOf(rotation.firstRow);
  }

  #lastCommittedStart(): number {
    const copy = mkdtempSync('/dev/shm/tilsyn-look-');
    try {
      const source = this.agentDatabase;
      for (const suffix of ['', '-wal']) {
        if (existsSync(source + suffix)) copyFileSync(source + suffix, join(copy, `copy.db${suffix}`));
      }
      return lastStart(join(copy, 'copy.db'));
    } finally {
      rmSync(copy, { recursive: true });
    }
  }

  /** Start of the last session that the running agent has committed; 0 where its database cannot be read now. */
  lastStartLive(): number {
    try {
      return lastStart(this.agentDatabase, true);
    } catch {
      return 0;
    }
  }

  get agentDatabase(): string {
    return join(this.agentState, 'agent.db');
  }

  get collectorDatabase(): string {
    return join(this.collectorState, 'collector.db');
  }

  /** Processes that ended though nobody asked them to, other than an agent on a full disk. */
  unexpected(): string[] {
    return this.gaveUp.filter((text) => !(text.startsWith('agent') && text.endsWith('full')));
  }

  /** Good weather: line, disk and clock are as they should be. */
  calm(): void {
    this.disarm();
    this.proxy.heal();
    this.disk?.free();
    this.diskFull = false;
    this.clock.set(0);
  }

  /** The collector's API, past the bad line, as the admin. */
  async api<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const { caFile, adminTokenFile } = this.#init;
    const text = body === undefined ? '' : JSON.stringify(body);
    const asking = request({
      ...{ host: '127.0.0.1', port: this.#port, method, path, agent: false },
      ca: readFileSync(caFile ?? ''),
      headers: {
        authorization: `Bearer ${readFileSync(adminTokenFile, 'utf8').trim()}`,
        ...(text === ''
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    });
    asking.end(text);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = await answer.toArray();
    const said = Buffer.concat(chunks).toString('utf8');
    if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${said}`);
    return JSON.parse(said) as T;
  }

  /** Ends everything; the folder stays where `keep` says so. */
  async close(keep: boolean): Promise<void> {
    if (!open.delete(this)) return;
    this.writer.stop();
    await Promise.all([this.agent?.kill(), this.collector?.kill()]);
    await this.proxy.close();
    if (keep && this.disk !== null) {
      this.disk.free();
      cpSync(this.agentState, join(this.dir, 'agent'), {
        recursive: true,
        filter: (path) => !path.endsWith('.sock'),
      });
    }
    this.disk?.unmount();
    if (!keep) rmSync(this.dir, { recursive: true, force: true });
    else console.error(`kept: ${this.dir} (${basename(this.logFiles.agent)} …)`);
  }
}

/** Start of the last session that this database holds, UTC ms; 0: none. */
function lastStart(path: string, readonly = false): number {
  if (!existsSync(path)) return 0;
  const db = new Sqlite(path, { readonly });
  try {
    const rows = db
      .prepare<[], { bytes: string }>('SELECT bytes FROM leaves ORDER BY pos DESC LIMIT 64')
      .all();
    for (const { bytes } of rows) {
      const { type, data } = JSON.parse(bytes) as { type: string; data: { startedAt?: string } };
      if (type === 'session.started' && data.startedAt !== undefined) return Date.parse(data.startedAt);
    }
    return 0;
  } finally {
    db.close();
  }
}
