/**
 * Erases copies that no hold covers any more and whose original's period is over: the rules of the sweep, its judge, its
 * door, its order (H9).
 *
 * I11 A copy goes when `decide` lets its original go: by the original's bounds and camera and the policy in force, while no
 *     hold covers it, time is trusted and the commands are confirmed (H4). One whose period is not over stays.
 * I12 As R1 has it: transaction 1 re-reads the holds, marks `erasing`, writes `vault.erasing` → the vault is the one that was
 *     made → per file: hold read once more, checks, unlink through the open folder → fsync → transaction 2 and `vault.erased`.
 */
import type { Hold } from '../../protocol/hold.ts';
import type { Id, SourceId } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { type Clock, DAY_MS, SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import { judge, type Surroundings } from '../recordings/due.ts';
import type { Erased, EraseFolder } from '../recordings/erase.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { Draft, FaultSeam } from '../types.ts';
import { vaultFolder, vaultTrouble } from './place.ts';
import { heldBy } from './plan.ts';
import type { EraseSlice, VaultStore } from './store.ts';
import type { CopyRow, VaultRow } from './types.ts';

export interface ReleaseDeps {
  journal: Pick<AgentJournal, 'transact'>;
  store: VaultStore;
  sweeps: SweepStore;
  clock: Clock;
  faults: FaultSeam;
  /** Null: no policy was ordered yet. */
  around(): Surroundings | null;
  /** Trusted time; null: there is none. */
  now(): UtcMs | null;
  unconfirmed(): boolean;
  stopped(): boolean;
  rest(): Promise<void>;
  /** Copies that could not be erased, and when that was tried, monotonic: tried and told once a day, not each hour. */
  tried: Map<number, number>;
}

const PAGE = 500;
const SLICE = 200;

/** One pass over all copies. Returns how many went. */
export async function release(deps: ReleaseDeps): Promise<number> {
  const { store } = deps;
  // Nothing is decided where a sweep would wait.
  if (deps.around() === null || deps.now() === null || deps.unconfirmed()) return 0;
  for (const slice of store.openSlices()) await finish(deps, slice);
  let gone = 0;
  for (let after = 0; !deps.stopped(); ) {
    const rows = store.inState('copied', after, PAGE);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.id;
    const holds = deps.sweeps.holds();
    // Looked at first without writing: most copies are held, or not due, for a long time.
    const going = rows.filter((row) => !isTried(deps, row) && mayGo(deps, row, holds) !== null);
    for (const part of alike(going)) gone += await one(deps, part);
    await deps.rest();
  }
  forgetLost(deps);
  return gone;
}

function isTried({ tried, clock }: ReleaseDeps, { id }: CopyRow): boolean {
  return clock.mono() - (tried.get(id) ?? Number.NEGATIVE_INFINITY) < DAY_MS;
}

/** Of one vault, source and camera each, at most as many as one event stands for. */
function alike(rows: readonly CopyRow[]): CopyRow[][] {
  const groups = new Map<string, CopyRow[]>();
  for (const row of rows) {
    const key = `${row.vault} ${row.source} ${row.camera}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / SLICE) }, (_, n) =>
      group.slice(n * SLICE, (n + 1) * SLICE),
    ),
  );
}

async function one(deps: ReleaseDeps, rows: readonly CopyRow[]): Promise<number> {
  const { store, faults } = deps;
  const vault = store.vaults().find(({ id }) => id === rows[0]?.vault);
  // What lies there is not what was made: the rounds of the vault say so.
  if (vault === undefined || vaultTrouble(vault) !== null) return 0;
  const slice = begin(deps, rows);
  if (slice === null) return 0;
  faults.hit?.('agent.vault.erasing');
  return await carryOut(deps, vault, slice);
}

/** What the judge says; null: it stays. */
function mayGo(
  { around, now }: ReleaseDeps,
  row: CopyRow,
  holds: readonly Hold[] | null,
): { dueAt: UtcMs; policy: string; version: number } | null {
  const surroundings = around();
  if (surroundings === null) return null;
  const verdict = judge(row, row.camera, surroundings, holds, now());
  if (verdict.verdict === 'keep' || verdict.dueAt === null) return null;
  return { dueAt: verdict.dueAt, policy: verdict.policy, version: verdict.version };
}

/** Transaction 1. Null: nothing of these may go. */
function begin(deps: ReleaseDeps, rows: readonly CopyRow[]): EraseSlice | null {
  const { journal, store, sweeps } = deps;
  let slice: EraseSlice | null = null;
  journal.transact(() => {
    slice = null;
    const holds = sweeps.holds();
    const going: CopyRow[] = [];
    let due: ReturnType<typeof mayGo> = null;
    for (const { id } of rows) {
      const row = store.row(id);
      const verdict = row?.state === 'copied' ? mayGo(deps, row, holds) : null;
      if (row === null || verdict === null) continue;
      going.push(row);
      if (due === null || verdict.dueAt < due.dueAt) due = verdict;
    }
    const [first] = going;
    if (first === undefined || due === null) return { tell: [] };
    const { dueAt, policy, version } = due;
    const { source, camera } = first;
    const made = { source, camera, policy, version, due: dueAt, ...factsOf(going) };
    const id = store.beginSlice(made);
    for (const row of going) store.mark(row.id, 'erasing', id);
    slice = { ...made, id };
    return { tell: [{ type: 'vault.erasing', data: told(slice) }] };
  });
  return slice;
}

function factsOf(rows: readonly CopyRow[]) {
  const list = new ListRoot();
  let [bytes, starts, ends] = [0, Number.POSITIVE_INFINITY, 0];
  for (const { file, sizeBytes, sha256, bounds } of rows) {
    list.add({ file, bytes: sizeBytes, sha256: sha256?.toString('base64url') ?? null });
    bytes += sizeBytes;
    starts = Math.min(starts, bounds.startEarliest);
    ends = Math.max(ends, bounds.endLatest ?? bounds.startLatest);
  }
  return { count: rows.length, bytes, starts: utcMs(starts), ends: utcMs(ends), root: list.root() };
}

function told(
  { source, camera, count, bytes, starts, ends, id, policy, version, due, root }: EraseSlice,
  outcome: { lateSeconds: number | null; failed: number; unseen: number; count?: number; bytes?: number } = {
    ...{ lateSeconds: null, failed: 0, unseen: 0 },
  },
): Draft<'vault.erased'>['data'] {
  return {
    ...{ source: source as SourceId, camera: camera as Id<'camera'>, count, bytes },
    ...{ from: toIso(starts), to: toIso(ends), slice: id, policy, version, dueAt: toIso(due) },
    ...{ listRoot: root, ...outcome },
  };
}

/** A crash from here to the end of transaction 2 leaves rows in `erasing`; `finish` takes the same road. */
async function carryOut(deps: ReleaseDeps, vault: VaultRow, slice: EraseSlice): Promise<number> {
  const { store, sweeps, faults } = deps;
  const folder = vaultFolder(vault);
  const outcomes: [CopyRow, Erased | 'held' | 'root'][] = [];
  let version = sweeps.dataVersion();
  let holds = sweeps.holds();
  try {
    for (const row of store.erasing(slice.id)) {
      // Nobody else of this process has a turn in between; another process may have placed one.
      if (sweeps.dataVersion() !== version) [version, holds] = [sweeps.dataVersion(), sweeps.holds()];
      const held = mayGo(deps, row, holds) === null;
      outcomes.push([row, held ? 'held' : eraseIn(folder, row)]);
      faults.hit?.('agent.vault.unlinked');
    }
    if (typeof folder === 'object') await folder.sync();
  } finally {
    if (typeof folder === 'object') folder.close();
  }
  return end(deps, slice, outcomes, false);
}

function eraseIn(folder: EraseFolder | string, { file, sizeBytes, kept }: CopyRow): Erased | 'root' {
  return typeof folder === 'string' ? 'root' : folder.erase(file, { sizeBytes, inode: kept });
}

/** Transaction 2. */
function end(
  { journal, store, clock, now, faults, tried }: ReleaseDeps,
  slice: EraseSlice,
  outcomes: readonly [CopyRow, Erased | 'held' | 'root'][],
  crashed: boolean,
): number {
  const gone = outcomes.filter(([, was]) => was === 'erased' || was === 'absent');
  const bytes = gone.reduce((sum, [{ sizeBytes }]) => sum + sizeBytes, 0);
  const unseen = crashed ? gone.length : gone.filter(([, was]) => was === 'absent').length;
  const at = now();
  const lateSeconds = at === null ? null : Math.max(0, Math.floor((at - slice.due) / SECOND_MS));
  const counts = { lateSeconds, failed: outcomes.length - gone.length, unseen, count: gone.length, bytes };
  journal.transact(() => {
    for (const [{ id }, was] of outcomes) {
      if (was === 'erased' || was === 'absent') store.erased(id);
      else store.mark(id, 'copied', null);
    }
    store.endSlice(slice.id, clock.now());
    return { tell: [{ type: 'vault.erased', data: told(slice, counts) }] };
  });
  for (const [{ id }, was] of outcomes) if (was !== 'held') tried.set(id, clock.mono());
  for (const [{ id }] of gone) tried.delete(id);
  faults.hit?.('agent.vault.erased');
  return gone.length;
}

/** After a crash: what is there is decided again, what is gone was erased, as far as can be known. */
async function finish(deps: ReleaseDeps, slice: EraseSlice): Promise<void> {
  const rows = deps.store.erasing(slice.id);
  const vault = deps.store.vaults().find(({ id }) => id === rows[0]?.vault);
  const folder = vault === undefined ? 'root-gone' : vaultFolder(vault);
  // Another disk lies there: nothing is known of its files. Without rows there is nothing to know.
  if (typeof folder === 'string' && rows.length > 0) return;
  const outcomes = rows.map((row): [CopyRow, Erased | 'held'] => {
    return [row, typeof folder === 'string' || folder.has(row.file) ? 'held' : 'absent'];
  });
  if (typeof folder === 'object') folder.close();
  end(deps, slice, outcomes, true);
  await deps.rest();
}

/** Rows of recordings that were lost before they were copied, once no hold asks for them. */
function forgetLost({ journal, store, sweeps, around }: ReleaseDeps): void {
  const surroundings = around();
  const holds = sweeps.holds();
  if (surroundings === null || holds === null) return;
  const over: CopyRow[] = [];
  for (let after = 0; ; ) {
    const rows = store.inState('lost', after, PAGE);
    after = rows.at(-1)?.id ?? 0;
    over.push(...rows.filter((row) => !isHeld(row, surroundings, holds)));
    if (rows.length < PAGE) break;
  }
  if (over.length === 0) return;
  journal.transact(() => {
    for (const { id } of over) store.drop(id);
    return { tell: [] };
  });
}

function isHeld(row: CopyRow, around: Surroundings, holds: readonly Hold[]): boolean {
  return heldBy(row, row.camera, around, holds).length > 0;
}
