/** The acts of a privacy run, in the order in which `run.ts` plays them. */

import { spawnSync } from 'node:child_process';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, type Session, Stage } from '../identity/stage.ts';
import type { Cast, Known } from './cast.ts';
import { type Looked, ProcessSampler, searchTree } from './places.ts';
import { type Hit, Searcher } from './search.ts';

const LEAKY = fileURLToPath(new URL('./leaky-agent.ts', import.meta.url));
/** Folders of the stage that are searched; `site` is the source itself, `secret` holds tokens on purpose. */
const SEARCHED = ['collector', 'keys2', 'agent-site', 'agent-late', 'home', 'tmp', 'logs'];
/** Commands whose answer is what a person asked to be shown. */
const SHOWS = /^tilsyn (session|event|source test|coverage)/;

export class World {
  readonly cast: Cast;
  readonly stage: Stage;
  readonly #sampler: ProcessSampler;
  readonly #extra: Known[] = [];
  #agent: Agent;
  #reader: Record<string, string> = {};
  /** False where this user may not give a process a host name of its own. */
  readonly hostIsCanary: boolean;
  /** Rows in the file, the readable ones. */
  rows = 0;

  private constructor(cast: Cast, stage: Stage, sampler: ProcessSampler, hostIsCanary: boolean) {
    this.hostIsCanary = hostIsCanary;
    this.cast = cast;
    this.stage = stage;
    this.#sampler = sampler;
    this.#agent = new Agent(stage, 'site');
  }

  static async open(cast: Cast): Promise<World> {
    const sampler = new ProcessSampler();
    const own = mayNameHost();
    const stage = await Stage.open({
      watch: (pid, what) => sampler.watch(pid, what),
      before: (what) => (own && what === 'agent' ? withHostName(stage, cast.host) : []),
    });
    return new World(cast, stage, sampler, own);
  }

