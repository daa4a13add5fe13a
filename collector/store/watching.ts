/**
 * Projections of what was watched: sources and gaps. A host may tell of any number of them; only so many rows are
 * kept of it, in the order told, so that a rebuild keeps the same ones.
 *
 * K7  No host's tellings make the answers about others slow: sources and gaps are found by host and bounded for each.
 *     A gap beyond the bound widens the last one of its reason; what was told stays covered.
 */
import type { AgentId } from '../../protocol/ids.ts';
import { type Columns, type Sql, type SqliteTable, sqliteTable } from './table.ts';
import type { GapRow, Reader, SourceRow, Tx, WritableTable } from './types.ts';

/** One more than an answer shows: the surplus row says that there are more. */
export const MAX_SOURCES = 257;
export const MAX_GAPS = 1_024;

const sources: Columns<SourceRow> = {
  source: ['source'],
  agent: ['agent'],
  tool: ['tool'],
  state: ['state'],
  since: ['since'],
  skipped: ['skipped'],
  unreadable: ['unreadable'],
};
const gaps: Columns<GapRow> = {
  pos: ['pos'],
  agent: ['agent'],
  source: ['source'],
  fromAt: ['from_at'],
  toAt: ['to_at'],
  reason: ['reason'],
  count: ['count'],
};

const IN_LIST = 'IN (SELECT value FROM json_each(?))';

type Reads = Pick<Reader, 'sources' | 'sourcesOf' | 'gaps'>;
type Writes = Pick<Tx, 'sources' | 'putGaps'>;

export function readWatching(sql: Sql): Reads {
  const sourceTable = sqliteTable(sql, 'sources', sources);
  const gapTable = sqliteTable(sql, 'gaps', gaps);
  return {
    sources: sourceTable,
    async sourcesOf(agents) {
      return sourceTable.select(`WHERE agent ${IN_LIST} ORDER BY rowid`, [JSON.stringify(agents)]);
    },
    async gaps(agents, from, to) {
      // A gap without length counts where it lies inside; half open like the range.
      return gapTable.select(
        `WHERE agent ${IN_LIST} AND from_at < ? AND (to_at > ? OR from_at >= ?) ORDER BY pos`,
        [JSON.stringify(agents), to, from, from],
      );
    },
  };
}

export function writeWatching(sql: Sql): Writes {
  const gapTable = sqliteTable(sql, 'gaps', gaps);
  return {
    sources: boundedSources(sql),
    async putGaps(rows) {
      for (const row of rows) await putGap(sql, gapTable, row);
    },
  };
}

function boundedSources(sql: Sql): WritableTable<SourceRow> {
  const table = sqliteTable(sql, 'sources', sources);
  return {
    get: table.get,
    list: table.list,
    async put(rows) {
      for (const row of rows) {
        const known = (await table.get(row.source)) !== null;
        if (known || countOf(sql, 'sources', row.agent) < MAX_SOURCES) await table.put([row]);
      }
    },
  };
}

async function putGap(sql: Sql, table: SqliteTable<GapRow>, row: GapRow): Promise<void> {
  const { agent, reason, fromAt, toAt } = row;
  const last =
    countOf(sql, 'gaps', agent) < MAX_GAPS
      ? undefined
      : (sql('SELECT pos FROM gaps WHERE agent = ? AND reason = ? ORDER BY pos DESC LIMIT 1').get(
          agent,
          reason,
        ) as { pos: number } | undefined);
  if (last === undefined) {
    await table.put([row]);
    return;
  }
  sql(`UPDATE gaps SET from_at = min(from_at, ?), to_at = max(to_at, ?), source = NULL, count = NULL
    WHERE pos = ?`).run(fromAt, toAt, last.pos);
}

function countOf(sql: Sql, table: 'sources' | 'gaps', agent: AgentId): number {
  return (sql(`SELECT count(*) AS n FROM ${table} WHERE agent = ?`).get(agent) as { n: number }).n;
}
