/** A collector and an agent as processes, live one-off sessions with canaries, and what is left of them. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { type Agent, type Proc, type Session, Stage } from '../identity/stage.ts';
import { searchTree } from '../privacy/places.ts';
import { type Canary, type Hit, Searcher } from '../privacy/search.ts';
import { canariesOf, found, needlesOf } from './remains.ts';
import type { Armed } from './seam.ts';
import type { AgentState, Ask, Canaries, Told } from './talk.ts';

const AGENT = fileURLToPath(new URL('./agent-child.ts', import.meta.url));
const COLLECTOR = fileURLToPath(new URL('./collector-child.ts', import.meta.url));
const NAME = 'site';
/** Everything that anybody writes to; `secret` holds tokens on purpose, of which no session has any. */
const FOLDERS = ['collector', 'keys2', `agent-${NAME}`, 'home', 'tmp', 'logs'];
const LOOK_MS = 10;
const PATIENCE_MS = 60_000;

export interface Live {
  told: Told;
  canaries: Canaries;
  needles: ReturnType<typeof needlesOf>;
}

export class World {
  readonly stage: Stage;
  readonly agent: Agent;
  readonly #canaries: Canary[] = [];
  #proc: Proc | null = null;
  #n = 0;

  private constructor(stage: Stage, agent: Agent) {
    this.stage = stage;
    this.agent = agent;
  }

  static async open(): Promise<World> {
    const stage = await Stage.open();
    await stage.found();
    await stage.collector?.stop();
    const world = new World(stage, await withCollector(stage));
    await world.startAgent();
    return world;
  }

  async startCollector(aheadMs = 0): Promise<void> {
    await this.stage.startCollector({ file: COLLECTOR, config: { aheadMs } });
  }

  /** `resend`: it sends the last hundred leaves of each log again on every connection, as after a lost ack. */
  async startAgent({ resend = false } = {}): Promise<void> {
    const args = [AGENT, JSON.stringify({ state: this.agent.state, broken: resend ? ['resend'] : [] })];
    const proc = this.stage.start('agent', `agent-${NAME}`, args, true);
    this.#proc = proc;
    const ready = await Promise.race([
      once(proc.child, 'message').then(() => true),
      proc.exited.then(() => false),
    ]);
    if (!ready) throw new Error(`the agent ended by itself:\n${this.stage.logs(`agent-${NAME}`)}`);
  }

