/**
 * The fast values: processor, memory, uptime and disks, from `node:os` and `fs.statfs`. Starts no child process.
 *
 * T15 A disk that does not answer holds nothing up: it is left out until it does, and is asked once at a time.
 */
import { lstat, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem, uptime } from 'node:os';
import { MAX_DISKS } from '../../protocol/telemetry.ts';
import type { Clock } from '../../protocol/time.ts';
import { Patience } from '../patience.ts';
import { linuxMounts, WINDOWS_DRIVES } from './mounts.ts';

/** Longest that a disk may take to say how full it is. */
const MB = 1024 * 1024;

export interface Space {
  usedPermille: number;
  freeMb: number;
  totalMb: number;
  /** Null where the file system has none. */
  inodesUsedPermille: number | null;
}

/** The machine as it is asked; tests hand in another one. */
export interface Machine {
  /** Of all cores since they started, in any unit. */
  cpu(): { busy: number; all: number };
  memory(): { free: number; total: number };
  uptimeSeconds(): number;
  /** Real local disks by their mount points. */
  mounts(): Promise<string[]>;
  /** @throws where the system does not say */
  space(mount: string): Promise<Space>;
  /** What counts as free memory says how much can be had; on macOS it does not. */
  readonly memoryIsTelling: boolean;
}

/** @param platform as Node names it */
export function thisMachine(platform: string): Machine {
  return {
    cpu: cpuTimes,
    memory: () => ({ free: freemem(), total: totalmem() }),
    uptimeSeconds: () => Math.floor(uptime()),
    mounts: () => mountsOf(platform),
    space: spaceOf,
    memoryIsTelling: platform !== 'darwin',
  };
}

function cpuTimes(): { busy: number; all: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, all: busy + idle };
}

async function mountsOf(platform: string): Promise<string[]> {
  if (platform === 'linux') return linuxMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  if (platform === 'win32') return await answering(WINDOWS_DRIVES);
  return await differing(['/', ...(await volumes())]);
}

/** Drive letters that are there. */
async function answering(paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(
    paths.map((path) =>
      statfs(path).then(
        ({ blocks }) => Number(blocks) > 0,
        () => false,
      ),
    ),
  );
  return paths.filter((_path, n) => there[n]);
}

/** macOS puts disks, shares and a link to the root there. */
async function volumes(): Promise<string[]> {
  const names = await readdir('/Volumes').catch(() => []);
  return names.map((name) => `/Volumes/${name}`).sort();
}

/** One path per device; links lead to disks that are named already. */
async function differing(paths: readonly string[]): Promise<string[]> {
  const seen = new Set<number>();
  const kept: string[] = [];
  for (const path of paths) {
    const device = await deviceOf(path);
    if (device === null || seen.has(device)) continue;
    seen.add(device);
    kept.push(path);
  }
  return kept.slice(0, MAX_DISKS);
}

async function deviceOf(path: string): Promise<number | null> {
  try {
    return (await lstat(path)).isSymbolicLink() ? null : (await stat(path)).dev;
  } catch {
    return null;
  }
}

/** As `df` reckons it: what is kept back for root is neither used nor free. */
export async function spaceOf(path: string): Promise<Space> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
  const used = Math.max(0, blocks - bfree);
  return {
    usedPermille: share(used, used + bavail),
    freeMb: Math.floor((bavail * bsize) / MB),
    totalMb: Math.floor((blocks * bsize) / MB),
    inodesUsedPermille: files > 0 ? share(Math.max(0, files - ffree), files) : null,
  };
}

/** Per mille, 0 to 1000. */
export function share(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(1000, Math.max(0, Math.round((part / whole) * 1000)));
}

/** Asks the machine, and remembers what it needs from one time to the next. */
export class Probe {
  readonly #machine: Machine;
  readonly #patience: Patience;
  #cpu: { busy: number; all: number } | null = null;

  constructor(machine: Machine, clock: Clock) {
    this.#machine = machine;
    this.#patience = new Patience(clock);
  }

  /** Of all cores since the last call, per mille; null the first time. */
  cpu(): number | null {
    const before = this.#cpu;
    const now = this.#machine.cpu();
    this.#cpu = now;
    return before === null || now.all <= before.all
      ? null
      : share(now.busy - before.busy, now.all - before.all);
  }

  /** Space by mount point, in order; null where a disk did not answer. */
  async disks(): Promise<Map<string, Space | null>> {
    const mounts = await this.#machine.mounts();
    const spaces = await Promise.all(mounts.map((mount) => this.space(mount)));
    return new Map(mounts.map((mount, n) => [mount, spaces[n] ?? null]));
  }

  /** Null where it does not answer now, or still owes an answer (T15). */
  async space(mount: string): Promise<Space | null> {
    return await this.#patience.ask(mount, () => this.#machine.space(mount));
  }
}
