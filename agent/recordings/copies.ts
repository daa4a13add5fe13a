/**
 * Copies of footage that no policy of recordings reaches and that can be seen: exports, clips, recycle bins, snapshots, in a
 * root and beside it. They are counted and told by kind, never looked into and never touched.
 *
 * C77 Every "gone" names what was not looked at (R8): what of it can be seen is counted. Beside a root only folders of these
 *     names are entered; no link is followed, and none of the files is opened.
 * C78 Counting stops at a limit and says so; of snapshots the snapshots are counted, not what is in them.
 */
import { type Dirent, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { COPY_KINDS } from '../../protocol/event-recordings.ts';

export type CopyKind = (typeof COPY_KINDS)[number];

export interface Copies {
  kind: CopyKind;
  place: 'inside' | 'beside';
  count: number;
  /** There are more than were counted. */
  more: boolean;
}

/** As recorders, file systems and NAS systems name them. */
const NAMES: readonly [RegExp, CopyKind][] = [
  [/^exports?$/i, 'export'],
  [/^clips$/i, 'clip'],
  [/^(\.trash.*|#recycle|@recycle|\.recycle|\$recycle\.bin)$/i, 'recycle-bin'],
  [/^(\.snapshots?|#snapshot|@recently-snapshot|\.zfs)$/i, 'snapshot'],
  [/^@eadir$/i, 'thumbnails'],
  [/^lost\+found$/i, 'lost-found'],
];

const MAX_FILES = 10_000;
const MAX_FOLDERS = 2_000;
const MAX_DEPTH = 8;
/** Folders that are read before others have their turn. */
const PER_TURN = 20;

export function kindOf(name: string): CopyKind | null {
  return NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** What can be seen of copies in a root and beside it, in the order of kinds. */
export async function copiesBeside(root: string, rest: () => Promise<void>): Promise<Copies[]> {
  const found: Copies[] = [];
  const beside = dirname(root);
  for (const [place, dir] of [
    ['inside', root],
    ['beside', beside],
  ] as const) {
    if (place === 'beside' && beside === root) continue;
    for (const entry of foldersIn(dir)) {
      const kind = kindOf(entry.name);
      if (kind === null) continue;
      const { count, more } = await counted(`${dir}/${entry.name}`, kind, rest);
      // `lost+found` is there on every ext4, and empty.
      if (count > 0 || more) add(found, { kind, place, count, more });
    }
  }
  return found.sort((a, b) => order(a) - order(b));
}

function order({ kind, place }: Copies): number {
  return COPY_KINDS.indexOf(kind) * 2 + (place === 'inside' ? 0 : 1);
}

function add(found: Copies[], one: Copies): void {
  const same = found.find(({ kind, place }) => kind === one.kind && place === one.place);
  if (same === undefined) found.push(one);
  else Object.assign(same, { count: same.count + one.count, more: same.more || one.more });
}

export function sameCopies(a: readonly Copies[], b: readonly Copies[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function foldersIn(dir: string): Dirent[] {
  return entriesOf(dir).filter((entry) => entry.isDirectory());
}

function entriesOf(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

async function counted(
  top: string,
  kind: CopyKind,
  rest: () => Promise<void>,
): Promise<{ count: number; more: boolean }> {
  if (kind === 'snapshot') return { count: entriesOf(top).length, more: false };
  const waiting = [{ dir: top, depth: 1 }];
  let [count, folders, more] = [0, 0, false];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    folders += 1;
    if (folders > MAX_FOLDERS || count >= MAX_FILES) return { count, more: true };
    if (folders % PER_TURN === 0) await rest();
    const { dir, depth } = next;
    let entries: Dirent[];
    try {
      entries = readdirSync(dir, { withFileTypes: true });
    } catch {
      // What may not be read may hold any number.
      more = true;
      continue;
    }
    for (const entry of entries) {
      if (!entry.isDirectory()) count += 1;
      else if (depth < MAX_DEPTH) waiting.push({ dir: `${dir}/${entry.name}`, depth: depth + 1 });
      else more = true;
    }
  }
  return { count: Math.min(count, MAX_FILES), more: more || count > MAX_FILES };
}
