/** One power cut: the writer stands still, the backing file is copied, mounted elsewhere, opened and verified. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../agent/db.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import type { Child } from '../faults/child.ts';
import { Dice } from '../faults/random.ts';
import { type Flags, logTag } from '../support/flags.ts';
import { verifyChains } from '../support/verify-chains.ts';
import { World } from '../support/world.ts';
import { copyImage, makeImage, mountImage, unmountImage } from './image.ts';

export type Side = 'agent' | 'collector';

export interface CutResult {
  cuts: number;
  /** One line per cut that lost something. */
  failures: string[];
  rows: number;
  seconds: number;
}

const IMAGE_MB = 128;
const ROWS_PER_SECOND = 60;
const PATIENCE_MS = 60_000;

/** What must be in the copy: everything of this log through here. */
interface Promised {
  tag: number;
  through: number;
}

export class PowerCuts {
  readonly #side: Side;
  readonly #dir: string;
  readonly #dice: Dice;
  readonly #image: string;
  readonly #home: string;
  #world!: World;

  constructor(side: Side, dir: string, seed: number) {
    this.#side = side;
    this.#dir = dir;
    this.#dice = new Dice(seed);
    this.#image = join(dir, `${side}.img`);
    this.#home = join(dir, `${side}-home`);
  }

  /** Cuts the power `times` times; with `untilLost` only until something was lost. */
  async run(times: number, broken: string[], untilLost: boolean): Promise<CutResult> {
    const began = performance.now();
    makeImage(this.#image, IMAGE_MB);
    mountImage(this.#image, this.#home);
    const failures: string[] = [];
    let cuts = 0;
    try {
      await this.#build(broken);
      for (; cuts < times && !(untilLost && failures.length > 0); cuts += 1) {
        const problems = await this.#cut();
        if (problems.length > 0) failures.push(`cut ${cuts + 1}: ${problems.slice(0, 3).join('; ')}`);
      }
      return { cuts, failures, rows: this.#world.writer.rows.length, seconds: secondsSince(began) };
    } finally {
      await this.#world?.close(false);
      unmountImage(this.#home);
      rmSync(this.#image, { force: true });
    }
  }

  async #build(broken: string[]): Promise<void> {
    const home = this.#side === 'agent' ? { agentHome: this.#home } : { collectorHome: this.#home };
    this.#world = await World.create({
      dice: this.#dice,
      broken,
      rowsPerSecond: ROWS_PER_SECOND,
      fakeClock: false,
      ...home,
    });
    await this.#until(() => this.#world.flags().agent.ackedThrough > 0, 'a first ack');
    // What is there by now may stay: a cut is to show what it takes of the events, not of an empty disk.
    execFileSync('sync', ['-f', this.#home]);
  }

  async #cut(): Promise<string[]> {
    const promised = await (this.#side === 'agent' ? this.#stopAgent() : this.#stopCollector());
    const copy = join(this.#dir, `${this.#side}-copy.img`);
    copyImage(this.#image, copy);
    this.#victim.signal('SIGCONT');
    const found = join(this.#dir, `${this.#side}-copy`);
    try {
      mountImage(copy, found);
      return await this.#verify(found, promised);
    } catch (error) {
      return [`what was left cannot be opened: ${error instanceof Error ? error.message : String(error)}`];
    } finally {
      unmountImage(found);
      rmSync(copy, { force: true });
    }
  }

  get #victim(): Child {
    return this.#side === 'agent' ? this.#world.agent : this.#world.collector;
  }

  /** Just before it sends: all that is on its way or about to be must be on the disk. */
  async #stopAgent(): Promise<Promised> {
    this.#world.arm('agent.send.before', this.#dice.int(1, 3), 'stop');
    await this.#until(() => this.#world.agent.stopped, 'the agent to stop before it sends');
    this.#world.disarm();
    return place('sending', this.#world.flags().agent);
  }

  /** Just after an ack came in: the flag was written before the agent did anything with it. */
  async #stopCollector(): Promise<Promised> {
    await sleep(this.#dice.int(0, 200));
    const before = this.#world.flags().agent.ackedThrough;
    await this.#until(() => this.#world.flags().agent.ackedThrough !== before, 'an ack', 1);
    const promised = place('acked', this.#world.flags().agent);
    this.#world.collector.signal('SIGSTOP');
    await this.#until(() => this.#world.collector.stopped, 'the collector to stop', 1);
    return promised;
  }

  async #verify(found: string, { tag, through }: Promised): Promise<string[]> {
    const path = join(found, this.#side, this.#side === 'agent' ? 'agent.db' : 'collector.db');
    // First as the product opens it after the power came back: WAL replayed, checked, migrated.
    if (this.#side === 'agent') openDatabase(path).close();
    else await (await openStore(path)).close();
    const { chains, problems } = verifyChains(path, this.#side);
    const chain = [...chains.values()].find(({ log }) => logTag(log) === tag);
    if (chain === undefined) return [...problems, 'the log itself is not there'];
    const what = this.#side === 'agent' ? 'sent' : 'acked';
    if (chain.through < through) problems.push(`${what} through ${through}, on the disk ${chain.through}`);
    return problems;
  }

  async #until(met: () => boolean, what: string, everyMs = 5): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS; !met(); await sleep(everyMs)) {
      if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
      if (!this.#world.agent.alive || !this.#world.collector.alive)
        throw new Error('a process ended by itself');
    }
  }
}

function place(which: 'sending' | 'acked', flags: Flags): Promised {
  return { tag: flags[`${which}Log`], through: flags[`${which}Through`] };
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
