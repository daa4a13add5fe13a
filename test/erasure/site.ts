/**
 * Customers with agents and a collector, as processes of the product whose clocks move together, and what is looked
 * for when one of them has left: sealed parts as they lie in the agents' databases, keys as they lie in the slots.
 */
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { must } from '../identity/scenario.ts';
import { type Agent, type Proc, rowPeer, type Session, Stage } from '../identity/stage.ts';
import type { Armed } from '../oneoff/seam.ts';
import { keysIn, leftovers, type Sought } from '../support/leftovers.ts';

const AGENT = fileURLToPath(new URL('./agent-child.ts', import.meta.url));
const COLLECTOR = fileURLToPath(new URL('../oneoff/collector-child.ts', import.meta.url));
/** Enough of a part to know it by. */
const ENOUGH = 48;

export interface HostEnd {
  hostId: string;
  state: string;
  lastSeenAt: string | null;
}

export interface Agreement {
  id: string;
  customer: string;
  state: string;
  endedAt: string | null;
  hosts: HostEnd[];
}

export type Shown = Session & { personal: string; customer: string };

export class Site {
  readonly stage: Stage;
  /** So far ahead of the machine is everybody that is started, or moved, from now on. */
  aheadMs = 0;
  readonly #procs = new Map<Agent, Proc>();

  private constructor(stage: Stage) {
    this.stage = stage;
  }

  static async open(): Promise<Site> {
    const site = new Site(await Stage.open());
    await site.stage.found();
    await site.stage.collector?.stop();
    await site.startCollector();
    return site;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  async startCollector(): Promise<void> {
    await this.stage.startCollector({ file: COLLECTOR, config: { aheadMs: this.aheadMs } });
  }

  /** An agent of this customer, with so many rows read, sent and acked. */
  async agent(name: string, customer: string, rows: number): Promise<Agent> {
    const agent = await this.stage.enrol(name, '--customer', customer, '--site', `${customer} site`);
    agent.write(0, rows);
    await this.startAgent(agent);
    await agent.drained();
    return agent;
  }

  async startAgent(agent: Agent, armed: Armed | null = null): Promise<Proc> {
    const { state, config } = agent;
    const args = [AGENT, JSON.stringify({ state, config, aheadMs: this.aheadMs, armed })];
    const proc = this.stage.start('agent', `agent-${agent.name}`, args, true);
    agent.proc = proc;
    this.#procs.set(agent, proc);
    if (armed === null)
      await this.stage.until(`agent ${agent.name} runs`, async () => {
        must(proc.alive, `agent ${agent.name} ended by itself`);
        return (await agent.status()) !== null;
      });
    return proc;
  }

  /** Time passes, for everybody that runs. */
  async pass(ms: number): Promise<void> {
    this.aheadMs += ms;
    const running = [...this.#procs.values(), this.stage.collector].filter((proc) => proc?.alive === true);
    for (const proc of running) {
      proc?.child.send({ aheadMs: this.aheadMs });
      await once((proc as Proc).child, 'message');
    }
  }

  async agreement(id: string): Promise<Agreement> {
    const { items } = await this.stage.json<{ items: Agreement[] }>(['agreement', 'list']);
    return items.find((one) => one.id === id) as Agreement;
  }

  async agreementOf(customer: string): Promise<string> {
    const { items } = await this.stage.json<{ items: Agreement[] }>(['agreement', 'list']);
    return items.find((one) => one.customer === customer)?.id ?? '';
  }

  async sessionsOf(customer: string): Promise<Shown[]> {
    const path = ['session', 'list', '--limit', '1000', '--customer', customer];
    return (await this.stage.json<{ items: Shown[] }>(path)).items;
  }

  /** Key groups of an agreement by state, as the database has them. */
  groups(agreement: string): { grp: string; state: string }[] {
    const db = new Sqlite(`${this.stage.collectorState}/collector.db`, { readonly: true });
    try {
      const sql = 'SELECT grp, state FROM key_groups WHERE agreement = ?';
      return db.prepare<[string], { grp: string; state: string }>(sql).all(agreement);
    } finally {
      db.close();
    }
  }

  /** No key group of it lives, and there were some. */
  allErased(agreement: string): boolean {
    const rows = this.groups(agreement);
    return rows.length > 0 && rows.every(({ state }) => state === 'erased');
  }

  /** Private halves of the agreement's groups. */
  keys(agreement: string): Sought {
    const all = keysIn(join(this.stage.collectorState, 'keys.slots'));
    const mine = this.groups(agreement).flatMap(({ grp }) => {
      const key = all.get(grp);
      return key === undefined ? [] : [[`key of ${grp}`, key] as const];
    });
    must(mine.length > 0, 'the agreement has no key: nothing could be found');
    return Object.fromEntries(mine);
  }

  /** Where any of it is, in state directories and logs; by file and kind, once each. */
  left(sought: Sought, ...agents: Agent[]): string[] {
    const folders = [
      'collector',
      'keys2',
      'logs',
      'tmp',
      'home',
      ...agents.map(({ name }) => `agent-${name}`),
    ];
    const found = folders.flatMap((folder) =>
      leftovers([this.stage.at(folder)], sought).map(
        ({ file, what, form }) => `${what.split(' ')[0]} as ${form} in ${folder}/${file}`,
      ),
    );
    return [...new Set(found)];
  }

  async close(keep = false): Promise<void> {
    await this.stage.close(keep);
    if (keep) console.error(`kept: ${this.stage.root}`);
  }
}

/** Rows of an agent's database, read from a copy: opening what a killed process left would repair it. */
export function lookInto<Row>(agent: Agent, sql: string): Row[] {
  const copy = mkdtempSync(join(tmpdir(), 'tilsyn-look-'));
  try {
    for (const suffix of ['', '-wal']) {
      const file = join(agent.state, `agent.db${suffix}`);
      if (existsSync(file)) copyFileSync(file, join(copy, `agent.db${suffix}`));
    }
    const db = new Sqlite(join(copy, 'agent.db'));
    try {
      return db.prepare<[], Row>(sql).all();
    } finally {
      db.close();
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Sealed parts that an agent holds now, each by its beginning. */
export function partsOf(agent: Agent): Sought {
  const rows = lookInto<{ body: Buffer }>(agent, 'SELECT body FROM parts');
  must(rows.length > 0, `agent ${agent.name} holds no part: nothing could be found`);
  return Object.fromEntries(rows.map(({ body }, i) => [`part ${agent.name} ${i}`, body.subarray(0, ENOUGH)]));
}

/** Names and ids of its rows, of some of them: each look reads every file. */
export function textsOf(agent: Agent, rows: number): Sought {
  const some = Array.from({ length: rows }, (_, n) => n).filter((n) => n % 20 === 0);
  return Object.fromEntries(
    some.flatMap((n) => {
      const { id, name } = rowPeer(agent.name, n);
      return [
        [`peer ${id}`, id],
        [`text ${name}`, name],
      ];
    }),
  );
}
