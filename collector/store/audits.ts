/** Projections of self-audits. Of a host there is one a day, for years: they are found by their order and by host. */
import { type Columns, type Sql, sqliteTable } from './table.ts';
import type { AuditHostRow, AuditRow, AuditSignatureRow, AuditWatchRow, Reader, Tx } from './types.ts';

const audits: Columns<AuditRow> = {
  run: ['run'],
  agent: ['agent'],
  customer: ['customer'],
  site: ['site'],
  agreement: ['agreement'],
  trigger: ['trigger'],
  startedAt: ['started_at'],
  endedAt: ['ended_at'],
  everySeconds: ['every_s'],
  findings: ['findings'],
  pos: ['pos'],
};
const hosts: Columns<AuditHostRow> = { agent: ['agent'], pos: ['pos'], everySeconds: ['every_s'] };
const signatures: Columns<AuditSignatureRow> = {
  signature: ['signature'],
  run: ['run'],
  person: ['person'],
  at: ['at'],
  pos: ['pos'],
};
const watch: Columns<AuditWatchRow> = { agent: ['agent'], alert: ['alert'], state: ['state', 'json'] };

const IN_LIST = 'IN (SELECT value FROM json_each(?))';

/** What is read and written alike. */
export function auditTables(sql: Sql) {
  return {
    auditRuns: sqliteTable(sql, 'audits', audits),
    auditHosts: sqliteTable(sql, 'audit_hosts', hosts),
    auditSignatures: sqliteTable(sql, 'audit_signatures', signatures),
    auditWatch: sqliteTable(sql, 'audit_watch', watch),
  };
}

export function readAudits(sql: Sql): Pick<Reader, 'audits' | 'auditSignaturesOf'> {
  const runs = sqliteTable(sql, 'audits', audits);
  const signed = sqliteTable(sql, 'audit_signatures', signatures);
  return {
    async audits({ agents, since, until, findings, unsigned, after, limit }) {
      const tests = [`agent ${IN_LIST}`, 'pos > ?'];
      const values: (string | number)[] = [JSON.stringify(agents), after ?? 0];
      const add = (test: string, ...more: number[]) => {
        tests.push(test);
        values.push(...more);
      };
      if (since !== undefined) add('started_at >= ?', since);
      if (until !== undefined) add('started_at < ?', until);
      if (findings === true) add('findings > 0');
      if (unsigned === true) add('NOT EXISTS (SELECT 1 FROM audit_signatures s WHERE s.run = audits.run)');
      return runs.select(`WHERE ${tests.join(' AND ')} ORDER BY pos LIMIT ?`, [...values, limit]);
    },
    async auditSignaturesOf(ids) {
      return signed.select(`WHERE run ${IN_LIST} ORDER BY pos`, [JSON.stringify(ids)]);
    },
  };
}

export function writeAudits(sql: Sql): Pick<Tx, 'dropAuditWatch'> {
  return {
    async dropAuditWatch(agents) {
      sql(`DELETE FROM audit_watch WHERE agent ${IN_LIST}`).run(JSON.stringify(agents));
    },
  };
}