  get agentProc(): Proc {
    if (this.#proc === null) throw new Error('no agent was started');
    return this.#proc;
  }

  get collectorProc(): Proc {
    if (this.stage.collector === null) throw new Error('no collector was started');
    return this.stage.collector;
  }

  /** Null: it died before it answered. */
  async ask<T>(ask: Ask): Promise<T | null> {
    const { child, exited } = this.agentProc;
    this.#n += 1;
    const n = this.#n;
    const answered = new Promise<{ answer?: T; error?: string }>((resolve) => {
      const take = (said: { n?: number; answer?: T; error?: string }) => {
        if (said.n !== n) return;
        child.off('message', take);
        resolve(said);
      };
      child.on('message', take);
    });
    child.send({ ...ask, n }, () => {});
    const said = await Promise.race([answered, exited.then(() => null)]);
    if (said?.error !== undefined) throw new Error(said.error);
    return said === null ? null : (said.answer as T);
  }

  async armCollector(armed: Armed): Promise<void> {
    await this.tellCollector(armed);
  }

  /** What it is told; false: it died of it before it answered. */
  async tellCollector(told: Armed | { aheadMs: number }): Promise<boolean> {
    const { child, exited } = this.collectorProc;
    child.send(told);
    return await Promise.race([once(child, 'message').then(() => true), exited.then(() => false)]);
  }

  async state(): Promise<AgentState> {
    const state = await this.ask<AgentState>({ do: 'state' });
    if (state === null) throw new Error('the agent is gone');
    return state;
  }

  async until(what: string, look: (state: AgentState) => boolean): Promise<void> {
    await this.stage.until(what, async () => look(await this.state()), 120);
  }

  /** A session that lives at both sides: its parts lie in both databases. */
  async live(): Promise<Live> {
    const sign = randomBytes(8).toString('hex');
    const canaries = { peerId: `peer-${sign}`, name: `Åse Cañary ${sign}`, user: `user-${sign}` };
    const told = await this.ask<Told>({ do: 'start', canaries });
    if (told === null || told.bodies.length !== 2) throw new Error('a session did not start');
    const one = { told, canaries, needles: needlesOf(told, canaries) };
    this.#canaries.push(...canariesOf(told, canaries));
    const places = ['collector', `agent-${NAME}`];
    await this.stage.until('the parts lie at both sides', () =>
      places.every((folder) => found(this.stage.root, [folder], one.needles).length >= 2),
    );
    return one;
  }

  end({ told }: Live): Promise<number | null> {
    return this.ask<number>({ do: 'end', session: told.session });
  }

  /** What is left of a session now, anywhere. */
  left({ needles }: Live): string[] {
    return found(this.stage.root, FOLDERS, needles);
  }

  /** Milliseconds from `since` until nothing of it is left, by any look from now on. */
  async gone(one: Live, since: number): Promise<number> {
    for (;;) {
      const left = this.left(one);
      const passed = Date.now() - since;
      if (left.length === 0) return passed;
      if (passed > PATIENCE_MS) throw new Error(`after ${passed} ms: ${left.join('; ')}`);
      await sleep(LOOK_MS);
    }
  }

  /** The row of its group at the collector. */
  groupState({ told }: Live): string | null {
    const row = this.#row<{ state: string }>('SELECT state FROM key_groups WHERE grp = ?', told.group);
    return row?.state ?? null;
  }

  /** What the collector has on record of its erasure; null: nothing yet. */
  erasure({ told }: Live): { by: string; doneAt: number; dueAt: number | null } | null {
    const sql = 'SELECT by_what AS by, done_at AS doneAt, due_at AS dueAt FROM erasures WHERE grp = ?';
    return this.#row(sql, told.group);
  }

  /** When the collector last heard of the agent, as it has it on record. */
  lastSeen(): number {
    return this.#row<{ at: number }>('SELECT MAX(last_seen_at) AS at FROM agents')?.at ?? 0;
  }

  /** How many leaves the collector has. */
  leaves(): number {
    return this.#row<{ n: number }>('SELECT COUNT(*) AS n FROM leaves')?.n ?? 0;
  }

  /** By a reader of a moment. */
  #row<Row>(sql: string, ...values: string[]): Row | null {
    const db = new Sqlite(`${this.stage.collectorState}/collector.db`, { readonly: true });
    try {
      return (db.prepare(sql).get(...values) as Row | undefined) ?? null;
    } finally {
      db.close();
    }
  }

  async shown({ told }: Live): Promise<(Session & { erasedAt: string | null; personal: string }) | null> {
    const items = (await this.stage.sessions()) as (Session & {
      erasedAt: string | null;
      personal: string;
    })[];
    return items.find(({ id }) => id === told.session) ?? null;
  }

  /** Every canary and every key of the run, in every form, in every file and cell. */
  search(): Hit[] {
    const searcher = new Searcher(this.#canaries);
    const looked = { files: 0, bytes: 0, cells: 0, processes: 0 };
    return FOLDERS.flatMap((name) => searchTree(searcher, this.stage.root, this.stage.at(name), looked));
  }

  /** One that was handed over in this run, as text. */
  anyKey(): string {
    return this.#canaries.find(({ name }) => name === 'a key as text')?.text ?? '';
  }

  async close(keep: boolean): Promise<void> {
    await this.stage.close(keep);
    if (keep) console.error(`kept: ${this.stage.root}`);
  }
}

async function withCollector(stage: Stage): Promise<Agent> {
  await stage.startCollector({ file: COLLECTOR, config: {} });
  return await stage.enrol(NAME, '--mode', 'one-off');
}
