/**
 * Wakes the scan for the few folders that a recorder writes in now. What it says is a hint to look sooner: the passes are
 * the truth, and whatever a watcher misses they find.
 *
 * C30 Any trouble of a watcher means that nobody knows what it covered: its folder is polled, the whole tree is read again,
 *     and it is told once until a watcher stands again.
 * C31 A folder is listed once more after its watch stands: what was made between the two would never be told.
 * C32 Network shares are polled: their servers tell nobody about other clients' files.
 * C33 A folder is looked at no more often than lets the process do other things: a look that took long is followed by a
 *     longer rest.
 */
import { join } from 'node:path';
import { type Clock, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Catalogue } from './catalogue.ts';
import { fromBytes, toBytes } from './names.ts';
import type { FolderRow } from './rows.ts';
import type { PassEnd } from './scan.ts';
import type { ByteName, Layout } from './types.ts';

export interface WatchDeps {
  catalogue: Pick<Catalogue, 'children' | 'folder' | 'newest' | 'cameraNames' | 'read'>;
  clock: Clock;
  /** Of the scanner. */
  look(folders: Iterable<number>): Promise<PassEnd>;
  /** The whole tree, cold folders too (C30). */
  reconcile(): Promise<unknown>;
  /** Says once that coverage was not known. */
  lost(): void;
  /** Folders in which something was being written when they were read last. */
  pending(): Iterable<number>;
  /** Something of the watch's own work threw; the next round goes on. */
  failed(error: unknown): void;
  /** Null: no watcher can be had, so that everything is polled. */
  watcher: MakeWatcher | null;
}

/** One watcher of one folder, not of what lies below it. */
export type MakeWatcher = (path: string, on: WatchEvents) => Promise<{ close(): Promise<void> }>;

export interface WatchEvents {
  changed(): void;
  /** It stands. */
  ready(): void;
  failed(): void;
}

export interface WatchTarget {
  id: number;
  root: string;
  layout: Layout;
  /** The root lies on a network share. */
  polled: boolean;
}

const ARM_EVERY_MS = 30_000;
const POLL_EVERY_MS = 2_000;
const SETTLE_MS = 300;
/** Of the time that a look took. */
const REST_FACTOR = 5;
const MAX_HOT = 256;
/** Where a layout cannot say which folders are hot. */
const NEWEST = 16;

export class HotWatch {
  readonly #deps: WatchDeps;
  readonly #target: WatchTarget;
  readonly #armed = new Map<number, { close(): Promise<void> } | 'polled'>();
  readonly #dirty = new Set<number>();
  readonly #cancel = new Set<() => void>();
  readonly #working = new Set<Promise<unknown>>();
  #looking = false;
  #stopped = false;
  #lost = false;

  constructor(deps: WatchDeps, target: WatchTarget) {
    this.#deps = deps;
    this.#target = target;
  }

  /** Folders that are watched or polled now. */
  get hot(): number {
    return this.#armed.size;
  }

  async start(): Promise<void> {
    await this.#arm();
    this.#every(ARM_EVERY_MS, () => this.#arm());
    this.#every(POLL_EVERY_MS, async () => this.#poll());
  }

  /** Waits for what runs; a scanner that is in the middle of a pass is stopped first, by its owner. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancel) cancel();
    this.#cancel.clear();
    const armed = [...this.#armed.values()];
    this.#armed.clear();
    await Promise.all(armed.map((one) => (one === 'polled' ? undefined : one.close())));
    await Promise.all(this.#working);
  }

  #every(ms: number, act: () => Promise<void>): void {
    this.#after(ms, () => {
      this.#run(act().finally(() => this.#every(ms, act)));
    });
  }

  /** Work that nobody waits for but the stop. */
  #run(work: Promise<unknown>): void {
    const done = work.catch((error) => this.#deps.failed(error)).finally(() => this.#working.delete(done));
    this.#working.add(done);
  }

