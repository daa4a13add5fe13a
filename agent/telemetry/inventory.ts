/**
 * What the machine is: system, virtualisation, labels of disks. Asked with `systeminformation` shortly after the
 * start and when the operator's schedule says so; it starts programs of the system for that (PowerShell on Windows),
 * which is why nothing of it is asked in between.
 */
import { release, type } from 'node:os';
import { type Clock, SECOND_MS } from '../../protocol/time.ts';
import type { AgentLog } from '../log.ts';
import { cronMatcher, type Matcher, onSchedule, siteZone } from './schedule.ts';

/** After the start: what is read and sent comes first. */
export const FIRST_MS = 20 * SECOND_MS;
/** Longest that the system's programs may take together. */
const ANSWER_MS = 120 * SECOND_MS;
const MAX_OS = 128;
const MAX_VIRTUALISATION = 64;
const MAX_LABEL = 128;

export interface Inventory {
  os: string;
  virtualisation: string;
  /** By mount point. */
  labels: ReadonlyMap<string, string>;
}

/** Loads the library only now: it takes some ten megabytes. */
export async function readInventory(): Promise<Inventory> {
  const { osInfo, system, blockDevices } = (await import('systeminformation')).default;
  const { distro, release: version, codename, kernel } = await osInfo();
  const { virtual, virtualHost, model } = await system();
  const named = codename === '' ? version : `${version} (${codename})`;
  return {
    os: `${distro} ${named}, ${kernel === '' ? `${type()} ${release()}` : kernel}`.slice(0, MAX_OS),
    virtualisation: kindOf(virtual, virtualHost ?? '', model).slice(0, MAX_VIRTUALISATION),
    labels: new Map(
      (await blockDevices())
        .filter(({ mount, label }) => mount !== '' && label !== '')
        .map(({ mount, label }) => [mount, label.slice(0, MAX_LABEL)]),
    ),
  };
}

function kindOf(virtual: boolean, host: string, model: string): string {
  if (virtual) return host === '' ? 'virtual' : host;
  return /container/i.test(model) ? 'container' : 'none';
}

export interface InventoryDeps {
  clock: Clock;
  log: AgentLog;
  /** Five cron fields, site time. */
  schedule: string;
  read(): Promise<Inventory>;
  /** Told of each one that came. */
  taken(inventory: Inventory): void;
}

/** Takes the inventory soon, and then on schedule. A failure is tried again the next time. */
export class InventoryTaker {
  readonly #deps: InventoryDeps;
  #cancel: (() => void)[] = [];
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: InventoryDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock } = this.#deps;
    this.#stopped = false;
    this.#cancel.push(clock.after(FIRST_MS, () => void this.#begin()));
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancel.splice(0)) cancel();
  }

  async #begin(): Promise<void> {
    const { clock, log, schedule } = this.#deps;
    await this.take();
    let matches: Matcher;
    try {
      matches = await cronMatcher(schedule, siteZone());
    } catch (error) {
      return log.trouble('inventory', error);
    }
    if (!this.#stopped) this.#cancel.push(onSchedule(clock, matches, () => void this.take()));
  }

  /** One at a time. */
  take(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#take());
    return this.#turn;
  }

  async #take(): Promise<void> {
    const { log, read, taken } = this.#deps;
    if (this.#stopped) return;
    try {
      const inventory = await this.#inTime(read());
      if (this.#stopped || inventory === null) return;
      taken(inventory);
      log.recovered('inventory');
    } catch (error) {
      log.trouble('inventory', error);
    }
  }

  /** A program of the system that hangs must not keep the next inventory from being taken. */
  #inTime(asked: Promise<Inventory>): Promise<Inventory | null> {
    let cancel = () => {};
    const late = new Promise<null>((resolve) => {
      cancel = this.#deps.clock.after(ANSWER_MS, () => resolve(null));
    });
    return Promise.race([asked, late]).finally(() => cancel());
  }
}
