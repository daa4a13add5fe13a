/**
 * One pass, or one chokidar, in a process of its own: `first|again|chokidar ROOT STATE`. `again` goes on with what `first` left.
 * Prints what it measured as JSON.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureStateDir } from '../agent/files.ts';
import { type OpenedJournal, openJournal } from '../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../agent/keys.ts';
import { layoutOf } from '../agent/recordings/layouts/index.ts';
import { rest } from '../agent/recordings/rest.ts';
import { identityOf, MARKER_FILE, markerText, readMarker } from '../agent/recordings/root.ts';
import { Scanner } from '../agent/recordings/scan.ts';
import { keepHeapSmall } from '../cli/agent-run.ts';
import { newId, type SourceId } from '../protocol/ids.ts';
import { newSigningKey, publicText } from '../protocol/sign.ts';
import { systemClock } from '../protocol/time.ts';
import { Beat } from './beat.ts';

const [what = '', root = '', dir = ''] = process.argv.slice(2);
// As `agent run` has it.
keepHeapSmall();
console.log(JSON.stringify(what === 'chokidar' ? await chokidar() : await pass(what === 'first')));
process.exit(0);

function residentMb(): number {
  return process.memoryUsage.rss() / 1e6;
}

function open(): OpenedJournal {
  ensureStateDir(dir);
  const kept = join(dir, 'identity.bench');
  if (!existsSync(kept)) {
    const ids = { agent: newId(randomBytes), agreement: newId(randomBytes), site: newId(randomBytes) };
    const place = { url: 'wss://127.0.0.1:8443', collectorName: 'bench', ca: null };
    const identity = { ...ids, ...place, mode: 'managed', identity: publicText(newSigningKey()) };
    writeFileSync(kept, JSON.stringify({ ...identity, enrolledAt: '2026-11-22T08:00:00.000Z' }));
  }
  return openJournal({
    ...{ dir, clock: systemClock, random: randomBytes, version: 'bench' },
    ...{ key: ensureAgentKey(dir), digestKey: ensureDigestKey(dir, randomBytes) },
    identity: JSON.parse(readFileSync(kept, 'utf8')),
  });
}

async function pass(first: boolean) {
  const { journal, catalogue, sweeps } = open();
  const marked = readMarker(root);
  const source: SourceId = first || marked === null || marked === 'missing' ? newId(randomBytes) : marked;
  if (first) writeFileSync(join(root, MARKER_FILE), markerText(source));
  const id = catalogue.source(source, root, 'frigate', 'UTC');
  const before = statSync(join(dir, 'agent.db')).size;
  const scanner = new Scanner(
    { journal, catalogue, clock: systemClock, rest },
    {
      ...{ id, source, root, inodes: true },
      layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
      accepted: { source, root, fs: identityOf(root) },
    },
  );
  const beat = new Beat();
  const [began, used] = [performance.now(), process.cpuUsage()];
  const end = await scanner.pass(first ? {} : { full: false });
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(used);
  if (end !== 'done') throw new Error(`the pass ended with ${end}`);
  const [resident, bytes] = [residentMb(), statSync(join(dir, 'agent.db')).size - before];
  // Counted as the agent does after each pass, while the beat goes on.
  const { count: rows } = await sweeps.read.present(id, rest);
  const longest = beat.stop();
  const peakMb = (process.resourceUsage().maxRSS * 1024) / 1e6;
  journal.close();
  return {
    ms,
    cpuMs: (user + system) / 1000,
    residentMb: resident,
    peakMb,
    bytesPerRow: bytes / rows,
    rows,
    ...longest,
  };
}

async function chokidar() {
  const began = performance.now();
  const { watch } = await import('chokidar');
  await new Promise<void>((resolve) => watch(root, { ignoreInitial: true }).once('ready', () => resolve()));
  return { ms: performance.now() - began, residentMb: residentMb() };
}
