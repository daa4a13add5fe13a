/**
 * The end of a world: faults are off, everything has drained. Every row that was written is exactly one session,
 * every chain verifies on both sides, nothing was believed that is not so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { check } from '../../agent/main.ts';
import { type Chain, type ChainReport, compareChains, verifyChains } from '../support/verify-chains.ts';
import type { World } from '../support/world.ts';
import type { WrittenRow } from '../support/writer.ts';
import { keyProblems } from './check-keys.ts';

export interface Verdict {
  problems: string[];
  inGaps: number;
}

/** Without a new event at the collector for so long, nothing more will come. */
const SILENCE_MS = 25_000;
/** The same where all that must come is here, and only rows that may be lost are not. */
const SHORT_SILENCE_MS = 6_000;
const LOOK_MS = 250;

/** As `session list -o json` prints it; only what is compared here. */
interface Session {
  id: string;
  startedAt: string;
  endedAt: string | null;
  peer: { id: string } | null;
  state: string;
}

/** Waits until everything has arrived, or until nothing moves any more. False: something was not acked. */
export async function drain(world: World): Promise<boolean> {
  const rows = world.writer.rows.filter((row) => !row.torn);
  const least = rows.filter((row) => !mayBeLost(world, row)).length;
  let last = -1;
  let since = performance.now();
  for (;;) {
    const { sessions, leaves } = counts(world.collectorDatabase);
    if (leaves !== last) since = performance.now();
    last = leaves;
    const done = acked(world);
    const silent = performance.now() - since;
    if (done && (sessions >= rows.length || (sessions >= least && silent > SHORT_SILENCE_MS))) return true;
    if (silent > SILENCE_MS) return done;
    await sleep(LOOK_MS);
  }
}

function counts(path: string): { sessions: number; leaves: number } {
  const db = new Sqlite(path, { readonly: true });
  try {
    const one = (sql: string) => Number(db.prepare<[], { n: number }>(sql).get()?.n);
    return {
      sessions: one("SELECT count(*) AS n FROM leaves WHERE type = 'session.started'"),
      leaves: one(
        'SELECT count(*) AS n FROM leaves WHERE log IN (SELECT id FROM logs WHERE agent IS NOT NULL)',
      ),
    };
  } finally {
    db.close();
  }
}

function acked(world: World): boolean {
  const db = new Sqlite(world.agentDatabase, { readonly: true });
  try {
    const row = db.prepare<[], { n: number }>('SELECT sum(next - 1 - acked) AS n FROM logs').get();
    return row?.n === 0;
  } finally {
    db.close();
  }
}

/** Looks at a world whose two processes run in good weather; stops them on the way. */
export async function checkWorld(world: World): Promise<Verdict> {
  const problems: string[] = [];
  if (!(await drain(world))) problems.push('the agent did not drain');
  const { findings } = await check({ state: world.agentState });
  for (const { code, count } of findings) problems.push(`agent check: ${count} × ${code}`);
  const sessions = await listSessions(world);
  for (const child of [world.agent, world.collector]) {
    const { code, signal } = await child.stop();
    if (code !== 0) problems.push(`an orderly stop ended with ${code ?? signal}; see ${child.spec.logFile}`);
  }
  const agent = verifyChains(world.agentDatabase, 'agent');
  const collector = verifyChains(world.collectorDatabase, 'collector');
  problems.push(...agent.problems, ...collector.problems, ...compareChains(agent, collector));
  problems.push(...lifeProblems(agent, collector), ...(await keyProblems(world)));
  problems.push(...world.unexpected());
  const rows = compareRows(world, sessions, gapsOf(collector));
  problems.push(...rows.problems);
  return { problems, inGaps: rows.inGaps };
}

async function listSessions(world: World): Promise<Session[]> {
  const all: Session[] = [];
  for (let after: string | null = null; ; ) {
    const query = new URLSearchParams({ limit: '10000', since: '2000-01-01T00:00:00.000Z' });
    if (after !== null) query.set('after', after);
    const page: { items: Session[]; next: string | null } = await world.api('GET', `/v1/sessions?${query}`);
    all.push(...page.items);
    if (page.next === null) return all;
    after = page.next;
  }
}

/** Kills lose nothing, so nothing may ever be taken for a loss, a fork or a second process. */
const NEVER = new Set([
  'agent.restored',
  'agent.identity-conflict',
  'collector.restored',
  'log.forked',
  'log.quarantined',
  'sealed.invalid',
  'sealed.missing',
  'sealed.dropped',
  // Equal origins are merged: a row that was read twice would be hidden by it, and no two rows here are equal.
  'session.merged',
  'keyring.damaged',
  'source.unreadable',
]);

