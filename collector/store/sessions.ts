/** Projections: sessions, and the leaves that wait for a session's start. Rebuilt from leaves at any time. */
import type { SessionId } from '../../protocol/ids.ts';
import { type Columns, type Sql, type SqliteTable, sqliteTable } from './table.ts';
import type { Reader, SessionHead, SessionQuery, SessionRow, Tx, WaitingRow } from './types.ts';

const columns: Columns<SessionRow> = {
  session: ['session'],
  agent: ['agent'],
  customer: ['customer'],
  site: ['site'],
  agreement: ['agreement'],
  source: ['source'],
  tool: ['tool'],
  direction: ['direction'],
  kind: ['kind'],
  mode: ['mode'],
  state: ['state'],
  startedAt: ['started_at'],
  startBasis: ['start_basis'],
  occurrence: ['occurrence'],
  endedAt: ['ended_at'],
  endBasis: ['end_basis'],
  endReason: ['end_reason'],
  durationSeconds: ['duration_s'],
  auth: ['auth'],
  failedAttempts: ['failed_attempts'],
  files: ['files'],
  confirmedBy: ['confirmed_by', 'json'],
  log: ['log'],
  firstSeq: ['first_seq'],
  lastSeq: ['last_seq'],
  startedPos: ['started_pos'],
  partPos: ['part_pos', 'json'],
  mergedInto: ['merged_into'],
  explainedPos: ['explained_pos'],
  connection: ['connection'],
  connectionAt: ['connection_at'],
};

type Reads = Pick<
  Reader,
  | 'sessionsById'
  | 'sessionHeads'
  | 'sessions'
  | 'runningSessions'
  | 'twins'
  | 'twinned'
  | 'mergedInto'
  | 'rootsAmong'
  | 'waiting'
  | 'counts'
>;
type Writes = Pick<Tx, 'putSessions' | 'putWaiting' | 'dropWaiting' | 'clearProjections'>;

const IN_LIST = 'IN (SELECT value FROM json_each(?))';
/** An attempt is over as it begins; a session whose end is not known reaches to the end of time. */
const END = `coalesce(ended_at, iif(state IN ('attempted', 'rejected'), started_at, 9e15))`;

/** What a rebuild makes anew. */
const PROJECTIONS = [
  ...['sessions', 'sources', 'gaps', 'waiting', 'alerts', 'devices'],
  ...['audits', 'audit_hosts', 'audit_signatures'],
  ...['rec_roots', 'cameras', 'camera_days', 'clock_steps'],
];

export function readSessions(sql: Sql): Reads {
  const table = sqliteTable(sql, 'sessions', columns);
  const under = mergedUnder(sql, table);
  return {
    async sessionsById(ids) {
      return table.select(`WHERE session ${IN_LIST} ORDER BY started_at, session`, [JSON.stringify(ids)]);
    },
    async sessionHeads(ids) {
      return sql(`SELECT session, agent, started_at AS startedAt, started_pos AS startedPos,
        merged_into AS mergedInto FROM sessions WHERE session ${IN_LIST}`).all(
        JSON.stringify(ids),
      ) as SessionHead[];
    },
    async sessions(query) {
      const { where, values } = sessionFilter(query);
      return table.select(`WHERE ${where} ORDER BY started_at, session LIMIT ?`, [...values, query.limit]);
    },
    async runningSessions(limit) {
      // As the partial index says it, word for word.
      return table.select(
        "WHERE state = 'active' AND merged_into IS NULL ORDER BY started_at, session LIMIT ?",
        [limit],
      );
    },
    async twins(row) {
      const { site, startedAt, tool, kind, endedAt, occurrence, session } = row;
      return table.select(
        `WHERE site = ? AND started_at = ? AND tool = ? AND kind = ? AND ended_at IS ? AND occurrence = ?
          AND session <> ? AND merged_into IS NULL ORDER BY started_pos`,
        [site, startedAt, tool, kind, endedAt, occurrence, session],
      );
    },
    async twinned(ids) {
      const rows = sql(`SELECT DISTINCT s.session FROM json_each(?) AS given
        JOIN sessions AS s ON s.session = given.value AND s.merged_into IS NULL
        JOIN sessions AS t ON t.site = s.site AND t.started_at = s.started_at AND t.tool = s.tool
          AND t.kind = s.kind AND t.ended_at IS s.ended_at AND t.occurrence = s.occurrence
          AND t.session <> s.session AND t.merged_into IS NULL`).all(JSON.stringify(ids));
      return (rows as { session: SessionId }[]).map(({ session }) => session);
    },
    async mergedInto(ids, most) {
      return ids.flatMap((root) => under(root, most).map((row) => ({ root, row })));
    },
    async rootsAmong(ids) {
      const rows = sql(`SELECT DISTINCT merged_into AS session FROM sessions
        WHERE merged_into ${IN_LIST} AND session <> merged_into`).all(JSON.stringify(ids));
      return (rows as { session: SessionId }[]).map(({ session }) => session);
    },
    async waiting(ids) {
      return sql(`SELECT session, pos FROM waiting WHERE session ${IN_LIST} ORDER BY pos`).all(
        JSON.stringify(ids),
      ) as WaitingRow[];
    },
    async counts() {
      const count = (what: string) => (sql(`SELECT ${what} AS n`).get() as { n: number }).n;
      return {
        leaves: count('(SELECT coalesce(max(pos), 0) FROM leaves)'), // no holes, none deleted
        sessions: count('(SELECT count(*) FROM sessions)'),
        parts: count('(SELECT count(*) FROM sealed)'),
        forks: count('(SELECT count(*) FROM forks)'),
      };
    },
  };
}

