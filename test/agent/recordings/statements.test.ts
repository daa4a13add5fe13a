import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Db, openDatabase } from '../../../agent/db.ts';
import { ensureStateDir } from '../../../agent/files.ts';
import { Catalogue } from '../../../agent/recordings/catalogue.ts';
import { SweepStore } from '../../../agent/recordings/sweep-store.ts';
import { stateDir } from '../support.ts';

interface Planned {
  sql: string;
  plan: string;
}

/** What SQLite means to do for each statement that the stores prepare. */
function planned(): Planned[] {
  const dir = stateDir();
  ensureStateDir(dir);
  const db = openDatabase(join(dir, 'agent.db'));
  const texts = new Set<string>();
  const spy = new Proxy(db, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      if (key !== 'prepare') return value.bind(target);
      return (sql: string) => {
        texts.add(sql.replace(/\s+/g, ' '));
        return target.prepare(sql);
      };
    },
  });
  new Catalogue(spy, randomBytes);
  new SweepStore(spy);
  try {
    return [...texts]
      .filter((sql) => !sql.startsWith('PRAGMA'))
      .map((sql) => ({ sql, plan: planOf(db, sql) }));
  } finally {
    db.close();
  }
}

function planOf(db: Db, sql: string): string {
  const names = [...sql.matchAll(/@(\w+)/g)].map(([, name]) => [name, 0]);
  const values = names.length > 0 ? [Object.fromEntries(names)] : Array(sql.split('?').length - 1).fill(0);
  const rows = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
  return rows.map(({ detail }) => detail).join('; ');
}

describe('agent/recordings: what the database does for each question', () => {
  const all = planned();
  const about = (sql: string) => all.filter((one) => one.sql.includes(sql));

  it('C63 no statement reads all recordings, and none sorts them', () => {
    const over = about('recordings');
    expect(over.length).toBeGreaterThan(10);
    for (const { sql, plan } of over) {
      expect(plan, sql).not.toMatch(/SCAN (recordings|r)\b/);
      // Sums of a page are grouped; nothing else is put in another order than the index has.
      if (!sql.includes('GROUP BY')) expect(plan, sql).not.toContain('TEMP B-TREE');
    }
  });

  it('C63 pages and neighbours are read between two ends of the index, not from its beginning', () => {
    const ranged = all.filter(({ sql }) => /coalesce\(ends, -1\) <=/.test(sql));
    expect(ranged.length).toBeGreaterThanOrEqual(3);
    for (const { sql, plan } of ranged) {
      expect(plan, sql).toMatch(
        /USING INDEX recordings_due \(camera=\? AND state=\? AND <expr>>\?+ AND <expr><\?\)/,
      );
    }
    // Whoever asks for ends without the index's own words asks past it.
    for (const { sql } of about('FROM recordings'))
      expect(sql).not.toMatch(/[ (]ends (>|<|>=|<=) [?@](?!from)/);
  });

  it('C63 folders of a folder, and rows of a folder, are found by their place', () => {
    for (const { sql, plan } of about('coalesce(parent, 0) = ?')) expect(plan, sql).toContain('<expr>=?');
    for (const { sql, plan } of about('FROM recordings WHERE folder = ?'))
      expect(plan, sql).toContain('PRIMARY KEY');
  });
});
