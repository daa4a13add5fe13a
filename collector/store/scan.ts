/**
 * Leaves by what they are: found slice by slice in the order of `pos`, so that a question which few leaves answer
 * does not hold up the process that asks it.
 *
 * K8  No question about leaves holds up the event loop for longer than one slice, however few leaves answer it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { LogId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Sql } from './table.ts';
import type { LeafQuery, Pos } from './types.ts';

/** Positions that are looked at in one go: a few milliseconds. */
export const SLICE = 2_500;

const LEAF = 'SELECT pos, log, seq, bytes, hash, type, at, received_at FROM leaves';
const IN_LIST = '(SELECT value FROM json_each(?))';

/** Cells of the leaves that answer, in the order of `pos`. `known` gives the integers of logs. */
export async function scanLeaves(
  sql: Sql,
  query: LeafQuery,
  known: (logs: readonly LogId[]) => number[],
): Promise<unknown[]> {
  const { where, values } = filterOf(query, known);
  // With types the index of types is the way in, which the planner does not see through the list.
  const by = query.types === undefined ? 'NOT INDEXED' : 'INDEXED BY leaves_type';
  const select = sql(`${LEAF} ${by} WHERE pos > ? AND pos <= ? ${where} ORDER BY pos LIMIT ?`);
  const last = (sql('SELECT coalesce(max(pos), 0) AS pos FROM leaves').get() as { pos: Pos }).pos;
  const found: unknown[] = [];
  let after = query.after ?? 0;
  if (query.since !== undefined) after = Math.max(after, (await firstSince(sql, query.since, after)) - 1);
  while (after < last && found.length < query.limit) {
    const through = Math.min(last, after + SLICE);
    found.push(...select.all(after, through, ...values, query.limit - found.length));
    after = through;
    if (after < last && found.length < query.limit) await turn();
  }
  return found;
}

/** Where to begin: the lowest position that was received then or later. Not always the first: clocks are set back. */
async function firstSince(sql: Sql, since: UtcMs, after: Pos): Promise<Pos> {
  const select = sql(`SELECT pos, received_at AS at FROM leaves
    WHERE (received_at, pos) > (?, ?) ORDER BY received_at, pos LIMIT ?`);
  let [lowest, at, pos] = [Number.MAX_SAFE_INTEGER, since - 1, Number.MAX_SAFE_INTEGER];
  for (;;) {
    const rows = select.all(at, pos, SLICE) as { pos: Pos; at: number }[];
    for (const row of rows) lowest = Math.min(lowest, row.pos);
    const end = rows.at(-1);
    if (end === undefined || rows.length < SLICE || lowest <= after + 1) return lowest;
    [at, pos] = [end.at, end.pos];
    await turn();
  }
}

function filterOf(query: LeafQuery, known: (logs: readonly LogId[]) => number[]) {
  const tests: string[] = [];
  const values: (string | number)[] = [];
  const add = (test: string, value: string | number) => {
    tests.push(`AND ${test}`);
    values.push(value);
  };
  if (query.logs !== undefined) add(`log IN ${IN_LIST}`, JSON.stringify(known(query.logs)));
  if (query.types !== undefined) add(`type IN ${IN_LIST}`, JSON.stringify(query.types));
  if (query.since !== undefined) add('received_at >= ?', query.since);
  if (query.until !== undefined) add('received_at < ?', query.until);
  return { where: tests.join(' '), values };
}
