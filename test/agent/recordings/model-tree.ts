/** Everything that lies below a folder, as far as somebody could have changed it. Links are not followed. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Entry {
  folder: boolean;
  inode: number;
  nlink: number;
  /** Of no folder: a removal in it is no change of its own. */
  size: number;
  changed: number;
}

export type Tree = Map<string, Entry>;

export function treeOf(dir: string, tree: Tree = new Map()): Tree {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const there = lstatSync(path);
    const folder = there.isDirectory();
    const [nlink, size, changed] = folder ? [0, 0, 0] : [there.nlink, there.size, there.ctimeMs];
    tree.set(path, { folder, inode: there.ino, nlink, size, changed });
    if (folder) treeOf(path, tree);
  }
  return tree;
}

export interface Difference {
  removed: [string, Entry][];
  /** There now, or another one. */
  changed: string[];
}

export function differenceOf(before: Tree, after: Tree): Difference {
  const removed = [...before].filter(([path]) => !after.has(path));
  const changed = [...after]
    .filter(([path, entry]) => JSON.stringify(entry) !== JSON.stringify(before.get(path)))
    .map(([path]) => path);
  return { removed, changed };
}
