/** Projection of alerts, and which hosts are silent. Of a host there are few open ones; of cleared ones there may be any number. */
import { type Columns, type Sql, sqliteTable } from './table.ts';
import type { AlertQuery, AlertRow, Reader, SilentHost, Tx } from './types.ts';

const columns: Columns<AlertRow> = {
  alert: ['alert'],
  agent: ['agent'],
  customer: ['customer'],
  site: ['site'],
  agreement: ['agreement'],
  own: ['own', 'flag'],
  check: ['check_name'],
  index: ['disk'],
  level: ['level'],
  state: ['state'],
  notify: ['notify'],
  value: ['value'],
  threshold: ['threshold'],
  forSeconds: ['for_s'],
  raisedAt: ['raised_at'],
  changedAt: ['changed_at'],
  clearedAt: ['cleared_at'],
  ackedAt: ['acked_at'],
  ackedBy: ['acked_by'],
  raisedPos: ['raised_pos'],
};

const IN_LIST = 'IN (SELECT value FROM json_each(?))';

export function readAlerts(sql: Sql): Pick<Reader, 'alertsById' | 'openAlerts' | 'alerts' | 'silentHosts'> {
  const table = sqliteTable(sql, 'alerts', columns);
  return {
    async alertsById(ids) {
      return table.select(`WHERE alert ${IN_LIST} ORDER BY raised_pos`, [JSON.stringify(ids)]);
    },
    async openAlerts(agents) {
      return table.select(`WHERE agent ${IN_LIST} AND state = 'open' ORDER BY raised_pos`, [
        JSON.stringify(agents),
      ]);
    },
    async alerts(query) {
      const { where, values } = filterOf(query);
      return table.select(`WHERE ${where} ORDER BY raised_pos LIMIT ?`, [...values, query.limit]);
    },
    async silentHosts(before, agents) {
      return sql(`SELECT agent, state, enrolled_at AS enrolledAt, first_seen_at AS firstSeenAt,
        last_seen_at AS lastSeenAt FROM agents
        WHERE state = 'waiting' OR (state = 'approved'
          AND (coalesce(last_seen_at, enrolled_at) < ? OR agent ${IN_LIST})) ORDER BY rowid`).all(
        before,
        JSON.stringify(agents),
      ) as SilentHost[];
    },
  };
}

function filterOf(query: AlertQuery) {
  const tests = ['raised_pos > ?'];
  const values: (string | number)[] = [query.after ?? 0];
  const add = (test: string, value: string | number) => {
    tests.push(test);
    values.push(value);
  };
  if (query.customers !== null) add(`customer ${IN_LIST}`, JSON.stringify(query.customers));
  if (query.agents !== undefined) add(`agent ${IN_LIST}`, JSON.stringify(query.agents));
  if (query.state !== undefined) add('state = ?', query.state);
  if (query.check !== undefined) add('check_name = ?', query.check);
  if (query.level !== undefined) add('level = ?', query.level);
  // Open at any time of the range: one that was raised before it and cleared in it belongs to it too.
  if (query.since !== undefined) add('coalesce(cleared_at, 9e15) >= ?', query.since);
  if (query.until !== undefined) add('raised_at < ?', query.until);
  return { where: tests.join(' AND '), values };
}

export function writeAlerts(sql: Sql): Pick<Tx, 'putAlerts' | 'dropSilences'> {
  const table = sqliteTable(sql, 'alerts', columns);
  return {
    putAlerts: (rows) => table.put(rows),
    async dropSilences(agents) {
      sql(`DELETE FROM silences WHERE agent ${IN_LIST}`).run(JSON.stringify(agents));
    },
  };
}