  /** Collector, people, an enrolled agent; rows are in the file before it starts. */
  async begin(): Promise<void> {
    const { stage, cast } = this;
    await stage.found();
    const reader = await stage.json<{ token: string }>([
      'person',
      'add',
      '--role',
      'security',
      '--name',
      cast.person,
    ]);
    this.#extra.push(signInSecret('the sign-in token', reader.token));
    const file = stage.secret(reader.token);
    const where = ['--server', `https://127.0.0.1:${stage.port}`, '--ca', stage.init?.caFile ?? ''];
    const login = await stage.run(['login', ...where, '--token-file', file], {});
    if (login.code !== 0) throw new Error(`login: ${login.stderr}`);
    const site = ['--customer', cast.customer, '--site', cast.customer];
    const token = await stage.json<{ token: string }>(['token', 'create', ...site]);
    this.#extra.push(enrolmentSecret(token.token));
    const tokenFile = stage.secret(token.token);
    await stage.json(['agent', 'enrol', '--state', this.#agent.state, '--token-file', tokenFile]);
    this.#append(20);
    await this.#agent.start();
  }

  #append(rows: number): void {
    for (let n = 0; n < rows; n += 1) {
      appendFileSync(this.#agent.file, `\n${this.cast.row(this.rows)}`);
      this.rows += 1;
    }
  }

  async firstRows(): Promise<void> {
    this.#append(20);
    for (const line of this.cast.broken) appendFileSync(this.#agent.file, `\n${line}`);
    this.#append(1);
    await this.#agent.drained();
    await this.stage.json(['agent', 'status', '--state', this.#agent.state]);
    await this.stage.json(['agent', 'check', '--state', this.#agent.state]);
  }

  /** While it is at work: rows come, the file rotates, half a row stands at its end. */
  async killAgent(): Promise<void> {
    this.#append(200);
    await sleep(60);
    await this.#agent.proc?.kill();
    renameSync(this.#agent.file, `${this.#agent.file}.1`);
    this.#append(30);
    const half = this.cast.row(this.rows).slice(0, 40);
    appendFileSync(this.#agent.file, `\n${half}`);
    await this.#agent.start();
    // Longer than the quiet after which a last row counts as whole: cut off in the middle it waits for its rest.
    await sleep(1_500);
    appendFileSync(this.#agent.file, this.cast.row(this.rows).slice(40));
    this.rows += 1;
    appendFileSync(this.#agent.file, `\n${this.cast.broken[0]}`);
  }

  async killCollector(): Promise<void> {
    this.#append(100);
    await sleep(150);
    await this.stage.collector?.kill();
    await this.#agent.proc?.kill();
  }

  async comeBack(): Promise<void> {
    await this.stage.startCollector();
    await this.#agent.start();
    await this.#agent.drained(90);
  }

  async readerList(): Promise<Session[]> {
    return await this.stage.sessions(this.#reader);
  }

  async readerFind(id: string): Promise<number> {
    const file = this.stage.secret(id);
    const list = ['session', 'list', '--peer', `@${file}`];
    return (await this.stage.json<{ items: Session[] }>(list, this.#reader)).items.length;
  }

  /** Errors of every kind that might quote what they are about. */
  async errors(): Promise<void> {
    const { stage, cast } = this;
    const bad = stage.at('site', 'bad.yaml');
    writeFileSync(
      bad,
      `proxy: http://morgan:${cast.config}@127.0.0.1:1\nsourcez: [{type: "${cast.config}"}]\n`,
    );
    const late = stage.at('agent-late');
    const used = stage.secret('tilsyn1.bm90IGEgdG9rZW4');
    const tries = [
      ['agent', 'run', '--state', this.#agent.state, '--config', bad],
      ['agent', 'run', '--state', this.#agent.state],
      ['agent', 'enrol', '--state', late, '--token-file', used],
      ['agent', 'enrol', '--state', late, '--token-file', this.#agent.file],
      ['source', 'test', this.#agent.config, '--type', 'teamviewer'],
      ['login', '--server', `https://127.0.0.1:${stage.port}`, '--token-file', this.#agent.file],
      ['session', 'list', '--peer', `@${this.#agent.file}`],
      ['session', 'show', '00000000000000000000000000000000'],
    ];
    for (const args of tries) await stage.run(args, this.#reader);
    await stage.run(['source', 'test', this.#agent.file, '--type', 'teamviewer'], {});
    await stage.run(['event', 'list', '-o', 'json'], this.#reader);
    await stage.run(['host', 'list'], {});
    await stage.run(['coverage'], {});
  }

  async restart(): Promise<void> {
    await this.#agent.stop();
    await this.stage.collector?.stop();
    await this.comeBack();
  }

  async stopAll(): Promise<void> {
    await this.stage.run(['logout'], {});
    await this.#agent.stop();
    await this.stage.collector?.stop();
  }

  /** Everything that was written or could be read by others, up to now. */
  search(looked: Looked): Hit[] {
    const known = [...this.cast.canaries, ...this.#extra];
    const searcher = new Searcher(known);
    const hits = SEARCHED.flatMap((name) =>
      searchTree(searcher, this.stage.root, this.stage.at(name), looked),
    );
    for (const { what, text } of this.stage.outputs) {
      if (!(SHOWS.test(what) && what.endsWith('stdout')))
        hits.push(...searcher.search(what, Buffer.from(text)));
    }
    hits.push(...this.#sampler.search(searcher));
    looked.processes = this.#sampler.processes;
    const allowed = new Map(known.map(({ name, mayStandIn }) => [name, mayStandIn]));
    return hits.filter(({ canary, where }) => allowed.get(canary)?.test(where) !== true);
  }

  /** An agent that leaks on purpose; what the search makes of it. */
  async leak(): Promise<Hit[]> {
    await this.stage.startCollector();
    const { state, config } = this.#agent;
    const text = this.cast.name;
    const proc = this.stage.start('agent', 'leaky', [LEAKY, JSON.stringify({ state, config, text })], true);
    const leaked = new Promise<void>((resolve) => proc.child.once('message', () => resolve()));
    this.#append(1);
    await Promise.race([leaked, proc.exited]);
    await proc.stop();
    await this.stage.collector?.stop();
    const searcher = new Searcher(this.cast.canaries);
    return searchTree(searcher, this.stage.root, state, { files: 0, bytes: 0, cells: 0, processes: 0 });
  }

  async close(keep: boolean): Promise<void> {
    this.#sampler.stop();
    await this.stage.close(keep);
    if (keep) console.error(`kept: ${this.stage.root}`);
  }
}

function mayNameHost(): boolean {
  return spawnSync('unshare', ['--uts', 'hostname', 'canary'], { stdio: 'ignore' }).status === 0;
}

/** The machine's own name is personal too: as root the agent gets one that is a canary. */
function withHostName(stage: Stage, name: string): string[] {
  const file = stage.at('secret', 'hostname');
  writeFileSync(file, name);
  return ['unshare', '--uts', 'sh', '-c', `hostname -F ${file} && exec "$@"`, 'sh'];
}

/** Shown once, to the admin who made it, and kept where `login` keeps it. */
function signInSecret(name: string, text: string): Known {
  return { name, text, mayStandIn: /^home\/config\/tilsyn\/login\.json$|^tilsyn person add, stdout$/ };
}

function enrolmentSecret(token: string): Known {
  const { secret } = JSON.parse(Buffer.from(token.slice(8), 'base64url').toString()) as { secret: string };
  return {
    name: 'the secret of the enrolment token',
    text: secret,
    mayStandIn: /^tilsyn token create, stdout$/,
  };
}
