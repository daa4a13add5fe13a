/** Logs, their leaves and forks. The hottest path of the collector is `appendLeaves`. */
import type { Birth } from '../../protocol/birth.ts';
import { hasCode, TilsynError } from '../../protocol/errors.ts';
import type { AgentId, AgreementId, LogId, SiteId } from '../../protocol/ids.ts';
import { utcMs } from '../../protocol/time.ts';
import type { Ids } from './ids.ts';
import { scanLeaves } from './scan.ts';
import type { Sql } from './table.ts';
import type { ForkRow, LeafRow, LogRow, LogStateRow, NewLeaf, Pos, Reader, Tx } from './types.ts';

interface LogCells {
  log: string;
  agent: string | null;
  birth: string;
  agreement: string | null;
  site: string | null;
  through: number;
  head: Buffer;
  state: string;
  created_at: number;
}
interface LeafCells {
  pos: number;
  log: number;
  seq: number;
  bytes: string;
  hash: Buffer;
  type: string;
  at: number;
  received_at: number;
}
interface ForkCells extends Omit<LeafCells, 'pos' | 'type' | 'at'> {}

const LOG = 'SELECT log, agent, birth, through, head, state, created_at FROM logs';
const LOG_STATE = 'SELECT log, agent, agreement, site, through, head, state, created_at FROM logs';
const LEAF = 'SELECT pos, log, seq, bytes, hash, type, at, received_at FROM leaves';
const IN_LIST = '(SELECT value FROM json_each(?))';

function headOf(c: LogCells): Omit<LogRow, 'birth'> {
  return {
    log: c.log as LogId,
    agent: c.agent as AgentId | null,
    through: c.through,
    head: c.head,
    state: c.state as LogRow['state'],
    createdAt: utcMs(c.created_at),
  };
}

function logRow(cells: unknown): LogRow {
  const c = cells as LogCells;
  return { ...headOf(c), birth: JSON.parse(c.birth) as Birth };
}

function logStateRow(cells: unknown): LogStateRow {
  const c = cells as LogCells;
  return { ...headOf(c), agreement: c.agreement as AgreementId | null, site: c.site as SiteId | null };
}

type LogReads = Pick<Reader, 'logs' | 'logsOf' | 'logStates' | 'logStatesOf' | 'countLogs'>;
type Reads = LogReads & Pick<Reader, 'leaves' | 'leavesAt' | 'leavesOf' | 'lastPos' | 'forks'>;
type Writes = Pick<Tx, 'putLogs' | 'setHeads' | 'appendLeaves' | 'addForks'>;

function readLogs(sql: Sql): LogReads {
  const found = (select: string, wanted: readonly LogId[]) => {
    const get = sql(`${select} WHERE log = ?`);
    return wanted.map((log) => get.get(log)).filter((cells) => cells !== undefined);
  };
  return {
    async logs(wanted) {
      return found(LOG, wanted).map(logRow);
    },
    async logsOf(agent) {
      return sql(`${LOG} WHERE agent IS ? ORDER BY id`).all(agent).map(logRow);
    },
    async logStates(wanted) {
      return found(LOG_STATE, wanted).map(logStateRow);
    },
    async logStatesOf(agents) {
      const rows = sql(`${LOG_STATE} WHERE agent IN ${IN_LIST} ORDER BY agent, id`);
      return rows.all(JSON.stringify(agents)).map(logStateRow);
    },
    async countLogs(agent) {
      return (sql('SELECT count(*) AS n FROM logs WHERE agent = ?').get(agent) as { n: number }).n;
    },
  };
}

export function readLeaves(sql: Sql, ids: Ids): Reads {
  const leafRow = (cells: unknown): LeafRow => {
    const c = cells as LeafCells;
    return {
      pos: c.pos,
      log: ids.logs.hex(c.log),
      seq: c.seq,
      bytes: c.bytes,
      hash: c.hash,
      type: c.type,
      at: utcMs(c.at),
      receivedAt: utcMs(c.received_at),
    };
  };
  const forkRow = (cells: unknown): ForkRow => {
    const c = cells as ForkCells;
    const { seq, hash, bytes } = c;
    return { log: ids.logs.hex(c.log), seq, hash, bytes, receivedAt: utcMs(c.received_at) };
  };
  const known = (logs: readonly LogId[]) => logs.map((log) => ids.logs.find(log)).filter((id) => id !== null);

  return {
    ...readLogs(sql),
    async leaves(query) {
      return (await scanLeaves(sql, query, known)).map(leafRow);
    },
    async leavesAt(positions) {
      return sql(`${LEAF} WHERE pos IN ${IN_LIST} ORDER BY pos`).all(JSON.stringify(positions)).map(leafRow);
    },
    async leavesOf(log, from, to) {
      const id = ids.logs.find(log);
      if (id === null) return [];
      return sql(`${LEAF} WHERE log = ? AND seq BETWEEN ? AND ? ORDER BY seq`).all(id, from, to).map(leafRow);
    },
    async lastPos() {
      return (sql('SELECT coalesce(max(pos), 0) AS pos FROM leaves').get() as { pos: Pos }).pos;
    },
    async forks(log) {
      const select = 'SELECT log, seq, hash, bytes, received_at FROM forks';
      if (log === undefined) return sql(`${select} ORDER BY log, seq`).all().map(forkRow);
      return sql(`${select} WHERE log = ? ORDER BY seq`)
        .all(ids.logs.find(log) ?? -1)
        .map(forkRow);
    },
  };
}

export function writeLeaves(sql: Sql, ids: Ids): Writes {
  return {
    async putLogs(rows) {
      const put = sql(`INSERT INTO logs (log, agent, birth, agreement, site, through, head, state, created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (log) DO UPDATE SET agent = excluded.agent,
        birth = excluded.birth, agreement = excluded.agreement, site = excluded.site,
        through = excluded.through, head = excluded.head, state = excluded.state`);
      for (const r of rows) {
        const { agreement = null, site = null } = r.birth;
        const birth = JSON.stringify(r.birth);
        put.run(r.log, r.agent, birth, agreement, site, r.through, r.head, r.state, r.createdAt);
      }
    },
    async setHeads(rows) {
      const set = sql('UPDATE logs SET through = ?, head = ? WHERE id = ?');
      for (const { log, through, head } of rows) set.run(through, head, ids.logs.int(log));
    },
    async appendLeaves(rows) {
      const insert = sql(`INSERT INTO leaves (log, seq, bytes, hash, type, at, received_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)`);
      // `pos` is SQLite's max + 1: leaves are never deleted, so it only grows and has no holes (K4).
      return rows.map((leaf) => {
        const { seq, bytes, hash, type, at, receivedAt } = leaf;
        try {
          const done = insert.run(ids.logs.int(leaf.log), seq, bytes, hash, type, at, receivedAt);
          return Number(done.lastInsertRowid);
        } catch (error) {
          throw hasCode(error, 'SQLITE_CONSTRAINT_UNIQUE') ? duplicate(leaf) : error;
        }
      });
    },
    async addForks(rows) {
      const add = sql(`INSERT INTO forks (log, seq, hash, bytes, received_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING`);
      for (const r of rows) add.run(ids.logs.int(r.log), r.seq, r.hash, r.bytes, r.receivedAt);
    },
  };
}

function duplicate({ log, seq }: NewLeaf): TilsynError {
  return new TilsynError(
    'store.duplicate-leaf',
    `appending leaf ${seq} of log ${log}: there is one already`,
    {
      exit: 'integrity',
    },
  );
}
