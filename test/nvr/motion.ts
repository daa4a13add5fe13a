/**
 * A real recorder: motion, fed by ffmpeg, writes three-second recordings into the root. The agent catalogues each as it is
 * finished and erases it when its (short) retention is over, while motion goes on recording.
 *
 * motion lives a day less some seconds behind (faketime): an agent never erases what is younger than a day.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { silentLog } from '../../agent/log.ts';
import { enrol, markRoot, run as runAgent } from '../../agent/main.ts';
import { issueCommand } from '../../collector/ingest/commands.ts';
import { init, run as runCollector } from '../../collector/main.ts';
import { createToken } from '../../collector/tokens.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { DAY_MS, SECOND_MS, systemClock, toIso } from '../../protocol/time.ts';
import { freePort } from '../support/free-port.ts';
import { policyOf } from './place.ts';

/** Retention is a day; a recording is due this long after its end. */
const DUE_MS = 12 * SECOND_MS;
const BEHIND_SECONDS = (DAY_MS - DUE_MS) / SECOND_MS;
const SEGMENTS = 8;

export async function motion(note: (text: string) => void): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'tilsyn-motion-'));
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
  const state = join(home, 'collector');
  const port = await freePort();
  await init({ state, policy: 'dk-msp', url: `wss://127.0.0.1:${port}` });
  const collector = await runCollector({ state, listen: `127.0.0.1:${port}`, signals: false });
  closing.push(() => collector.stop());
  // As `retention set` would put it in force; the collector gives it to the host by itself (V70).
  const record = { v: 1, pack: null, person: null, setAt: toIso(systemClock.now()), policy: policyOf('P1D') };
  await collector.ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
  const agentState = join(home, 'agent');
  const { text: token } = await createToken(collector.ctx, {
    customer: 'Suite',
    site: 'Motion',
    person: null,
  });
  await enrol({ state: agentState, token });
  await markRoot(root);
  const source = {
    type: 'recordings',
    root,
    layout: 'motion',
    timeZone: zone(),
    longestSegment: '10s',
    mode: 'erase',
  };
  const config = join(home, 'agent.yaml');
  writeFileSync(config, JSON.stringify({ sources: [source], neverEraseYoungerThan: 'P1D', telemetry: null }));
  const agent = await runAgent({ state: agentState, config, signals: false, log: silentLog });
  closing.push(() => agent.stop());
  startMotion(home, root, await freePort(), programs);

  const host = agent.status().agent as AgentId;
  await until('the link', async () => agent.status().collector.state === 'live');

  // Catalogued: how long after the last write of each file its row was whole.
  const late = await catalogued(agentState, root);
  note(
    `${late.length} recordings catalogued: median ${median(late)} ms, most ${Math.max(...late)} ms after they were finished`,
  );
  if (median(late) > 2_000) throw new Error('later than the 2 s that are promised');

  // The first sweep waits for a person.
  const plan = await waitingPlan(agentState, async () => {
    await issueCommand(collector.ctx, host, 'sweep.run', {}, null);
  });
  await issueCommand(collector.ctx, host, 'sweep.approve', { plan }, null);
  let erased = 0;
  await until(
    'recordings are erased',
    async () => {
      erased = rowsIn(agentState, 2);
      return erased >= 3;
    },
    60,
  );
  const before = newest(root);
  // And motion goes on: what it finished meanwhile comes and goes as well.
  await until('motion records on', async () => newest(root) > before, 30);
  await until(
    'later recordings go too',
    async () => {
      await issueCommand(collector.ctx, host, 'sweep.run', {}, null);
      await sleep(1_000);
      const waits = planOf(agentState);
      if (waits !== null) await issueCommand(collector.ctx, host, 'sweep.approve', { plan: waits }, null);
      return rowsIn(agentState, 2) >= erased + 3;
    },
    90,
  );
  const gone = rowsIn(agentState, 2);
  const left = readdirSync(root).filter((name) => name.endsWith('.mp4'));
  if (left.length === 0) throw new Error('motion’s newest recording is gone as well');
  const missing = rowsIn(agentState, 3);
  if (missing > 0) throw new Error(`${missing} recordings vanished without the agent`);
  note(`${gone} recordings erased while motion went on, ${left.length} are left, none is missing`);
  await until('the collector has it', async () => {
    const leaves = await collector.ctx.store.read.leaves({ types: ['recordings.erased'], limit: 100 });
    const told = leaves.reduce((sum, { bytes }) => sum + (JSON.parse(bytes).data.count as number), 0);
    return told >= gone;
  });
}

