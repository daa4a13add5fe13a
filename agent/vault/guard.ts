/**
 * Looks whether originals that were copied are still what was copied. The passes of a scan list names; what was cut off under
 * its name they see once a week.
 */
import type { AgentJournal } from '../journal.ts';
import type { Standing } from '../recordings/due.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { RecordingSource } from '../recordings/types.ts';
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

/** Every copy whose original was not told of yet, in pages. */
export async function guard(deps: GuardDeps, sources: readonly RecordingSource[]): Promise<void> {
  const byId = new Map<string, RecordingSource>(sources.map((source) => [source.source, source]));
  for (let after = 0; !deps.stopped(); ) {
    const rows = deps.store.inState('copied', after, PAGE);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    look(deps, rows, byId);
    await deps.rest();
  }
}

function look(deps: GuardDeps, rows: readonly CopyRow[], sources: Map<string, RecordingSource>): void {
  const found = rows.flatMap((row) => {
    const source = sources.get(row.source);
    const what = source === undefined || row.said !== null ? null : changeOf(deps, source, row);
    return what === null ? [] : [{ row, what }];
  });
  if (found.length === 0) return;
  const { journal, store, sweeps, standing } = deps;
  journal.transact(() => {
    const holds = sweeps.holds() ?? [];
    const groups = new Map<string, { source: string; reason: Violation; touched: Touched[] }>();
    for (const { row, what } of found) {
      store.say(row.id, what);
      const group = groups.get(`${row.source} ${what}`) ?? { source: row.source, reason: what, touched: [] };
      group.touched.push({ camera: row.camera, bounds: row.bounds, copied: true });
      groups.set(`${row.source} ${what}`, group);
    }
    const tell = [...groups.values()].flatMap(({ source, reason, touched }) =>
      violations(source, touched, { holds, standing, reason }),
    );
    return { tell };
  });
}

/** Null: it is what was copied, or the scan and the sweep have the word about it. */
function changeOf(
  { sweeps }: GuardDeps,
  source: RecordingSource,
  copy: CopyRow,
): 'truncated' | 'changed' | null {
  const row = sweeps.row(copy.folder, copy.name);
  if (row === null || row.state !== 'present') return null;
  const folder = folderOf(source, sweeps.folderPath(copy.folder));
  if (typeof folder === 'string') return null;
  try {
    const original = { ...row, sizeBytes: copy.sizeBytes, inode: copy.inode };
    const what = whatLiesThere(folder, { row: original });
    return what === 'truncated' || what === 'changed' ? what : null;
  } finally {
    folder.close();
  }
}
