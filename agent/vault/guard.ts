/**
 * Looks whether originals that were copied are still what was copied, and whether the copies are still there. The passes of a
 * scan list names; what was cut off under its name they see once a week.
 */
import type { AgentJournal } from '../journal.ts';
import type { Standing } from '../recordings/due.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { RecordingSource } from '../recordings/types.ts';
import { vaultFolder } from './place.ts';
import { heldBy } from './plan.ts';
import type { VaultStore } from './store.ts';
import type { CopyRow } from './types.ts';
import { type Touched, type Violation, violations } from './violated.ts';
import { folderOf, whatLiesThere } from './work.ts';

export interface GuardDeps {
  journal: Pick<AgentJournal, 'transact'>;
  store: VaultStore;
  sweeps: SweepStore;
  standing: Standing;
  stopped(): boolean;
  rest(): Promise<void>;
}

const PAGE = 200;

interface Found {
  row: CopyRow;
  /** `grown`: more of the same. Nobody took anything away. */
  what: Exclude<Violation, 'vanished'> | 'grown';
}

/** Every copy, in pages: what of it was not told yet. */
export async function guard(deps: GuardDeps, sources: readonly RecordingSource[]): Promise<void> {
  const byId = new Map<string, RecordingSource>(sources.map((source) => [source.source, source]));
  for (let after = 0; !deps.stopped(); ) {
    const rows = deps.store.inState('copied', after, PAGE);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    const found = [...gone(deps, rows), ...touched(deps, rows, byId)];
    if (found.length > 0) tell(deps, found);
    await deps.rest();
  }
}

/** Originals that are not what was copied any more. */
function touched(deps: GuardDeps, rows: readonly CopyRow[], sources: Map<string, RecordingSource>): Found[] {
  return rows.flatMap((row) => {
    const source = sources.get(row.source);
    const what = source === undefined || row.said !== null ? null : changeOf(deps, source, row);
    return what === null ? [] : [{ row, what }];
  });
}

/** Held copies that somebody took out of the vault, or replaced. What is not held is the sweep's to miss. */
function gone({ store, sweeps, standing }: GuardDeps, rows: readonly CopyRow[]): Found[] {
  const holds = sweeps.holds() ?? [];
  return store.vaults().flatMap((vault) => {
    const mine = rows.filter((row) => row.vault === vault.id);
    const folder = mine.length === 0 ? 'root-gone' : vaultFolder(vault);
    // Another disk lies there: that is told as such.
    if (typeof folder === 'string') return [];
    try {
      const away = mine.filter(({ file, sizeBytes, kept }) => {
        const there = folder.look(file);
        if (typeof there === 'string') return there === 'absent';
        return !there.isFile() || there.size !== sizeBytes || (kept !== null && there.ino !== kept);
      });
      const held = away.filter((row) => heldBy(row, row.camera, standing, holds).length > 0);
      return held.map((row): Found => ({ row, what: 'copy-gone' }));
    } finally {
      folder.close();
    }
  });
}

function tell({ journal, store, sweeps, standing }: GuardDeps, found: readonly Found[]): void {
  journal.transact(() => {
    const holds = sweeps.holds() ?? [];
    const groups = new Map<string, { source: string; reason: Violation; touched: Touched[] }>();
    for (const { row, what } of found) {
      // Told, and stored as such: the original is copied anew where it is there, and is lost where it is not.
      if (what === 'copy-gone' && sweeps.row(row.folder, row.name)?.state === 'present') store.drop(row.id);
      else if (what === 'copy-gone') store.mark(row.id, 'lost', null);
      else if (what !== 'grown') store.say(row.id, what);
      // Another file, or more of it than was copied: catalogued anew, and copied anew.
      if (what === 'grown' || what === 'changed') sweeps.forgetFile(row);
      if (what === 'grown') continue;
      const group = groups.get(`${row.source} ${what}`) ?? { source: row.source, reason: what, touched: [] };
      group.touched.push({ camera: row.camera, bounds: row.bounds, copied: what !== 'copy-gone' });
      groups.set(`${row.source} ${what}`, group);
    }
    const drafts = [...groups.values()].flatMap(({ source, reason, touched: all }) =>
      violations(source, all, { holds, standing, reason }),
    );
    return { tell: drafts };
  });
}

/** Null: it is what was copied, or the scan and the sweep have the word about it. */
function changeOf(
  { sweeps }: GuardDeps,
  source: RecordingSource,
  copy: CopyRow,
): 'truncated' | 'changed' | 'grown' | null {
  const row = sweeps.row(copy.folder, copy.name);
  if (row === null || row.state !== 'present') return null;
  const folder = folderOf(source, sweeps.read.pathOf(copy.folder));
  if (typeof folder === 'string') return null;
  try {
    const original = { ...row, sizeBytes: copy.sizeBytes, inode: copy.inode };
    const what = whatLiesThere(folder, { row: original });
    if (what !== null) return what === 'truncated' || what === 'changed' ? what : null;
    const there = folder.look(copy.name);
    return typeof there !== 'string' && there.size > copy.sizeBytes ? 'grown' : null;
  } finally {
    folder.close();
  }
}
