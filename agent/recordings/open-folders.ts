/**
 * The folders that a slice removes files from, open until what was removed is on the disk.
 *
 * C69 Folders are synced together and beside everything else: the file system writes once for all of them, and nobody waits for
 *     it but the slice. No more than 64 are open, none when the slice ends, however it ends.
 */
import { type EraseFolder, openFolder } from './erase.ts';
import type { OpenRoot } from './root.ts';
import type { ByteName } from './types.ts';

const MOST_OPEN = 64;

export class OpenFolders {
  readonly #root: OpenRoot;
  #open: EraseFolder[] = [];

  constructor(root: OpenRoot) {
    this.#root = root;
  }

  /** They have to be settled before another one is opened. */
  get full(): boolean {
    return this.#open.length >= MOST_OPEN;
  }

  open(path: readonly ByteName[]): EraseFolder | 'absent' | 'blocked' {
    const folder = openFolder(this.#root, path);
    if (typeof folder === 'object') this.#open.push(folder);
    return folder;
  }

  /** What was removed in any of them stays removed after a power cut. */
  async settle(): Promise<void> {
    // All of them come to their end before one is closed.
    const ends = await Promise.allSettled(this.#open.map((folder) => folder.sync()));
    this.close();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  close(): void {
    for (const folder of this.#open.splice(0)) folder.close();
  }
}
