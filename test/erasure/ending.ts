/**
 * One agreement that ends: a real agent and a real collector on an ext4 of their own, some hundred sessions, an end
 * without a cooling-off, and somebody killed on the way. What is left is looked for in every file and on the device.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { Dice } from '../faults/random.ts';
import { makeImage, mountImage, unmountImage } from '../powercut/image.ts';
import { http } from '../support/agent-double.ts';
import type { Point } from '../support/flags.ts';
import { keysIn, leftovers, needlesFound, type Sought } from '../support/leftovers.ts';
import { World } from '../support/world.ts';
import { readAgain } from './rereading.ts';

/** Who dies, and where: the collector at a named point, the agent as soon as the end is approved, or nobody. */
export interface Kill {
  name: string;
  point?: Point;
  agent?: boolean;
  /** Afterwards the machine is set up anew, and its new agent reads the old log. */
  again?: boolean;
}

export interface EndingResult {
  sessions: number;
  /** From the approval to the last key group, and to everybody's being done. */
  erasedMs: number;
  endedMs: number;
  /** What the start did, by its own account: events of the erasures. */
  started: number;
  done: number;
  /** Before: keys that the device held. A look that finds none then could not find any later. */
  keysBefore: number;
  /** Key groups by state as somebody was dead, before the start; null: nobody was killed. */
  atDeath: string | null;
  problems: string[];
}

const IMAGE_MB = 128;
const ROWS_PER_SECOND = 150;
const PATIENCE_MS = 90_000;
/** Peers that are looked for. */
const PEERS = 6;
/** Only names that stand for nothing else on a disk. */
const NAMES = ['ITestUserRedacted', 'Møller, Jane', 'Joe Doe | Pro IT'];

interface Loose {
  [key: string]: unknown;
}
type Item = Loose & { id: string };

export class Ending {
  readonly #dir: string;
  readonly #seed: number;
  readonly #sessions: number;
  #world!: World;
  #agreement = '';

  constructor(dir: string, seed: number, sessions: number) {
    this.#dir = dir;
    this.#seed = seed;
    this.#sessions = sessions;
  }

