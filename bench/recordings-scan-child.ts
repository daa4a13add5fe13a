/** One scan, or one chokidar, in a process of its own: `scan|chokidar ROOT STATE`. Prints what it measured as JSON. */
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureStateDir } from '../agent/files.ts';
import { openJournal } from '../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../agent/keys.ts';
import { layoutOf } from '../agent/recordings/layouts/index.ts';
import { identityOf, MARKER_FILE, markerText } from '../agent/recordings/root.ts';
import { Scanner } from '../agent/recordings/scan.ts';
import { keepHeapSmall } from '../cli/agent-run.ts';
import { newId } from '../protocol/ids.ts';
import { newSigningKey, publicText } from '../protocol/sign.ts';
import { systemClock } from '../protocol/time.ts';

keepHeapSmall();
const [what = '', root = '', dir = ''] = process.argv.slice(2);
console.log(JSON.stringify(what === 'scan' ? await scan() : await chokidar()));
process.exit(0);

function residentMb(): number {
  return process.memoryUsage.rss() / 1e6;
}

async function scan() {
  ensureStateDir(dir);
  const key = ensureAgentKey(dir);
  const ids = { agent: newId(randomBytes), agreement: newId(randomBytes), site: newId(randomBytes) };
  const place = { url: 'wss://127.0.0.1:8443', collectorName: 'bench', ca: null };
  const opened = openJournal({
    ...{ dir, clock: systemClock, key, digestKey: ensureDigestKey(dir, randomBytes), random: randomBytes },
    ...{ version: 'bench' },
    identity: {
      ...{ ...ids, ...place, mode: 'managed', identity: publicText(newSigningKey()) },
      enrolledAt: '2026-11-22T08:00:00.000Z',
    } as Parameters<typeof openJournal>[0]['identity'],
  });
  const { journal, catalogue } = opened;
  const source = newId<'source'>(randomBytes);
  writeFileSync(join(root, MARKER_FILE), markerText(source));
  const id = catalogue.source(source, root, 'frigate', 'UTC');
  const before = statSync(join(dir, 'agent.db')).size;
  const scanner = new Scanner(
    {
      ...{ journal, catalogue, clock: systemClock },
      rest: () => new Promise((resolve) => setImmediate(resolve)),
    },
    {
      ...{ id, source, root, inodes: true },
      layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
      accepted: { source, root, fs: identityOf(root) },
    },
  );
  let longestMs = 0;
  let last = performance.now();
  const beat = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 1);
  const first = await timed(() => scanner.pass());
  const times: number[] = [];
  await sleep(100);
  // The marker was written just now: the root itself is the one folder that is read again.
  for (let round = 0; round < 5; round++) times.push(await timed(() => scanner.pass({ full: false })));
  clearInterval(beat);
  const { count: rows } = await opened.sweeps.read.present(id, async () => {});
  const bytesPerRow = (statSync(join(dir, 'agent.db')).size - before) / rows;
  const unchangedMs = times.sort((a, b) => a - b)[2] ?? 0;
  const peakMb = process.resourceUsage().maxRSS / 1000;
  return { firstMs: first, unchangedMs, residentMb: residentMb(), peakMb, bytesPerRow, rows, longestMs };
}

async function timed(act: () => Promise<string>): Promise<number> {
  const began = performance.now();
  const end = await act();
  if (end !== 'done') throw new Error(`the pass ended with ${end}`);
  return performance.now() - began;
}

async function chokidar() {
  const began = performance.now();
  const { watch } = await import('chokidar');
  await new Promise<void>((resolve) => watch(root, { ignoreInitial: true }).once('ready', () => resolve()));
  return { ms: performance.now() - began, residentMb: residentMb() };
}
