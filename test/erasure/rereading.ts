/**
 * After the end of an agreement: the machine is set up anew, its new agent is enrolled at the same site under a new
 * agreement, and finds the log that the first one had read from its first row to its last.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import type { World } from '../support/world.ts';

const PATIENCE_MS = 60_000;

interface Item {
  id: string;
}
interface Leaf {
  type: string;
  data: Record<string, unknown>;
}

/** @returns what is not as it should be */
export async function readAgain(world: World): Promise<string[]> {
  const problems: string[] = [];
  const before = await listed(world);
  const told = tellers(world);
  await world.reinstall();
  const skips = await until(() => skipped(world), 'the new agent to have read the log');
  const counts = skips.map(({ data }) => `${data.reason} ${data.count}`);
  if (counts.join() !== `before-agreement ${world.writer.rows.length}`)
    problems.push(
      `read again: passed over ${counts.join(', ') || 'nothing'}, of ${world.writer.rows.length}`,
    );
  // Under an agreement that lives again: a row that is new is told, and is shown.
  const after = await listed(world);
  if (after.join() !== before.join())
    problems.push(`read again: ${before.length} sessions became ${after.length}`);
  const now = tellers(world);
  if (now.size !== told.size + 1)
    problems.push(`read again: events of ${now.size} hosts, of ${told.size} before`);
  for (const [agent, count] of told) {
    if ((now.get(agent) ?? 0) < count) problems.push('read again: events of the first agent are gone');
  }
  const parts = rowsOf(world.agentDatabase, 'SELECT COUNT(*) AS n FROM parts') as { n: number }[];
  await Promise.all([world.agent.stop(), world.collector.stop()]);
  const named = rowsOf(
    world.agentDatabase,
    "SELECT COUNT(*) AS n FROM leaves WHERE bytes LIKE '%session.started%'",
  ) as { n: number }[];
  if (named[0]?.n !== 0) problems.push(`read again: the new agent told of ${named[0]?.n} sessions`);
  // Its own name is sealed; of sessions there is nothing to seal.
  if ((parts[0]?.n ?? 0) > 1) problems.push(`read again: ${parts[0]?.n} sealed parts at the new agent`);
  return problems;
}

async function listed(world: World): Promise<string[]> {
  const { items } = await world.api<{ items: Item[] }>('GET', '/v1/sessions?limit=10000');
  return items.map(({ id }) => id).sort();
}

/** Leaves by the host that wrote them, as the collector holds them. */
function tellers(world: World): Map<string, number> {
  const rows = rowsOf(
    world.collectorDatabase,
    `SELECT l.agent AS agent, COUNT(*) AS n FROM leaves JOIN logs AS l ON l.id = leaves.log
     WHERE l.agent IS NOT NULL GROUP BY l.agent`,
  ) as { agent: string; n: number }[];
  return new Map(rows.map(({ agent, n }) => [agent, n]));
}

function skipped(world: World): Leaf[] | null {
  const rows = rowsOf(
    world.collectorDatabase,
    "SELECT bytes FROM leaves WHERE type = 'source.skipped' ORDER BY pos",
  ) as { bytes: string }[];
  return rows.length === 0 ? null : rows.map(({ bytes }) => JSON.parse(bytes) as Leaf);
}

function rowsOf(path: string, sql: string): unknown[] {
  const db = new Sqlite(path, { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

async function until<T>(found: () => T | null, what: string): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(50)) {
    const value = found();
    if (value !== null) return value;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
  }
}
