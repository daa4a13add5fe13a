/**
 * The catalogue's scan beside `find` and chokidar, over Frigate-style files of this bench's own making: five cameras, a
 * file every ten seconds. Each pass is a process of its own, so that its memory is only its own; before each, and before each
 * `find`, the system lets go of what it holds of its disks. In turns, each first as often as the other.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dropCaches, type Longest } from './beat.ts';
import type { BenchResult } from './result.ts';

const CAMERAS = ['front_door', 'yard', 'till', 'stairs', 'gate'];
const PER_FOLDER = 360;
const CHOKIDAR_FILES = 100_000;

export interface ScanPlan {
  files: number;
  rounds: number;
}

interface Pass extends Longest {
  ms: number;
  cpuMs: number;
  residentMb: number;
  peakMb: number;
  bytesPerRow: number;
  rows: number;
}

interface Ran {
  first: Pass;
  again: Pass;
  find: number;
  folders: number;
}

export async function recordingsScanBench({ files, rounds }: ScanPlan): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(process.env.TILSYN_BENCH_DIR ?? tmpdir(), 'tilsyn-scan-'));
  try {
    const root = join(dir, 'root');
    makeTree(root, files);
    const ran: Ran[] = [];
    for (let round = 0; round < rounds; round++) ran.push(await oneRound(dir, root, files, round % 2 === 0));
    const results = resultsOf(files, ran);
    if (files <= CHOKIDAR_FILES) {
      const watched = await child<{ ms: number; residentMb: number }>('chokidar', root, dir);
      results.push({ name: 'chokidar, same tree, ready', value: watched.ms, unit: 'ms' });
      results.push({ name: 'chokidar, same tree, resident', value: watched.residentMb, unit: 'MB' });
    }
    return results;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function oneRound(dir: string, root: string, files: number, oursFirst: boolean): Promise<Ran> {
  const state = join(dir, 'state');
  const theirs = () => ({
    find: timeOf('find', [root, '-printf', '%p %s %T@ %i\\n']),
    folders: timeOf('find', [root, '-type', 'd']),
  });
  const before = oursFirst ? null : theirs();
  const first = await child<Pass>('first', root, state);
  if (first.rows !== files) throw new Error(`catalogued ${first.rows} of ${files} files`);
  const again = await child<Pass>('again', root, state);
  rmSync(state, { recursive: true });
  return { first, again, ...(before ?? theirs()) };
}

function resultsOf(files: number, ran: readonly Ran[]): BenchResult[] {
  const of = (pick: (one: Ran) => number) => median(ran.map(pick));
  const most = (pick: (one: Ran) => number) => Math.max(...ran.map(pick));
  return [
    {
      ...{ name: `first scan of ${files} files`, value: of(({ first }) => first.ms), unit: 'ms' },
      against: { name: 'find -printf', value: of(({ find }) => find) },
    },
    {
      ...{
        name: 'first scan, times find -printf',
        value: of(({ first, find }) => first.ms / find),
        unit: '×',
      },
      target: '≤ 5',
    },
    { name: 'first scan, processor time', value: of(({ first }) => first.cpuMs), unit: 'ms' },
    {
      ...{ name: 'unchanged pass', value: of(({ again }) => again.ms), unit: 'ms' },
      against: { name: 'find -type d', value: of(({ folders }) => folders) },
    },
    {
      ...{ name: 'unchanged, times find -type d', value: of(({ again, folders }) => again.ms / folders) },
      ...{ unit: '×', target: '≤ 2' },
    },
    {
      name: 'resident after the first',
      value: most(({ first }) => first.residentMb),
      unit: 'MB',
      target: '≤ 150',
    },
    { name: 'resident at most', value: most(({ first }) => first.peakMb), unit: 'MB' },
    {
      ...{ name: 'catalogue, a recording', value: most(({ first }) => first.bytesPerRow), unit: 'bytes' },
      target: '≤ 120',
    },
    {
      ...{ name: 'longest time without an answer', value: of(({ first }) => first.longestMs), unit: 'ms' },
      target: '≤ 100',
    },
    { name: 'longest, own processor time', value: of(({ first }) => first.ownMs), unit: 'ms' },
  ];
}

function makeTree(root: string, files: number): void {
  const first = Date.UTC(2026, 0, 1);
  let made = 0;
  for (let hour = 0; made < files; hour++) {
    const iso = new Date(first + hour * 3_600_000).toISOString();
    for (const camera of CAMERAS) {
      const folder = join(root, iso.slice(0, 10), iso.slice(11, 13), camera);
      mkdirSync(folder, { recursive: true });
      for (let n = 0; n < PER_FOLDER && made < files; n++, made++) {
        const name = `${two(Math.floor(n / 6))}.${two((n % 6) * 10)}.mp4`;
        closeSync(openSync(join(folder, name), 'w'));
      }
    }
  }
  rested(root);
}

/** An hour old, so that folders are cold at once. */
function rested(root: string): void {
  const out = spawnSync('find', [root, '-type', 'd'], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  const at = statSync(root).mtimeMs / 1000 - 3600;
  for (const folder of out.trim().split('\n')) utimesSync(folder, at, at);
}

const two = (n: number): string => String(n).padStart(2, '0');

/** With nothing of the disk in memory. */
function timeOf(command: string, args: string[]): number {
  dropCaches();
  const began = performance.now();
  const done = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (done.status !== 0) throw new Error(`${command} failed`);
  return performance.now() - began;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function child<T>(what: string, root: string, state: string): Promise<T> {
  dropCaches();
  const path = fileURLToPath(new URL('./recordings-scan-child.ts', import.meta.url));
  const run = spawn(process.execPath, [path, what, root, state], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  run.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await new Promise((resolve) => run.once('close', resolve));
  return JSON.parse(text) as T;
}