/** Each step is a look into the index: sessions of one host, however many, do not push another host's out. */
function mergedUnder(sql: Sql, table: SqliteTable<SessionRow>) {
  const nextHost = `SELECT session, agent FROM sessions WHERE merged_into = ? AND agent > ?
    ORDER BY agent, started_pos LIMIT 1`;
  const first = 'SELECT session FROM sessions WHERE merged_into = ? ORDER BY agent, started_pos LIMIT ?';
  return (root: SessionId, most: number): SessionRow[] => {
    const found = new Set<SessionId>();
    const walk = [root];
    for (let at = walk.pop(); at !== undefined && found.size < most; at = walk.pop()) {
      const here = new Set<SessionId>();
      for (let agent = ''; here.size < most; ) {
        const next = sql(nextHost).get(at, agent) as { session: SessionId; agent: string } | undefined;
        if (next === undefined) break;
        here.add(next.session);
        agent = next.agent;
      }
      for (const { session } of sql(first).all(at, most) as { session: SessionId }[]) here.add(session);
      for (const session of here) {
        if (found.size === most || found.has(session) || session === root) continue;
        found.add(session);
        walk.push(session);
      }
    }
    if (found.size === 0) return [];
    return table.select(`WHERE session ${IN_LIST} ORDER BY started_pos`, [JSON.stringify([...found])]);
  };
}

/** Sessions of these agents, and those that sessions of theirs were merged into. */
const OF_AGENTS = `(agent ${IN_LIST} OR session IN (
  WITH RECURSIVE up (session) AS (
    SELECT merged_into FROM sessions WHERE merged_into IS NOT NULL AND agent ${IN_LIST}
    UNION
    SELECT s.merged_into FROM up JOIN sessions AS s ON s.session = up.session WHERE s.merged_into IS NOT NULL
  ) SELECT session FROM up))`;

function sessionFilter(query: SessionQuery) {
  const tests = ['1'];
  const values: (string | number)[] = [];
  const add = (test: string, ...given: (string | number)[]) => {
    tests.push(test);
    values.push(...given);
  };
  if (query.customers !== null) add(`customer ${IN_LIST}`, JSON.stringify(query.customers));
  if (query.agents !== undefined) {
    const agents = JSON.stringify(query.agents);
    add(OF_AGENTS, agents, agents);
  }
  if (query.until !== undefined) add('started_at < ?', query.until);
  if (query.since !== undefined) {
    if (query.overlaps === true) add(`(started_at >= ? OR ${END} > ?)`, query.since, query.since);
    else add('started_at >= ?', query.since);
  }
  for (const field of ['tool', 'state', 'kind', 'mode'] as const) {
    const value = query[field];
    if (value !== undefined) add(`${field} = ?`, value);
  }
  if (query.unexplained === true) add('explained_pos IS NULL');
  if (query.attempts === false) add("state NOT IN ('attempted', 'rejected')");
  if (query.merged !== true) add('merged_into IS NULL');
  if (query.after !== undefined) {
    add('(started_at, session) > (?, ?)', query.after.startedAt, query.after.session);
  }
  return { where: tests.join(' AND '), values };
}

export function writeSessions(sql: Sql): Writes {
  const table = sqliteTable(sql, 'sessions', columns);
  return {
    putSessions: (rows) => table.put(rows),
    async putWaiting(rows) {
      const put = sql('INSERT INTO waiting (session, pos) VALUES (?, ?) ON CONFLICT DO NOTHING');
      for (const { session, pos } of rows) put.run(session, pos);
    },
    async dropWaiting(ids) {
      sql(`DELETE FROM waiting WHERE session ${IN_LIST}`).run(JSON.stringify(ids));
    },
    async clearProjections() {
      for (const name of PROJECTIONS) sql(`DELETE FROM ${name}`).run();
    },
  };
}
