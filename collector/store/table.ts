/** Registry tables over SQLite: one description of the columns, used both ways. */
import type { Database, Statement } from 'better-sqlite3';
import type { WritableTable } from './types.ts';

type Kind = 'plain' | 'json' | 'flag';
/** Row field → `[column, kind]`. The first one is the primary key. */
export type Columns<Row> = { readonly [K in keyof Required<Row>]: readonly [column: string, kind?: Kind] };

type Cell = string | number | null;

function toCell(value: unknown, kind: Kind): Cell {
  if (value === null || value === undefined) return null;
  if (kind === 'json') return JSON.stringify(value);
  if (kind === 'flag') return value === true ? 1 : 0;
  return value as Cell;
}

function fromCell(cell: Cell, kind: Kind): unknown {
  if (kind === 'plain' || cell === null) return cell;
  if (kind === 'json') return JSON.parse(String(cell));
  return kind === 'flag' ? cell === 1 : cell;
}

/** Prepared statements by their text, so that each is compiled once per connection. */
export type Sql = (sql: string) => Statement<unknown[]>;

export function statements(db: Database): Sql {
  const cache = new Map<string, Statement<unknown[]>>();
  return (sql) => {
    let statement = cache.get(sql);
    if (statement === undefined) {
      statement = db.prepare<unknown[]>(sql);
      cache.set(sql, statement);
    }
    return statement;
  };
}

export interface SqliteTable<Row> extends WritableTable<Row> {
  /** Rows by the text that follows `SELECT … FROM table`; for queries that `list` cannot say. */
  select(rest: string, values: readonly unknown[]): Row[];
}

/** A table of `Row` named `name`. `put` replaces by primary key and keeps the place in the order. */
export function sqliteTable<Row extends object>(
  sql: Sql,
  name: string,
  columns: Columns<Row>,
): SqliteTable<Row> {
  const fields = (Object.entries(columns) as [keyof Row & string, readonly [string, Kind?]][]).map(
    ([field, [column, kind]]) => ({ field, column, kind: kind ?? ('plain' as Kind) }),
  );
  const key = fields[0]?.column ?? 'rowid';
  const names = fields.map((f) => f.column).join(', ');
  const select = `SELECT ${names} FROM ${name}`;
  const updates = fields.slice(1).map((f) => `${f.column} = excluded.${f.column}`);
  const upsert = `INSERT INTO ${name} (${names}) VALUES (${fields.map(() => '?').join(', ')})
    ON CONFLICT (${key}) DO UPDATE SET ${updates.join(', ')}`;

  const toRow = (cells: unknown): Row => {
    const source = cells as Record<string, Cell>;
    const row: Record<string, unknown> = {};
    for (const { field, column, kind } of fields) row[field] = fromCell(source[column] ?? null, kind);
    return row as Row;
  };

  return {
    select: (rest, values) =>
      sql(`${select} ${rest}`)
        .all(...values)
        .map(toRow),
    async get(id) {
      const cells = sql(`${select} WHERE ${key} = ?`).get(id);
      return cells === undefined ? null : toRow(cells);
    },
    async list(where = {}) {
      const given = fields.filter((f) => Object.hasOwn(where, f.field));
      const tests = given.map((f) => `${f.column} IS ?`);
      const filter = tests.length === 0 ? '' : ` WHERE ${tests.join(' AND ')}`;
      const values = given.map((f) => toCell(where[f.field], f.kind));
      return sql(`${select}${filter} ORDER BY rowid`)
        .all(...values)
        .map(toRow);
    },
    async put(rows) {
      const statement = sql(upsert);
      for (const row of rows) statement.run(...fields.map((f) => toCell(row[f.field], f.kind)));
    },
  };
}
