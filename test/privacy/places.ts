/** Where canaries are looked for: every file of a folder, every cell of a database, every process. */
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Hit, Searcher } from './search.ts';

const SQLITE_MAGIC = 'SQLite format 3\0';
/** Outside of every folder that is searched. */
const COPIES = existsSync('/dev/shm') ? '/dev/shm' : '/tmp';

export interface Looked {
  files: number;
  bytes: number;
  cells: number;
  processes: number;
}

export function nothingLooked(): Looked {
  return { files: 0, bytes: 0, cells: 0, processes: 0 };
}

/** Everything below `dir`: names of files, contents, targets of links, and cells of databases. */
export function searchTree(searcher: Searcher, root: string, dir: string, looked: Looked): Hit[] {
  const hits: Hit[] = [];
  if (!existsSync(dir)) return hits;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const where = relative(root, path);
    hits.push(...searcher.search('the name of a file', Buffer.from(where)));
    if (entry.isSymbolicLink()) hits.push(...searcher.search(where, Buffer.from(readlinkSync(path))));
    if (!entry.isFile()) continue;
    const bytes = readOrNull(path);
    // A running process may remove a file in between.
    if (bytes === null) continue;
    looked.files += 1;
    looked.bytes += bytes.length;
    hits.push(...searcher.search(where, bytes));
    if (bytes.toString('latin1', 0, 16) === SQLITE_MAGIC)
      hits.push(...searchCells(searcher, where, path, looked));
  }
  return hits;
}

function readOrNull(path: string): Buffer | null {
  try {
    return lstatSync(path).isFile() ? readFileSync(path) : null;
  } catch {
    return null;
  }
}

/** A cell may be cut by a page's end in the file; here it is whole. Read from a copy: opening would write. */
function searchCells(searcher: Searcher, where: string, path: string, looked: Looked): Hit[] {
  const copy = mkdtempSync(join(COPIES, 'tilsyn-cells-'));
  const hits: Hit[] = [];
  try {
    for (const suffix of ['', '-wal']) {
      if (existsSync(path + suffix)) copyFileSync(path + suffix, join(copy, `db${suffix}`));
    }
    for (const { table, bytes, cells } of tablesOf(join(copy, 'db'))) {
      looked.cells += cells;
      hits.push(...searcher.search(`${where}, table ${table}`, bytes));
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
  return hits;
}

function* tablesOf(path: string): Generator<{ table: string; bytes: Buffer; cells: number }> {
  const db = new Sqlite(path);
  try {
    const names = db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all();
    for (const { name } of names) {
      const rows = db.prepare(`SELECT * FROM "${name}"`).raw().all() as unknown[][];
      const cells = rows.flat();
      yield { table: name, cells: cells.length, bytes: Buffer.concat(cells.flatMap(cellBytes)) };
    }
  } finally {
    db.close();
  }
}

const BETWEEN = Buffer.from([0]);

function cellBytes(cell: unknown): Buffer[] {
  return [Buffer.isBuffer(cell) ? cell : Buffer.from(String(cell)), BETWEEN];
}

const SAMPLE_MS = 10;

/** Reads what everybody on the machine can read of a process, again and again while it lives. */
export class ProcessSampler {
  /** What was seen, by text, so that a long life is searched once. */
  readonly #seen = new Map<string, { where: string; bytes: Buffer }>();
  readonly #live = new Map<number, string>();
  readonly #timer: NodeJS.Timeout;
  readonly #read = new Set<number>();

  constructor() {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  watch(pid: number, what: string): void {
    this.#live.set(pid, what);
    this.#sample();
  }

  /** Processes whose arguments were really seen. */
  get processes(): number {
    return this.#read.size;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  search(searcher: Searcher): Hit[] {
    return [...this.#seen.values()].flatMap(({ where, bytes }) => searcher.search(where, bytes));
  }

  #sample(): void {
    for (const [pid, what] of this.#live) {
      for (const part of ['cmdline', 'environ', 'comm']) {
        const bytes = readProc(pid, part);
        if (bytes === null) {
          this.#live.delete(pid);
          break;
        }
        if (bytes.length === 0) continue;
        this.#read.add(pid);
        const where = `/proc ${part} of ${what}`;
        this.#seen.set(`${where} ${bytes.toString('latin1')}`, { where, bytes });
      }
    }
  }
}

/** Null: there is no such process any more. */
function readProc(pid: number, part: string): Buffer | null {
  try {
    return readFileSync(`/proc/${pid}/${part}`);
  } catch {
    return null;
  }
}
