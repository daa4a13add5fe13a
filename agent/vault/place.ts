/**
 * The folder that copies lie in: made when the first copy is, recognised by its marker and its file system ever after, as the
 * root of a source is (R3). A vault that is not the one that was made is written to by nobody, and nothing in it is erased.
 *
 * I3  The folder has mode 0700, its files 0600. Their names are random, and say neither camera nor time.
 * I4  The vault never lies in a root, where its recorder may delete it, or a root in it.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { codeOf } from '../../protocol/errors.ts';
import { newId, type Random, type SourceId } from '../../protocol/ids.ts';
import { ensureOwnDir, writeAtomic } from '../files.ts';
import type { AgentJournal } from '../journal.ts';
import { type EraseFolder, openFolder } from '../recordings/erase.ts';
import {
  type AcceptedRoot,
  identityOf,
  MARKER_FILE,
  markerText,
  openRoot,
  readMarker,
} from '../recordings/root.ts';
import { isNetwork } from '../recordings/watch.ts';
import type { VaultStore } from './store.ts';
import type { VaultRow } from './types.ts';

export interface PlaceDeps {
  journal: Pick<AgentJournal, 'transact'>;
  store: VaultStore;
  random: Random;
  /** Of agent.yaml, or `vault` in the state directory. */
  path: string;
  /** Roots of recordings. */
  roots(): readonly string[];
}

/** A vault that is there, and is the one that was made. */
export interface OpenVault {
  row: VaultRow;
  dev: number;
  /** False where inode numbers do not last. */
  inodes: boolean;
}

/** File systems whose inode numbers do not last over a mount. */
const NO_INODES = /^(vfat|msdos|exfat|fuseblk|ntfs3?)$/;

/** Path of a copy. `part`: while it is being written, or not verified yet. */
export function copyPath({ path }: Pick<VaultRow, 'path'>, file: string, part = false): string {
  return join(path, part ? `${file}.part` : file);
}

/** The configured vault, made where there is none yet. A text: why it cannot serve, a word of the code base. */
export function openVault(deps: PlaceDeps): OpenVault | string {
  let path: string;
  try {
    // Only the last part is made: what lies above is a volume that somebody mounts, or the state directory.
    path = join(realpathSync.native(dirname(deps.path)), basename(deps.path));
  } catch (error) {
    return codeOf(error);
  }
  if (deps.roots().some((root) => within(path, root) || within(root, path))) return 'vault-in-root';
  const known = deps.store.vaults().find((row) => row.path === path);
  if (known === undefined) return make(deps, path);
  const trouble = vaultTrouble(known);
  return trouble ?? opened(known);
}

function opened(row: VaultRow): OpenVault {
  const { type } = identityOf(row.path);
  const inodes = !NO_INODES.test(type) && !isNetwork(type);
  return { row, dev: statSync(row.path).dev, inodes };
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/** A crash leaves a folder with a marker that no row names: it is taken up again by the next start. */
function make({ journal, store, random }: PlaceDeps, path: string): OpenVault | string {
  try {
    const marked = readMarker(path);
    if (marked === null) return 'marker-unreadable';
    // Somebody else's folder: it is not closed to them, and nothing is put beside what is theirs.
    if (marked === 'missing' && existsSync(path) && readdirSync(path).length > 0) return 'vault-not-empty';
    ensureOwnDir(path);
    const vault = marked === 'missing' ? (newId<'source'>(random) as SourceId) : marked;
    if (marked === 'missing') writeAtomic(join(path, MARKER_FILE), markerText(vault));
    const row = { vault: vault as string, path, fs: JSON.stringify(identityOf(path)) };
    let id = 0;
    journal.transact(() => {
      id = store.addVault(row);
      return { tell: [] };
    });
    return opened({ id, ...row });
  } catch (error) {
    return codeOf(error);
  }
}

/** Null: what lies at its path is the vault that was made. */
export function vaultTrouble(row: VaultRow): string | null {
  const open = openRoot(acceptedVault(row));
  if ('trouble' in open) return open.trouble;
  open.close();
  return null;
}

/** The vault's own folder through the door that recordings go through; a text: why not. */
export function vaultFolder(row: VaultRow): EraseFolder | string {
  const open = openRoot(acceptedVault(row));
  if ('trouble' in open) return open.trouble;
  try {
    const folder = openFolder(open, []);
    return folder === 'absent' ? 'root-gone' : folder;
  } finally {
    open.close();
  }
}

function acceptedVault({ vault, path, fs }: VaultRow): AcceptedRoot {
  return { source: vault as SourceId, root: path, fs: JSON.parse(fs) };
}
