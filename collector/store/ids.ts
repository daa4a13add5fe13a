/**
 * Hex ids outside, integers in the hot tables. Each connection has its own cache: the writer's must forget what
 * a rolled-back transaction had learned, the reader's only ever sees committed rows.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { Sql } from './table.ts';

export class IdMap {
  readonly #find: () => ReturnType<Sql>;
  readonly #name: () => ReturnType<Sql>;
  readonly #what: string;
  readonly #ints = new Map<string, number>();
  readonly #hexes = new Map<number, string>();
  #fresh: string[] = [];

  constructor(sql: Sql, table: 'logs' | 'key_groups' | 'wraps', column: 'log' | 'grp' | 'wrap') {
    this.#find = () => sql(`SELECT id FROM ${table} WHERE ${column} = ?`);
    this.#name = () => sql(`SELECT ${column} AS hex FROM ${table} WHERE id = ?`);
    this.#what = { log: 'log', grp: 'group', wrap: 'wrap' }[column];
  }

  /** Null where no row has this id. */
  find(hex: string): number | null {
    const known = this.#ints.get(hex);
    if (known !== undefined) return known;
    const row = this.#find().get(hex) as { id: number } | undefined;
    if (row === undefined) return null;
    this.#learn(hex, row.id);
    return row.id;
  }

  /** @throws TilsynError `store.unknown-log`, `store.unknown-group`, `store.unknown-wrap` */
  int(hex: string): number {
    const id = this.find(hex);
    if (id !== null) return id;
    throw new TilsynError(`store.unknown-${this.#what}`, `storing under ${this.#what} ${hex}: it has no row`);
  }

  hex<T extends string>(id: number): T {
    const known = this.#hexes.get(id);
    if (known !== undefined) return known as T;
    const row = this.#name().get(id) as { hex: string } | undefined;
    if (row === undefined)
      throw new TilsynError('store.corrupt', `reading ${this.#what} ${id}: it has no row`);
    this.#learn(row.hex, id);
    return row.hex as T;
  }

  /** After a commit: what was learned stays. */
  keep(): void {
    this.#fresh = [];
  }

  /** After a rollback: a row that was seen inside may be gone, and its integer given to another. */
  forget(): void {
    for (const hex of this.#fresh) {
      const id = this.#ints.get(hex);
      this.#ints.delete(hex);
      if (id !== undefined) this.#hexes.delete(id);
    }
    this.#fresh = [];
  }

  #learn(hex: string, id: number): void {
    this.#ints.set(hex, id);
    this.#hexes.set(id, hex);
    this.#fresh.push(hex);
  }
}

export interface Ids {
  logs: IdMap;
  groups: IdMap;
}
