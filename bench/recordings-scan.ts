/**
 * The catalogue's scan beside `find` and chokidar, over Frigate-style files of this bench's own making: five cameras, a
 * file every ten seconds. Each scan is a process of its own, so that its memory is only its own.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from './result.ts';

const CAMERAS = ['front_door', 'yard', 'till', 'stairs', 'gate'];
const PER_FOLDER = 360;
const CHOKIDAR_FILES = 100_000;

export interface ScanMeasured {
  firstMs: number;
  unchangedMs: number;
  residentMb: number;
  bytesPerRow: number;
  rows: number;
  longestMs: number;
}

export async function recordingsScanBench({ files }: { files: number }): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(process.env.TILSYN_BENCH_DIR ?? tmpdir(), 'tilsyn-scan-'));
  try {
    const root = join(dir, 'root');
    makeTree(root, files);
    const found = timeOf('find', [root, '-printf', '%p %s %T@ %i\\n']);
    const folders = timeOf('find', [root, '-type', 'd']);
    const scan = await child<ScanMeasured>('scan', root, join(dir, 'state'));
    if (scan.rows !== files) throw new Error(`catalogued ${scan.rows} of ${files} files`);
    const results: BenchResult[] = [
      {
        ...{ name: `first scan of ${files} files`, value: scan.firstMs, unit: 'ms' },
        against: { name: 'find -printf', value: found },
      },
      { name: 'first scan, times find -printf', value: scan.firstMs / found, unit: '×', target: '≤ 5' },
      {
        ...{ name: 'unchanged pass', value: scan.unchangedMs, unit: 'ms' },
        against: { name: 'find -type d', value: folders },
      },
      { name: 'unchanged, times find -type d', value: scan.unchangedMs / folders, unit: '×', target: '≤ 2' },
      { name: 'resident after both', value: scan.residentMb, unit: 'MB', target: '≤ 150' },
      { name: 'catalogue, a recording', value: scan.bytesPerRow, unit: 'bytes', target: '≤ 120' },
      { name: 'longest time without an answer', value: scan.longestMs, unit: 'ms', target: '≤ 100' },
    ];
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

/** Median of five. */
function timeOf(command: string, args: string[]): number {
  const times = Array.from({ length: 5 }, () => {
    const began = performance.now();
    const done = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    if (done.status !== 0) throw new Error(`${command} failed`);
    return performance.now() - began;
  });
  return times.sort((a, b) => a - b)[2] ?? 0;
}

async function child<T>(what: string, root: string, state: string): Promise<T> {
  const path = fileURLToPath(new URL('./recordings-scan-child.ts', import.meta.url));
  const run = spawn(process.execPath, [path, what, root, state], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  run.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await new Promise((resolve) => run.once('close', resolve));
  return JSON.parse(text) as T;
}
