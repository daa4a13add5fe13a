/**
 * How fast a connections file is read: 100 MB through `source test` and through the follower, beside `wc -l`
 * and `grep -c` on the same file. The file is in the page cache for all of them.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Follower } from '../agent/sources/follow.ts';
import { isCompleteRow, parseConnectionRow } from '../agent/sources/teamviewer.ts';
import { testSource } from '../agent/sources/test-source.ts';
import { systemClock } from '../protocol/time.ts';
import { fakeRows, records } from '../test/fixtures/teamviewer.ts';
import { type BenchResult, resultLine } from './result.ts';

const FILE_BYTES = 100_000_000;
const ROUNDS = 3;
/** Lines of one step, as the agent takes them. */
const STEP_LINES = 500;

/** Writes the file into a folder of its own, measures, and removes it. Takes about ten seconds. */
export async function parseBench(): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-bench-'));
  try {
    const file = join(dir, 'Connections_incoming.txt');
    const rows = writeFile(file);
    const wc = await best(() => command('wc', '-l', file));
    const grep = await best(() => command('grep', '-c', 'RemoteControl', file));
    const parse = await best(() => parseFile(file, rows));
    const follow = await best(() => followFile(file, rows));
    return [
      { name: 'parse 100 MB of sessions', value: parse, unit: 's', against: { name: 'wc -l', value: wc } },
      {
        name: 'parse 100 MB of sessions',
        value: parse,
        unit: 's',
        against: { name: 'grep -c', value: grep },
      },
      { name: 'parse', value: rows / parse, unit: 'rows/s' },
      { name: 'follow and parse', value: rows / follow, unit: 'rows/s', target: '≥ 100,000 rows/s' },
    ];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Returns the number of rows. */
function writeFile(file: string): number {
  const handle = openSync(file, 'w');
  let bytes = 0;
  let rows = 0;
  while (bytes < FILE_BYTES) {
    bytes += writeSync(handle, records(fakeRows(rows, rows + 10_000), '\r\n'));
    rows += 10_000;
  }
  closeSync(handle);
  return rows;
}

async function parseFile(file: string, rows: number): Promise<void> {
  const { sessions } = await testSource(file, 'teamviewer');
  if (sessions !== rows) throw new Error(`parsed ${sessions} of ${rows} rows`);
}

async function followFile(path: string, rows: number): Promise<void> {
  const key = Buffer.alloc(32);
  const follower = new Follower({ path, clock: systemClock, state: null, key, isComplete: isCompleteRow });
  let sessions = 0;
  for (let more = true; more; ) {
    const step = await follower.step(STEP_LINES);
    for (const line of step.lines) sessions += Number(parseConnectionRow(line.text).ok);
    follower.accept(step);
    more = step.more;
  }
  await follower.close();
  if (sessions !== rows) throw new Error(`followed ${sessions} of ${rows} rows`);
}

export function command(name: string, ...args: string[]): void {
  // Into a pipe: grep stops at the first match where nobody listens.
  const { status } = spawnSync(name, args, { stdio: 'pipe' });
  if (status !== 0) throw new Error(`${name} failed`);
}

/** Seconds of the fastest of three rounds. */
export async function best(act: () => Promise<void> | void): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await act();
    fastest = Math.min(fastest, (performance.now() - start) / 1000);
  }
  return fastest;
}

if (import.meta.main) for (const result of await parseBench()) console.log(resultLine(result));
