/**
 * H6 with a real recorder: motion, fed by ffmpeg, records; a hold covers all of it; a script does what Frigate's cleaner does
 * to two of the recordings: it cuts them off and then unlinks them. The vault's copies are whole, and the collector has both:
 * what was copied, and what the recorder did.
 */

import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { askAgent } from '../../agent/control-client.ts';
import { silentLog } from '../../agent/log.ts';
import { enrol, markRoot, run as runAgent } from '../../agent/main.ts';
import { init, run as runCollector } from '../../collector/main.ts';
import { createToken } from '../../collector/tokens.ts';
import { freePort } from '../support/free-port.ts';
import { endGroup, query, startMotion, until, zone } from './motion.ts';
import { digest } from './vault-crash.ts';

/** Closed recordings before the hold is placed, and how many of them are cleaned away. */
const SEGMENTS = 4;
const CLEANED = 2;
const CLEANER = 'import os,sys\nfor p in sys.argv[1:]:\n open(p,"w").close()\n os.unlink(p)\n';

export async function motionVault(note: (text: string) => void): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'tilsyn-motion-vault-'));
  const programs: ChildProcess[] = [];
  const closing: (() => Promise<void>)[] = [];
  try {
    await play(home, programs, closing, note);
  } finally {
    for (const close of closing.reverse()) await close().catch(() => {});
    for (const one of programs) endGroup(one);
    rmSync(home, { recursive: true, force: true });
  }
}

async function play(
  home: string,
  programs: ChildProcess[],
  closing: (() => Promise<void>)[],
  note: (text: string) => void,
): Promise<void> {
  const root = join(home, 'recordings');
  mkdirSync(root);
  const port = await freePort();
  const [state, agentState] = [join(home, 'collector'), join(home, 'agent')];
  await init({ state, policy: 'none', url: `wss://127.0.0.1:${port}` });
  const collector = await runCollector({ state, listen: `127.0.0.1:${port}`, signals: false });
  closing.push(() => collector.stop());
  const names = { customer: 'Suite', site: 'Motion', person: null };
  const { text: token } = await createToken(collector.ctx, names);
  await enrol({ state: agentState, token });
  await markRoot(root);
  // The recorder erases, as is said by `mode: report`; small test disks are full by any measure of hours.
  const source = { type: 'recordings', root, layout: 'motion', timeZone: zone(), longestSegment: '10s' };
  const config = join(home, 'agent.yaml');
  const holds = { vault: { leaveHours: 0, ratePerSecond: '50 MB' } };
  writeFileSync(config, JSON.stringify({ sources: [source], holds, telemetry: null }));
  const agent = await runAgent({ state: agentState, config, signals: false, log: silentLog });
  closing.push(() => agent.stop());
  startMotion(home, root, await freePort(), programs);
  await until('the link', async () => agent.status().collector.state === 'live');
  await until(
    `${SEGMENTS} recordings are catalogued`,
    async () => catalogued(agentState).length >= SEGMENTS,
    90,
  );

  const hold = placeHold(agentState);
  const victims = catalogued(agentState).slice(0, CLEANED);
  const before = new Map(victims.map((name) => [name, digest(join(root, name))]));
  // A pass ends with a look at what is held; the order of the collector would say it at once.
  await askAgent(agentState, 'rescan');
  await until('the held recordings are copied', async () => copies(agentState).length >= SEGMENTS, 60);

  const cleaned = spawnSync('python3', ['-c', CLEANER, ...victims.map((name) => join(root, name))]);
  if (cleaned.status !== 0) throw new Error('the cleaner failed');
  await askAgent(agentState, 'rescan');
  await until('hold.violated is told', async () => told(agentState, 'hold.violated').length > 0, 30);
  const rows = new Map(copies(agentState).map(({ path, file }) => [path, file]));
  for (const [name, sum] of before) {
    const file = rows.get(name);
    if (file === undefined) throw new Error('a held recording was not copied');
    if (digest(join(agentState, 'vault', file)) !== sum) throw new Error('the copy is not what motion wrote');
  }
  const violated = told(agentState, 'hold.violated');
  const sums = violated.map(({ count, copied, reason }) => `${reason}: ${count}, of these ${copied} copied`);
  const covered = violated.every((data) => data.hold === hold && data.count === data.copied);
  const count = violated.reduce((sum, data) => sum + Number(data.count), 0);
  if (!covered || count < CLEANED) throw new Error(`hold.violated says ${sums.join('; ')}`);
  const left = readdirSync(root).filter((name) => name.endsWith('.mp4')).length;
  note(`${rows.size} copies, ${CLEANED} originals cut off and unlinked, ${left} left; ${sums.join('; ')}`);
  await until('the collector has both', async () => {
    const has = async (type: string) =>
      (await collector.ctx.store.read.leaves({ types: [type], limit: 10 })).length;
    return (await has('vault.copied')) > 0 && (await has('hold.violated')) > 0;
  });
}

/** Finished, by the catalogue; the oldest first. */
function catalogued(state: string): string[] {
  const sql = 'SELECT name FROM recordings WHERE state = 0 AND size > 0 ORDER BY start';
  return query<{ name: Buffer }>(state, sql).map(({ name }) => name.toString());
}

function copies(state: string): { path: string; file: string }[] {
  const rows = query<{ path: Buffer; file: Buffer }>(
    state,
    'SELECT path, file FROM vault_copies WHERE state = 2',
  );
  return rows.map(({ path, file }) => ({ path: path.toString(), file: file.toString('hex') }));
}

function told(state: string, type: string): Record<string, unknown>[] {
  const leaves = query<{ bytes: string }>(state, 'SELECT bytes FROM leaves');
  const events = leaves.map(
    ({ bytes }) => JSON.parse(bytes) as { type: string; data: Record<string, unknown> },
  );
  return events.filter((event) => event.type === type).map(({ data }) => data);
}

/** A hold over everything, as the order of a collector would leave it. */
function placeHold(state: string): string {
  const db = new Sqlite(join(state, 'agent.db'), { timeout: 5_000 });
  try {
    const scope = JSON.stringify({ from: null, to: null });
    const sql = "INSERT INTO holds (hold, kind, scope) VALUES (randomblob(16), 'crime', ?) RETURNING hold";
    return (db.prepare(sql).get(scope) as { hold: Buffer }).hold.toString('hex');
  } finally {
    db.close();
  }
}
