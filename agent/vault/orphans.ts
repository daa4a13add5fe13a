/**
 * Files in a vault that no row names: of a database that was lost, or put back from before. They are kept: nobody here knows
 * what they are of, so that nothing can be decided about them (D2).
 */
import { readdirSync } from 'node:fs';
import { removeFile } from '../files.ts';
import { copyPath } from './place.ts';
import type { VaultStore } from './store.ts';
import type { VaultRow } from './types.ts';

const COPY = /^[0-9a-f]{32}$/;
const PART = /^([0-9a-f]{32})\.part$/;

/** How many there are. Parts that no row names hold nothing of value, and go. */
export function orphans(store: VaultStore, vault: VaultRow): number {
  const names = readdirSync(vault.path);
  for (const name of names) {
    const file = PART.exec(name)?.[1];
    if (file !== undefined && !store.isKnown(file)) removeFile(copyPath(vault, file, true));
  }
  return names.filter((name) => COPY.test(name) && !store.isKnown(name)).length;
}