  #after(ms: number, act: () => void): void {
    if (this.#stopped) return;
    const cancel = this.#deps.clock.after(ms, () => {
      this.#cancel.delete(cancel);
      if (!this.#stopped) act();
    });
    this.#cancel.add(cancel);
  }

  /** Watches what became hot, lets go of what is not any more. */
  async #arm(): Promise<void> {
    const wanted = new Set(hotFolders(this.#deps.catalogue, this.#target, this.#deps.clock.now()));
    for (const [folder, armed] of this.#armed) {
      if (wanted.has(folder)) continue;
      this.#armed.delete(folder);
      if (armed !== 'polled') await armed.close();
      // Its last recording was finished by the next folder's first.
      this.#touch(folder);
    }
    for (const folder of wanted) if (!this.#armed.has(folder)) await this.#armOne(folder);
  }

  async #armOne(folder: number): Promise<void> {
    const path = pathOf(this.#target.root, this.#deps.catalogue.read.pathOf(folder));
    this.#armed.set(folder, 'polled');
    const { watcher } = this.#deps;
    if (this.#target.polled || watcher === null || path === null) return this.#touch(folder);
    try {
      const made = await watcher(path, {
        changed: () => this.#touch(folder),
        ready: () => {
          this.#lost = false;
          this.#touch(folder); // C31
        },
        failed: () => this.#failed(folder),
      });
      if (this.#stopped) await made.close();
      else if (this.#armed.has(folder)) this.#armed.set(folder, made);
    } catch {
      this.#failed(folder);
    }
  }

  #touch(folder: number): void {
    if (this.#stopped) return;
    this.#dirty.add(folder);
    if (this.#looking) return;
    this.#looking = true;
    this.#after(SETTLE_MS, () => this.#run(this.#look()));
  }

  async #look(): Promise<void> {
    const folders = [...this.#dirty];
    this.#dirty.clear();
    const began = this.#deps.clock.mono();
    try {
      await this.#deps.look(folders);
    } finally {
      this.#looking = false;
    }
    if (this.#stopped) return;
    // Folders that the look found are hot from now on, not from the next round.
    await this.#arm();
    const rest = SETTLE_MS + REST_FACTOR * (this.#deps.clock.mono() - began); // C33
    if (this.#looking || this.#dirty.size === 0) return;
    this.#looking = true;
    this.#after(rest, () => this.#run(this.#look()));
  }

  async #poll(): Promise<void> {
    for (const [folder, armed] of this.#armed) if (armed === 'polled') this.#touch(folder);
    for (const folder of this.#deps.pending()) this.#touch(folder);
  }

  /** C30 */
  #failed(folder: number): void {
    const armed = this.#armed.get(folder);
    if (armed !== undefined && armed !== 'polled') this.#run(armed.close());
    this.#armed.set(folder, 'polled');
    if (this.#lost) return;
    this.#lost = true;
    this.#deps.lost();
    this.#run(this.#deps.reconcile());
  }
}

type HotCatalogue = WatchDeps['catalogue'];

/** Folders of the present hour and the one before, with all above them, as far as they are there. */
function hotFolders(catalogue: HotCatalogue, { id, layout }: WatchTarget, now: UtcMs): number[] {
  const hot = layout.hot(utcMs(now - HOUR_MS), utcMs(now + HOUR_MS), catalogue.cameraNames(id));
  const root = catalogue.folder(id, null, '').id;
  const folders = new Set<number>([root]);
  const paths = hot?.map(partsOf) ?? catalogue.newest(id, NEWEST).map((row) => catalogue.read.pathOf(row.id));
  for (const path of paths) {
    let at: FolderRow | undefined;
    let parent = root;
    for (const name of path) {
      at = catalogue.children(id, parent).find((child) => child.name === name);
      if (at === undefined || folders.size >= MAX_HOT) break;
      folders.add(at.id);
      parent = at.id;
    }
  }
  return [...folders];
}

function partsOf(path: ByteName): ByteName[] {
  return path === '' ? [] : path.split('/');
}

/** Null: no text says this name, only its bytes do. */
function pathOf(root: string, parts: readonly ByteName[]): string | null {
  const bytes = toBytes(parts.join('/'));
  const text = bytes.toString('utf8');
  return fromBytes(Buffer.from(text)) === parts.join('/') ? join(root, text) : null;
}

/** File systems whose server does not tell what others wrote. */
const NETWORK =
  /^(nfs\d?|cifs|smb\d?|smbfs|smb3|afs|ceph|9p|ncpfs|glusterfs|lustre|fuse\.(sshfs|glusterfs|s3fs|rclone|davfs.*)|davfs)$/;

export function isNetwork(fsType: string): boolean {
  return NETWORK.test(fsType);
}

/** chokidar, loaded when the first folder is watched. */
export const chokidarWatcher: MakeWatcher = async (path, on) => {
  const { watch } = await import('chokidar');
  const watcher = watch(path, { depth: 0, ignoreInitial: true, followSymlinks: false, persistent: true });
  watcher.on('all', () => on.changed());
  watcher.on('ready', () => on.ready());
  watcher.on('error', () => on.failed());
  return watcher;
};