function lifeProblems(agent: ChainReport, collector: ChainReport): string[] {
  const problems: string[] = [];
  if (agent.chains.size !== 1) problems.push(`the agent has ${agent.chains.size} logs where one was enough`);
  for (const chain of collector.chains.values()) {
    if (chain.state !== 'open') problems.push(`collector: log ${chain.log.slice(0, 8)} is ${chain.state}`);
    const seen = new Map<string, number>();
    for (const { leaf } of chain.leaves) seen.set(leaf.type, (seen.get(leaf.type) ?? 0) + 1);
    for (const [type, n] of seen)
      if (NEVER.has(type)) problems.push(`${n} × ${type}, though nothing like it was`);
  }
  return problems;
}

interface Gap {
  from: number;
  to: number;
  /** The rows of a file were found in it. */
  used: boolean;
}

/** Source gaps that the collector knows: byte ranges. */
function gapsOf({ chains }: ChainReport): Gap[] {
  const leaves = [...chains.values()].flatMap((chain: Chain) => chain.leaves);
  return leaves
    .filter(({ leaf }) => leaf.type === 'journal.gap' && leaf.data.source !== null)
    .map(({ leaf }) => ({ from: Number(leaf.data.from), to: Number(leaf.data.to), used: false }));
}

function compareRows(world: World, sessions: Session[], gaps: Gap[]): Verdict {
  const problems: string[] = [];
  const byStart = new Map<number, Session[]>();
  for (const session of sessions) {
    const at = Date.parse(session.startedAt);
    byStart.set(at, [...(byStart.get(at) ?? []), session]);
  }
  const missing: WrittenRow[] = [];
  for (const row of world.writer.rows) {
    const found = byStart.get(row.startedAt) ?? [];
    byStart.delete(row.startedAt);
    if (row.torn) continue;
    if (found.length === 0) missing.push(row);
    else if (found.length > 1) problems.push(`row ${row.index} is ${found.length} sessions`);
    else problems.push(...rowProblems(row, found[0] as Session));
  }
  const named = lossesInGaps(world, missing, gaps);
  const inGaps = named.size;
  for (const row of missing) {
    if (named.has(row)) continue;
    problems.push(`row ${row.index} (file ${row.generation}, bytes ${row.from}–${row.to}) is no session`);
  }
  if (gaps.some((gap) => !gap.used)) problems.push('a gap names bytes of which nothing was lost');
  const extra = [...byStart.values()].flat();
  for (const session of extra) problems.push(`session ${session.id} is no row that was written`);
  return { problems, inGaps };
}

/** The rows of one emptied file must lie in one gap, and a gap speaks of one file only. */
function lossesInGaps(world: World, missing: WrittenRow[], gaps: Gap[]): Set<WrittenRow> {
  const named = new Set<WrittenRow>();
  const generations = new Map<number, WrittenRow[]>();
  for (const row of missing.filter((one) => mayBeLost(world, one))) {
    generations.set(row.generation, [...(generations.get(row.generation) ?? []), row]);
  }
  for (const rows of generations.values()) {
    const from = Math.min(...rows.map((row) => row.from));
    const to = Math.max(...rows.map((row) => row.to));
    const gap = gaps.find((one) => !one.used && one.from <= from && to <= one.to);
    if (gap === undefined) continue;
    gap.used = true;
    for (const row of rows) named.add(row);
  }
  return named;
}

function rowProblems(row: WrittenRow, session: Session): string[] {
  const problems: string[] = [];
  if (session.peer?.id !== row.peerId)
    problems.push(`row ${row.index}: peer ${session.peer?.id ?? 'unopened'}`);
  if (session.endedAt === null || Date.parse(session.endedAt) !== row.endedAt) {
    problems.push(`row ${row.index}: ended at ${session.endedAt}`);
  }
  return problems;
}

/**
 * Rotated away while the disk was full, and the old content is nowhere any more. A file that was only deleted is
 * somewhere: in the hands of the agent, which has it open.
 */
function mayBeLost(world: World, row: WrittenRow): boolean {
  const rotation = world.writer.rotations[row.generation - 1];
  return rotation !== undefined && rotation.kind === 'truncate' && rotation.whileFull;
}
