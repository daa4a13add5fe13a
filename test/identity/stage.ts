/**
 * A stage for tests that play the whole product as operators do: a collector and agents as processes of the real
 * command line, in a folder of their own, with an environment of their own. Everything that was started is ended
 * by its own id, and every output is kept.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { status } from '../../agent/main.ts';
import { tvTime } from '../fixtures/teamviewer.ts';
import { freePort } from '../support/free-port.ts';

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const STOP_MS = 20_000;

/** One process that goes on until it is ended. */
export class Proc {
  readonly name: string;
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  alive = true;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    this.exited = once(child, 'exit').then(([code, signal]) => {
      this.alive = false;
      return { code, signal };
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  signal(name: NodeJS.Signals): void {
    if (this.alive) this.child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** In order; killed where that takes too long, which is a failure of its own. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    const { signal } = await this.exited;
    clearTimeout(timer);
    if (signal === 'SIGKILL') throw new Error(`${this.name} did not stop in ${STOP_MS / 1000} s`);
  }
}

/** What a command of the CLI did. */
export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

/** `{code, message, hint}` of a command that failed with `-o json`. */
export interface Refused {
  code: string;
  message: string;
  hint: string | null;
  exit: number;
}

export interface StageOptions {
  /** Told of every process that is started. */
  watch?(pid: number, what: string): void;
  /** Put before a long-running command: `unshare …`. Told what it is about to start. */
  before?(what: 'agent' | 'collector'): string[];
}

interface Init {
  url: string;
  identity: string;
  caFile: string;
  adminTokenFile: string;
}

const running = new Set<Proc>();

/** For the way out: ends every process that any stage started and that still lives. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((proc) => proc.kill()));
}

export class Stage {
  readonly root: string;
  readonly port: number;
  /** Port that agents are told of; another one where something stands in between. */
  agentPort: number;
  readonly outputs: { what: string; text: string }[] = [];
  collector: Proc | null = null;
  init: Init | null = null;
  readonly #options: StageOptions;
  #tokens = 0;

  private constructor(root: string, port: number, options: StageOptions) {
    this.root = root;
    this.port = port;
    this.agentPort = port;
    this.#options = options;
    for (const name of ['home', 'tmp', 'logs', 'site', 'secret'])
      mkdirSync(join(root, name), { mode: 0o700 });
  }

  static async open(options: StageOptions = {}): Promise<Stage> {
    return new Stage(mkdtempSync(join(tmpdir(), 'tilsyn-stage-')), await freePort(), options);
  }

  at(...names: string[]): string {
    return join(this.root, ...names);
  }

  get collectorState(): string {
    return this.at('collector');
  }

  /** Nothing of the surroundings gets in: no name of a host or a user, no setting. */
  environment(extra: Record<string, string> = {}): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.at('home'),
      XDG_CONFIG_HOME: this.at('home', 'config'),
      XDG_STATE_HOME: this.at('home', 'state'),
      XDG_CACHE_HOME: this.at('home', 'cache'),
      TMPDIR: this.at('tmp'),
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      NO_COLOR: '1',
      ...extra,
    };
  }

  /** The environment of somebody who signs in by file. */
  as(tokenFile: string): Record<string, string> {
    return {
      TILSYN_SERVER: `https://127.0.0.1:${this.port}`,
      TILSYN_TOKEN_FILE: tokenFile,
      TILSYN_CA: this.init?.caFile ?? '',
    };
  }

  get admin(): Record<string, string> {
    return this.as(this.init?.adminTokenFile ?? '');
  }

  /** Runs one command to its end. */
  async run(args: string[], extra: Record<string, string> = this.admin): Promise<Answer> {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: this.environment(extra),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#options.watch?.(child.pid ?? -1, `tilsyn ${args[0]} ${args[1] ?? ''}`);
    const [out, err]: Buffer[][] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out?.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err?.push(chunk));
    const [code] = await once(child, 'close');
    const stdout = Buffer.concat(out ?? []).toString('utf8');
    const stderr = Buffer.concat(err ?? []).toString('utf8');
    const what = `tilsyn ${args.slice(0, 2).join(' ')}`;
    this.outputs.push({ what: `${what}, stdout`, text: stdout }, { what: `${what}, stderr`, text: stderr });
    return { code: code ?? -1, stdout, stderr };
  }

  /** `-o json`, must succeed (findings count as success). */
  async json<T>(args: string[], extra?: Record<string, string>): Promise<T> {
    const { code, stdout, stderr } = await this.run([...args, '-o', 'json'], extra);
    if (code === 0 || code === 6) return JSON.parse(stdout) as T;
    throw new Error(`tilsyn ${args.join(' ')}: exit ${code}\n${stderr}`);
  }

  /** `-o json`, must be refused. */
  async refused(args: string[], extra?: Record<string, string>): Promise<Refused> {
    const { code, stderr } = await this.run([...args, '-o', 'json'], extra);
    if (code === 0) throw new Error(`tilsyn ${args.join(' ')}: was not refused`);
    const line = stderr.split('\n').find((text) => text.startsWith('{"error"'));
    if (line === undefined) throw new Error(`tilsyn ${args.join(' ')}: no JSON error in:\n${stderr}`);
    return { ...(JSON.parse(line) as { error: Omit<Refused, 'exit'> }).error, exit: code };
  }

  /** Makes the collector and starts it. */
  async found(policy = 'none'): Promise<void> {
    const url = `wss://127.0.0.1:${this.agentPort}`;
    const where = ['--state', this.collectorState, '--keys2', this.at('keys2')];
    this.init = await this.json<Init>(['collector', 'init', ...where, '--policy', policy, '--url', url], {});
    await this.startCollector();
  }

  /** `entry`: a child of the tests in place of the command line. */
  async startCollector(entry?: { file: string; config: object }): Promise<Proc> {
    const listen = `127.0.0.1:${this.port}`;
    const args =
      entry === undefined
        ? [CLI, 'collector', 'run', '--state', this.collectorState, '--listen', listen]
        : [entry.file, JSON.stringify({ state: this.collectorState, listen, ...entry.config })];
    this.collector = this.start('collector', 'collector', args, entry !== undefined);
    await this.until(
      'the collector listens',
      async () => this.#alive(this.collector) && (await answers(this.port)),
    );
    return this.collector;
  }

  /** Signs the admin in by this file from now on. */
  signIn(tokenFile: string): void {
    if (this.init !== null) this.init = { ...this.init, adminTokenFile: tokenFile };
  }

  /** Starts the collector, which must refuse; what it said. */
  async startRefused(): Promise<string> {
    const listen = `127.0.0.1:${this.port}`;
    const where = ['--state', this.collectorState, '--listen', listen];
    const { code, stderr } = await this.run(['collector', 'run', ...where, '-o', 'json']);
    if (code === 0) throw new Error('the collector ran and stopped, it was to refuse');
    return stderr;
  }

  #alive(proc: Proc | null): boolean {
    if (proc?.alive !== true) throw new Error(`${proc?.name} ended by itself; see ${this.at('logs')}`);
    return true;
  }

  /** A process of its own whose output goes to `logs/`. */
  start(kind: 'agent' | 'collector', name: string, args: string[], ipc = false): Proc {
    const log = openSync(this.at('logs', `${name}.log`), 'a');
    const [command = '', ...rest] = [...(this.#options.before?.(kind) ?? []), process.execPath, ...args];
    const child = spawn(command, rest, {
      env: this.environment(),
      stdio: ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    });
    closeSync(log);
    const proc = new Proc(name, child);
    running.add(proc);
    proc.exited.then(() => running.delete(proc));
    this.#options.watch?.(proc.pid, `${kind} run`);
    return proc;
  }

  /** A new enrolment token, in a file of mode 0600. */
  async token(...more: string[]): Promise<{ id: string; token: string; file: string }> {
    const where = ['--customer', 'Acme', '--site', 'Albertslund'];
    const made = await this.json<{ id: string; token: string }>(['token', 'create', ...where, ...more]);
    return { ...made, file: this.secret(made.token) };
  }

  secret(text: string): string {
    this.#tokens += 1;
    const file = this.at('secret', `token-${this.#tokens}`);
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    return file;
  }

  /** Enrols a state directory and writes it a configuration that reads its own connections file. */
  async enrol(name: string, ...more: string[]): Promise<Agent> {
    const { file } = await this.token(...more);
    const agent = new Agent(this, name);
    await this.json(['agent', 'enrol', '--state', agent.state, '--token-file', file]);
    return agent;
  }

  async sessions(who: Record<string, string> = this.admin): Promise<Session[]> {
    const items: Session[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const more: string[] = after === '' ? [] : ['--after', after];
      const page: Page<Session> = await this.json(['session', 'list', '--limit', '1000', ...more], who);
      items.push(...page.items);
      after = page.next;
    }
    return items;
  }

  async events(...types: string[]): Promise<EventItem[]> {
    const filter = types.flatMap((type) => ['--type', type]);
    return (await this.json<Page<EventItem>>(['event', 'list', '--limit', '1000', ...filter])).items;
  }

  async hosts(): Promise<HostItem[]> {
    return (await this.json<Page<HostItem>>(['host', 'list'])).items;
  }

  /** Looks until it is so. Throws, saying what did not come about, after `seconds`. */
  async until(what: string, look: () => Promise<boolean> | boolean, seconds = 30): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (!(await look())) {
      if (performance.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
      await sleep(100);
    }
  }

  logs(name: string): string {
    return readFileSync(this.at('logs', `${name}.log`), 'utf8');
  }

  /** Ends what this stage started; the folder goes unless it is to be looked at. */
  async close(keep = false): Promise<void> {
    const mine = [...running].filter((proc) => proc.child.spawnargs.some((arg) => arg.includes(this.root)));
    await Promise.all(mine.map((proc) => proc.kill()));
    if (!keep) rmSync(this.root, { recursive: true, force: true });
  }
}

interface Page<Item> {
  items: Item[];
  next: string | null;
}

export interface Session {
  id: string;
  host: string;
  startedAt: string;
  endedAt: string | null;
  state: string;
  localUser: string | null;
  peer: { id: string | null; names: string[] } | null;
}

export interface EventItem {
  pos: number;
  type: string;
  log: string;
  seq: number;
  data: Record<string, unknown>;
}

export interface HostItem {
  id: string;
  host: string;
  state: string;
}

/** An enrolled host: a state directory, a configuration and a connections file. */
export class Agent {
  readonly stage: Stage;
  readonly name: string;
  readonly state: string;
  readonly file: string;
  readonly config: string;
  proc: Proc | null = null;

  constructor(stage: Stage, name: string, file = stage.at('site', `${name}.txt`)) {
    this.stage = stage;
    this.name = name;
    this.state = stage.at(`agent-${name}`);
    this.file = file;
    this.config = stage.at('site', `${name}.yaml`);
    const source = { type: 'teamviewer', connectionsIncoming: file, startFrom: 'beginning' };
    writeFileSync(this.config, JSON.stringify({ sources: [source] }));
  }

  /** `cli`: another build of the command line. */
  async start(cli = CLI): Promise<void> {
    const args = [cli, 'agent', 'run', '--state', this.state, '--config', this.config];
    this.proc = this.stage.start('agent', `agent-${this.name}`, args);
    await this.stage.until(`agent ${this.name} runs`, async () => {
      if (!this.proc?.alive)
        throw new Error(`agent ${this.name} ended by itself:\n${this.stage.logs(`agent-${this.name}`)}`);
      return (await this.status()) !== null;
    });
  }

  async stop(): Promise<void> {
    await this.proc?.stop();
  }

  /** Null: none runs, or not far enough yet to be asked. */
  async status() {
    try {
      const answer = await status({ state: this.state });
      return answer.running ? answer : null;
    } catch {
      return null;
    }
  }

  async linked(seconds = 30): Promise<void> {
    await this.stage.until(
      `agent ${this.name} is live`,
      async () => (await this.status())?.collector.state === 'live',
      seconds,
    );
  }

  /** Everything read, sent and acked. */
  async drained(seconds = 60): Promise<void> {
    const size = () => readFileSync(this.file).length;
    await this.stage.until(
      `agent ${this.name} has sent everything`,
      async () => {
        const now = await this.status();
        if (now?.collector.state !== 'live' || now.backlog > 0) return false;
        return now.sources.length > 0 && now.sources.every(({ position }) => position === size());
      },
      seconds,
    );
  }

  /** Appends rows `from` up to, not including, `to`, as TeamViewer does. */
  write(from: number, to: number): void {
    for (let n = from; n < to; n += 1) appendFileSync(this.file, `\n${rowText(this.name, n)}`);
  }

  /** A clone: the same state in another directory, reading the same file. */
  copy(name: string): Agent {
    const clone = new Agent(this.stage, name, this.file);
    copyState(this.state, clone.state);
    return clone;
  }
}

/** As a backup or a disk image has it: files only, no sockets. */
export function copyState(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.sock'), preserveTimestamps: true });
}

const FIRST = Date.UTC(2026, 8, 29, 6);
/** Rows come from several months, so that several key groups are made on the way. */
const STEP_MS = 6 * 3_600_000;

export function rowStart(n: number): number {
  return FIRST + n * STEP_MS;
}

export function rowPeer(name: string, n: number): { id: string; name: string } {
  const seed = [...name].reduce((sum, sign) => sum + sign.charCodeAt(0), 0) % 100;
  return { id: String(1_500_000_000 + seed * 100_000 + n), name: `Peer ${n} of ${name}` };
}

export function rowText(name: string, n: number): string {
  const peer = rowPeer(name, n);
  const [start, end] = [tvTime(rowStart(n)), tvTime(rowStart(n) + 124_000)];
  return [peer.id, peer.name, start, end, 'IEUser', 'RemoteControl', '', ''].join('\t');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
