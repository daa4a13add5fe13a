/**
 * Passes over a source's root, in slices: each is one transaction that gives way to events, and between two of them the
 * process answers something else. A pass that stops in the middle, by a crash or a full disk, leaves folders that are
 * not marked as read; the next one reads those and skips the rest.
 *
 * R7  What vanished without us is marked and told in one transaction, one event per folder or tree of folders.
 * C27 Nothing is missing unless the root is the accepted one, looked at after the name was not found; a root that is
 *     suspect, gone or not accepted yet makes nothing missing.
 * C28 A full disk pauses a pass; what was told and what was stored by then stays, and nothing else counts as read.
 * C29 A source counts as watched only when a whole pass ended.
 */
import { statSync } from 'node:fs';
import { hasCode } from '../../protocol/errors.ts';
import type { Bounds } from '../../protocol/hold.ts';
import type { SourceId } from '../../protocol/ids.ts';
import { type Clock, DAY_MS, toIso, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { Draft } from '../types.ts';
import type { Catalogue } from './catalogue.ts';
import { fromBytes, shown } from './names.ts';
import { type AcceptedRoot, openRoot, type RootTrouble } from './root.ts';
import type { FolderRow, KnownRow } from './rows.ts';
import { join, lstat, type Note, visit, type Walk } from './scan-walk.ts';
import { Suspects } from './suspects.ts';
import type { ByteName, Layout, OddKind } from './types.ts';

export interface ScanTarget {
  /** Row of the source in the catalogue. */
  id: number;
  source: SourceId;
  root: string;
  layout: Layout;
  /** Null: nobody accepted it yet; it is catalogued all the same, and nothing of it is missing (C27). */
  accepted: AcceptedRoot | null;
  /** False where inode numbers do not last: network shares, FAT. */
  inodes: boolean;
}

export interface ScanDeps {
  journal: Pick<AgentJournal, 'spare' | 'transact'>;
  catalogue: Catalogue;
  clock: Clock;
  /** Lets the process answer something else. */
  rest(): Promise<void>;
  /** Shared with the sweep; absent: nobody sweeps. */
  suspects?: Suspects;
  /** What else is to be told of recordings that vanished, in the transaction that marks them: which were held. */
  vanished?: ((source: SourceId, rows: readonly VanishedRow[]) => readonly Draft[]) | undefined;
}

export interface VanishedRow {
  folder: number;
  name: ByteName;
  /** Random id. */
  camera: string;
  bounds: Bounds;
}

export interface Progress {
  folders: number;
  files: number;
  /** Of 100, as far as the tree is known by now. */
  percent: number;
}

export type PassEnd = 'done' | 'full-disk' | 'stopped' | RootTrouble;

const SLICE_MS = 25;
const SLICE_ROWS = 2_000;
/** Rows of one transaction that marks what vanished. */
const MISSING_ROWS = 2_000;
const FULL_EVERY_MS = 7 * DAY_MS;

export class Scanner {
  readonly #deps: ScanDeps;
  readonly #target: ScanTarget;
  readonly #suspects: Suspects;
  #walk: Walk | null = null;
  #stopped = false;
  #wanted = new Set<number>();
  #told = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();
  readonly pending = new Set<number>();

  constructor(deps: ScanDeps, target: ScanTarget) {
    this.#deps = deps;
    this.#target = target;
    this.#suspects = deps.suspects ?? new Suspects(deps.journal, deps.catalogue);
  }

  /** Of the pass that runs; null: none does. */
  progress(): Progress | null {
    if (this.#walk === null) return null;
    const { folders, files, share } = this.#walk;
    return { folders, files, percent: Math.min(100, Math.floor(share * 100)) };
  }

  /** After the slice that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#turn;
  }

  /** One whole pass; looks that are asked for meanwhile go between its slices. */
  pass(options: { full?: boolean } = {}): Promise<PassEnd> {
    const run = this.#turn.then(() => this.#pass(options));
    this.#turn = run.catch(() => {});
    return run;
  }

  /** These folders, soon; not what lies in known folders below them. */
  look(folders: Iterable<number>): Promise<PassEnd> {
    for (const folder of folders) this.#wanted.add(folder);
    if (this.#walk !== null) return Promise.resolve('done');
    const run = this.#turn.then(() => this.#looks());
    this.#turn = run.catch(() => {});
    return run;
  }

  #fullIsDue(): boolean {
    const { scannedAt, fullAt } = this.#deps.catalogue.passes(this.#target.id);
    return scannedAt !== null && this.#deps.clock.now() - (fullAt ?? 0) > FULL_EVERY_MS;
  }

  async #pass(options: { full?: boolean }): Promise<PassEnd> {
    if (this.#stopped) return 'stopped';
    const full = options.full ?? this.#fullIsDue();
    const { catalogue, journal, clock } = this.#deps;
    const { id } = this.#target;
    const first = catalogue.passes(id).scannedAt === null;
    const root = this.#root();
    if (typeof root === 'string') return root;
    const walk = this.#newWalk(root.dev, full, false);
    this.#walk = walk;
    try {
      const top = this.#top();
      if (top === null) return 'full-disk';
      const end = await this.#run(walk, visit(walk, top, [], 1));
      if (end !== 'done') return end;
      const after = this.#root();
      if (typeof after === 'string') return after;
      this.#tellNotes(walk);
      journal.transact(() => {
        // A first pass looked at every file as well.
        catalogue.passed(id, clock.now(), full || first);
        catalogue.setState(id, 'watched');
        return { tell: [] };
      });
      catalogue.checkpoint();
      return 'done';
    } finally {
      this.#walk = null;
    }
  }

  async #looks(): Promise<PassEnd> {
    if (this.#stopped) return 'stopped';
    const root = this.#root();
    if (typeof root === 'string') return root;
    return this.#between(root.dev);
  }

  /** Folders that were asked for. */
  async #between(dev: number): Promise<PassEnd> {
    for (const id of [...this.#wanted]) {
      this.#wanted.delete(id);
      const walk = this.#newWalk(dev, false, true);
      const folder = this.#deps.catalogue.folderAt(id);
      if (folder === null) continue;
      const end = await this.#run(walk, visit(walk, folder, this.#deps.catalogue.read.pathOf(id), 1), true);
      if (end !== 'done') return end;
      this.#tellNotes(walk);
    }
    return 'done';
  }

  async #run(walk: Walk, steps: Generator<void, void, void>, inside = false): Promise<PassEnd> {
    const { journal, clock, rest } = this.#deps;
    for (let over = false; !over; ) {
      if (this.#stopped) return 'stopped';
      const until = clock.mono() + SLICE_MS;
      walk.written = 0;
      const stored = journal.spare(() => {
        do over = steps.next().done === true;
        while (!over && clock.mono() < until && walk.written < SLICE_ROWS);
        // A power cut may take slices back: their folders are not marked as read then either.
      }, false);
      // What the steps knew was rolled back with the slice: they are not gone on with (C28).
      if (!stored) return 'full-disk';
      const trouble = this.#tell(walk);
      if (trouble !== null) return trouble;
      await rest();
      if (!inside && this.#wanted.size > 0) await this.#between(walk.dev);
    }
    return 'done';
  }

  #top(): FolderRow | null {
    let top: FolderRow | null = null;
    this.#deps.journal.spare(() => {
      top = this.#deps.catalogue.folder(this.#target.id, null, '');
    });
    return top;
  }

  #newWalk(dev: number, full: boolean, shallow: boolean): Walk {
    const { catalogue, clock } = this.#deps;
    const { layout, id, root, inodes } = this.#target;
    return {
      ...{ catalogue, layout, source: id, root: fromBytes(Buffer.from(root)), dev, full, shallow, inodes },
      now: () => clock.now(),
      ...{ written: 0, folders: 0, files: 0, share: 0, notes: new Map(), vanished: [], gone: [] },
      pending: this.pending,
    };
  }

  /** C27: the root as it is now. */
  #root(): { dev: number } | RootTrouble {
    const { accepted, root, id } = this.#target;
    if (accepted === null) {
      try {
        return { dev: statSync(root).dev };
      } catch {
        return this.#suspects.tell(this.#target, 'root-gone');
      }
    }
    const found = openRoot(accepted);
    if ('trouble' in found) return this.#suspects.tell(this.#target, found.trouble);
    found.close();
    this.#suspects.well(id);
    return { dev: found.dev };
  }

  /** After a slice: cameras that nobody knew, and what vanished. */
  #tell(walk: Walk): RootTrouble | null {
    this.#tellCameras();
    if (walk.vanished.length === 0 && walk.gone.length === 0) return null;
    const [vanished, gone] = [walk.vanished.splice(0), walk.gone.splice(0)];
    if (this.#target.accepted === null) return null;
    const root = this.#root();
    if (typeof root === 'string') return root;
    for (const { folder, path, names } of vanished) this.#markFolder(folder, path, names);
    for (const { folder, path } of gone) this.#markTree(folder, path);
    return null;
  }

  #tellCameras(): void {
    const { catalogue, journal } = this.#deps;
    const { id, source } = this.#target;
    const untold = catalogue.untold(id);
    if (untold.length === 0) return;
    try {
      journal.transact(() => {
        for (const camera of untold) catalogue.told(camera.id);
        return {
          tell: untold.map(({ camera, name }): Draft<'camera.found'> => {
            const personal = { name: shown(name).slice(0, MOST_NAME) };
            return { type: 'camera.found', data: { source, camera }, personal };
          }),
        };
      });
    } catch (error) {
      // An agent that has no key group for names yet tells them with a later pass: the rows say so.
      if (!hasCode(error, 'seal.no-group')) throw error;
    }
  }

  #markFolder(folder: number, path: ByteName[], names: readonly ByteName[]): void {
    const root = fromBytes(Buffer.from(this.#target.root));
    const dir = join(root, path);
    const away = names.filter((name) => isAway(`${dir}/${name}`));
    for (let at = 0; at < away.length; at += MISSING_ROWS) {
      const part = new Set(away.slice(at, at + MISSING_ROWS));
      this.#mark([{ folder, of: (row) => part.has(row.name) }], []);
    }
  }

  /** A folder that is not there, with all below it: few events for many folders. */
  #markTree(top: number, path: ByteName[]): void {
    const root = fromBytes(Buffer.from(this.#target.root));
    const there = lstat(join(root, path));
    if (there === 'unreadable' || (there !== 'gone' && there.isDirectory())) return;
    const { catalogue } = this.#deps;
    const folders: number[] = [];
    for (const stack = [top]; stack.length > 0; ) {
      const folder = stack.pop() as number;
      folders.push(folder);
      for (const { id } of catalogue.children(this.#target.id, folder)) stack.push(id);
    }
    // The deepest first: what a crash leaves is still found from the top.
    let part: number[] = [];
    let rows = 0;
    for (const folder of folders.reverse()) {
      part.push(folder);
      rows += catalogue.rows(folder).length;
      if (rows < MISSING_ROWS && folder !== top) continue;
      this.#mark(
        part.map((one) => ({ folder: one, of: () => true })),
        part,
      );
      [part, rows] = [[], 0];
    }
  }

  /** R7: marked and told in one transaction, from rows that are read inside it. */
  #mark(parts: { folder: number; of(row: KnownRow): boolean }[], gone: number[]): void {
    const { catalogue, journal } = this.#deps;
    journal.transact(() => {
      const rows: KnownRow[] = [];
      const vanished: VanishedRow[] = [];
      for (const { folder, of } of parts) {
        for (const row of catalogue.rows(folder)) {
          if (row.state !== 0 || !of(row)) continue;
          catalogue.missing(folder, row.name);
          rows.push(row);
          vanished.push(this.#vanished(folder, row));
        }
      }
      for (const folder of gone) catalogue.folderGone(folder);
      const held = this.#deps.vanished?.(this.#target.source, vanished) ?? [];
      return { tell: rows.length === 0 ? [] : [this.#missing(rows), ...held] };
    });
  }

  #vanished(folder: number, { name, camera, start, spread, ends }: KnownRow): VanishedRow {
    const bounds = {
      startEarliest: utcMs(start),
      startLatest: utcMs(start + spread),
      endLatest: ends === null ? null : utcMs(ends),
    };
    return { folder, name, camera: this.#deps.catalogue.cameraId(camera) ?? '', bounds };
  }

  #missing(rows: readonly KnownRow[]): Draft<'recording.missing'> {
    let [from, to, bytes] = [Number.POSITIVE_INFINITY, 0, 0];
    const cameras = new Set<number>();
    for (const { camera, start, spread, ends, size } of rows) {
      from = Math.min(from, start);
      to = Math.max(to, ends ?? start + spread);
      bytes += size ?? 0;
      cameras.add(camera);
    }
    const [only] = cameras;
    const camera = cameras.size === 1 && only !== undefined ? this.#deps.catalogue.cameraId(only) : null;
    const span = { from: toIso(utcMs(from)), to: toIso(utcMs(to)) };
    const data = { source: this.#target.source, camera, count: rows.length, bytes, ...span };
    return { type: 'recording.missing', data: { ...data, reason: 'vanished' } };
  }

  /** What is no recording, in sums: told when a sum changed, and once after each start. */
  #tellNotes(walk: Walk): void {
    const odds = this.#deps.catalogue.read.odds(this.#target.id);
    const sums = ODD_KINDS.flatMap((kind): [string, number][] => {
      const count = odds[kind];
      return count === undefined ? [] : [[ODD_REASON[kind], count]];
    });
    const fresh = [...walk.notes].filter(([what, count]) => !STANDING.has(what) || !this.#same(what, count));
    const tell = sums.filter(([reason, count]) => !this.#same(reason, count)).concat(fresh);
    if (tell.length === 0) return;
    const { source } = this.#target;
    this.#deps.journal.transact(() => ({
      tell: tell.map(([reason, count]): Draft<'recording.unknown'> => {
        const nothing = { camera: null, bytes: null, from: null, to: null };
        return { type: 'recording.unknown', data: { source, ...nothing, count, reason } };
      }),
    }));
    for (const [reason, count] of tell) this.#told.set(reason, count);
  }

  #same(reason: string, count: number): boolean {
    return this.#told.get(reason) === count;
  }
}

/** As long as the event takes. */
const MOST_NAME = 512;
const ODD_REASON = { unknown: 'unknown-file', untimed: 'untimed', stray: 'stray' } as const;
const ODD_KINDS = Object.keys(ODD_REASON) as OddKind[];
/** Found again by each pass, as long as it is so. */
const STANDING: ReadonlySet<Note> = new Set<Note>(['unreadable-folder', 'file-system-other']);

function isAway(path: ByteName): boolean {
  const there = lstat(path);
  return there === 'gone' || (there !== 'unreadable' && !there.isFile());
}