  async run(kill: Kill): Promise<EndingResult> {
    const image = join(this.#dir, 'ending.img');
    const home = join(this.#dir, 'home');
    makeImage(image, IMAGE_MB);
    mountImage(image, home);
    try {
      this.#world = await World.create({
        dice: new Dice(this.#seed),
        ...{ broken: [], rowsPerSecond: ROWS_PER_SECOND, fakeClock: false },
        ...{ collectorHome: home, agentHome: home },
      });
      const sessions = await this.#collect();
      const sought = this.#sought();
      syncHome(home);
      const keysBefore = Object.keys(sought.keys).filter(
        (group) => needlesFound(image, { [group]: sought.keys[group] as Buffer }).length > 0,
      ).length;
      const times = await this.#end(kill);
      const problems = await this.#look(image, home, sought, sessions);
      if (kill.again === true) problems.push(...(await this.#again(image, home, sought)));
      const events = await this.#events();
      return { sessions, ...times, ...events, keysBefore, problems };
    } finally {
      await this.#world?.close(false);
      unmountImage(home);
    }
  }

  /** As many sessions as were asked for, all of them at the collector, and nothing new. */
  async #collect(): Promise<number> {
    await this.#until(async () => (await this.#count()) >= this.#sessions, 'the sessions');
    this.#world.writer.stop();
    await this.#until(
      async () => (await this.#count()) === this.#world.writer.rows.length,
      'the last sessions',
    );
    const { items } = await this.#world.api<{ items: Item[] }>('GET', '/v1/agreements');
    this.#agreement = items.find(({ mode }) => mode === 'managed')?.id ?? '';
    return this.#world.writer.rows.length;
  }

  async #count(): Promise<number> {
    return (await this.#world.api<{ items: Item[] }>('GET', '/v1/sessions?limit=10000')).items.length;
  }

  /** Private halves of the agreement's groups, and what stands in its sessions. */
  #sought(): { keys: Record<string, Buffer>; texts: Record<string, string> } {
    const db = new Sqlite(this.#world.collectorDatabase, { readonly: true });
    const rows = db.prepare('SELECT grp FROM key_groups WHERE agreement = ?').all(this.#agreement);
    db.close();
    const all = keysIn(join(this.#world.collectorState, 'keys.slots'));
    const keys = Object.fromEntries(
      (rows as { grp: string }[]).map(({ grp }) => [grp, all.get(grp) ?? Buffer.alloc(32)]),
    );
    const peers = this.#world.writer.rows.map(({ peerId }) => peerId).filter((peer) => peer.length >= 9);
    // The names stand in nearly every session; of the peers some, spread over all of them: each look reads the device.
    const some = peers.filter((_, i) => i % Math.ceil(peers.length / PEERS) === 0);
    const texts = Object.fromEntries([...some, ...NAMES].map((text) => [text, text]));
    return { keys, texts };
  }

  /** Asked for by one person, approved by another; then somebody is killed, and started again. */
  async #end(kill: Kill): Promise<Pick<EndingResult, 'erasedMs' | 'endedMs' | 'atDeath'>> {
    const approval = await this.#ask();
    if (kill.point !== undefined) this.#world.arm(kill.point, 1);
    const began = performance.now();
    await this.#world.api('POST', `/v1/approvals/${approval}/approve`, {});
    if (kill.agent === true) await this.#world.agent.kill();
    if (kill.point !== undefined) await this.#world.collector.died;
    this.#world.disarm();
    const atDeath = kill.point === undefined && kill.agent !== true ? null : this.#groupStates();
    this.#world.startDead();
    await this.#until(async () => (await this.#state()) !== 'ending', 'the erasing to begin');
    await this.#until(async () => (await this.#live()) === 0, 'the last key group');
    const erasedMs = performance.now() - began;
    await this.#until(async () => (await this.#state()) === 'ended', 'everybody to be done');
    return { erasedMs, endedMs: performance.now() - began, atDeath };
  }

  async #ask(): Promise<string> {
    const second = await this.#world.api<{ token: string }>('POST', '/v1/people', { role: 'dpo' });
    const { listen } = this.#world.collector.spec.config as { listen: string };
    const ca = readFileSync(join(this.#world.collectorState, 'ca.pem'), 'utf8');
    const path = `/v1/agreements/${this.#agreement}/end-now`;
    const headers = { authorization: `Bearer ${second.token}` };
    const { body } = await http(listen, ca, 'POST', path, { reason: 'suite' }, headers);
    const { approval } = body.error as { approval?: string };
    if (approval === undefined) throw new Error(`not asked for: ${JSON.stringify(body)}`);
    return approval;
  }

  async #state(): Promise<unknown> {
    const { items } = await this.#world.api<{ items: Item[] }>('GET', '/v1/agreements');
    return items.find(({ id }) => id === this.#agreement)?.state;
  }

  #groupStates(): string {
    const db = new Sqlite(this.#world.collectorDatabase, { readonly: true });
    const rows = db
      .prepare(
        'SELECT state, COUNT(*) AS n FROM key_groups WHERE agreement = ? GROUP BY state ORDER BY state',
      )
      .all(this.#agreement) as { state: string; n: number }[];
    db.close();
    return rows.map(({ state, n }) => `${n} ${state}`).join(', ');
  }

  /** Key groups of the agreement that are not erased yet. */
  async #live(): Promise<number> {
    const db = new Sqlite(this.#world.collectorDatabase, { readonly: true });
    const { n } = db
      .prepare("SELECT COUNT(*) AS n FROM key_groups WHERE agreement = ? AND state <> 'erased'")
      .get(this.#agreement) as { n: number };
    db.close();
    return n;
  }

  async #events(): Promise<{ started: number; done: number }> {
    const db = new Sqlite(this.#world.collectorDatabase, { readonly: true });
    const of = (type: string) =>
      (db.prepare('SELECT COUNT(*) AS n FROM leaves WHERE type = ?').get(type) as { n: number }).n;
    const counts = { started: of('erasure.started'), done: of('erasure.done') };
    db.close();
    return counts;
  }

  /** S3: while both run, after both have stopped, and on the device. */
  async #look(
    image: string,
    home: string,
    { keys, texts }: { keys: Sought; texts: Sought },
    sessions: number,
  ): Promise<string[]> {
    const world = this.#world;
    const problems: string[] = [];
    const folders = [world.collectorState, world.keys2, world.agentState];
    const tell = (when: string) => {
      for (const { file, what, form } of leftovers(folders, { ...keys, ...texts })) {
        problems.push(`${when}: ${what in keys ? 'a key' : 'a text'} as ${form} in ${file}`);
      }
    };
    tell('while they run');
    const { items } = await world.api<{ items: Item[] }>('GET', '/v1/sessions?limit=10000');
    if (items.length !== sessions)
      problems.push(`${items.length} sessions are listed, ${sessions} there were`);
    const shown = items.filter((item) => item.peer !== null || item.personal !== 'erased');
    if (shown.length > 0) problems.push(`${shown.length} sessions are not shown as erased`);
    await Promise.all([world.agent.stop(), world.collector.stop()]);
    tell('after both stopped');
    syncHome(home);
    for (const { what, form } of needlesFound(image, { ...keys, ...texts })) {
      problems.push(`on the device: ${what in keys ? 'a key' : 'a text'} as ${form}`);
    }
    return [...new Set(problems)];
  }

  /** S5, M8, V60: what the new agent told, and once more what is on the disks. */
  async #again(image: string, home: string, sought: { keys: Sought; texts: Sought }): Promise<string[]> {
    const world = this.#world;
    world.startDead();
    await this.#until(async () => (await this.#count()) > 0, 'the collector');
    const problems = await readAgain(world);
    syncHome(home);
    const folders = [world.collectorState, world.keys2, world.agentState];
    const all = { ...sought.keys, ...sought.texts };
    for (const { file, form } of leftovers(folders, all)) problems.push(`read again: as ${form} in ${file}`);
    for (const { form } of needlesFound(image, all)) problems.push(`read again: as ${form} on the device`);
    return problems;
  }

  async #until(met: () => Promise<boolean>, what: string): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS; ; await sleep(20)) {
      if (await met().catch(() => false)) return;
      if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    }
  }
}

/** Everything that ext4 still holds goes to the device. */
function syncHome(home: string): void {
  execFileSync('sync', ['-f', home]);
}