export function startMotion(home: string, root: string, port: number, programs: ChildProcess[]): void {
  const feed = `http://127.0.0.1:${port}/feed`;
  const conf = join(home, 'motion.conf');
  const lines = [
    'daemon off',
    'log_level 4',
    `target_dir ${root}`,
    `netcam_url ${feed}`,
    'width 320',
    'height 240',
    'framerate 5',
    'emulate_motion on',
    'event_gap 1',
    'movie_output on',
    'movie_max_time 3',
    'movie_codec mp4',
    'movie_filename %v-%Y%m%d%H%M%S',
    'picture_output off',
    'webcontrol_port 0',
    'stream_port 0',
  ];
  writeFileSync(conf, `${lines.join('\n')}\n`);
  const picture = ['-re', '-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10'];
  const out = ['-c:v', 'mjpeg', '-q:v', '5', '-f', 'mpjpeg', '-listen', '1', feed];
  programs.push(spawn('ffmpeg', ['-loglevel', 'error', ...picture, ...out], { stdio: 'ignore' }));
  const behind = `sleep 1; exec faketime -f -${BEHIND_SECONDS}s motion -c ${conf}`;
  programs.push(spawn('sh', ['-c', behind], { stdio: 'ignore', detached: true }));
}

/** faketime starts motion as a child of its own. */
export function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  for (const id of [-pid, pid]) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
}

/** For each recording that motion has closed: milliseconds from its last write until its row had its whole size. */
async function catalogued(state: string, root: string): Promise<number[]> {
  const late = new Map<string, number>();
  const closed = () =>
    readdirSync(root)
      .filter((name) => name.endsWith('.mp4'))
      .sort()
      .slice(0, -1);
  await until(
    `${SEGMENTS} recordings are catalogued`,
    async () => {
      const sizes = sizesIn(state);
      const now = systemClock.now();
      for (const name of closed()) {
        const { size, mtimeMs } = statSync(join(root, name));
        if (!late.has(name) && sizes.get(name) === size)
          late.set(name, Math.max(0, Math.round(now - mtimeMs)));
      }
      return late.size >= SEGMENTS;
    },
    90,
  );
  return [...late.values()];
}

export function query<T>(state: string, sql: string, ...values: unknown[]): T[] {
  const path = join(state, 'agent.db');
  if (!existsSync(path)) return [];
  const db = new Sqlite(path, { readonly: true });
  try {
    return db.prepare(sql).all(...values) as T[];
  } finally {
    db.close();
  }
}

function sizesIn(state: string): Map<string, number> {
  const rows = query<{ name: Buffer; size: number }>(
    state,
    'SELECT name, size FROM recordings WHERE size IS NOT NULL',
  );
  return new Map(rows.map(({ name, size }) => [name.toString(), size]));
}

function rowsIn(state: string, of: number): number {
  return query<{ n: number }>(state, 'SELECT count(*) AS n FROM recordings WHERE state = ?', of)[0]?.n ?? 0;
}

function planOf(state: string): string | null {
  const [plan] = query<{ plan: Buffer }>(state, 'SELECT plan FROM rec_plans WHERE approved_at IS NULL');
  return plan === undefined ? null : plan.plan.toString('hex');
}

async function waitingPlan(state: string, ask: () => Promise<void>): Promise<string> {
  let plan: string | null = null;
  await until(
    'a plan waits',
    async () => {
      await ask();
      await sleep(1_000);
      plan = planOf(state);
      return plan !== null;
    },
    60,
  );
  return plan ?? '';
}

function newest(root: string): string {
  return (
    readdirSync(root)
      .filter((name) => name.endsWith('.mp4'))
      .sort()
      .at(-1) ?? ''
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export async function until(what: string, is: () => Promise<boolean>, seconds = 30): Promise<void> {
  const end = systemClock.mono() + seconds * SECOND_MS;
  while (!(await is())) {
    if (systemClock.mono() > end) throw new Error(`not in ${seconds} s: ${what}`);
    await sleep(100);
  }
}
