/**
 * The one road of an erasure, at a start and while running. In this order, each step durable before the next:
 * the row says `erasing`, with `erasure.started` → every copy of the keys is overwritten, flushed and read back →
 * the root over what lay there is kept → parts, wraps and origins go → the row says `erased`, with `erasure.done` →
 * the log of the database is emptied.
 *
 * V34 Whatever is erased goes this road; where a crash stops it, the next start goes on from there (V20).
 * V35 An erasure says by which rule: policy, version, due time and how late; how many parts went, and the root over
 *     them, as they were when it began (D5).
 * V36 When an erasure is told of as complete, nothing of what lay there stands in the database or in its log.
 * V37 No transaction of it touches more than `GROUPS` groups or deletes more than `PARTS` parts: others have their turn.
 * V38 What began to be erased was due at that very moment: its row is read again in the transaction that begins.
 */
import type { EventData } from '../../protocol/event.ts';
import type { AgreementId } from '../../protocol/ids.ts';
import { type Clock, SECOND_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import type { Keyring } from '../keyring.ts';
import type { ErasureRow, GroupRow, Store, Tx } from '../store/types.ts';
import type { FaultSeam, Groups, OwnDraft, OwnLog } from '../types.ts';
import { listUnder } from './list-root.ts';

/** Groups of one slice: about 30 ms of transactions, and one flush per copy of the keys. */
export const GROUPS = 128;
/** Parts that one transaction deletes: about 50 ms. */
export const PARTS = 1_000;
/** Slices after which the log of the database is emptied. */
const SLICES = 8;
/** Tries to empty the log of the database while a reader is in the way. */
const TRIES = 20;

export interface EraseOptions {
  store: Store;
  keyring: Keyring;
  groups: Groups;
  own: OwnLog;
  clock: Clock;
  faults?: FaultSeam;
  /** Zeroes keys of one-off sessions, which lie in memory only. */
  forget?: (groups: readonly GroupRow['group'][]) => void;
  /** Told of agreements (null: none, our own records) whose groups are dying, and again once they are dead. */
  died?: (agreements: ReadonlySet<AgreementId | null>) => void;
}

/** What is to be erased, and by which rule. */
export interface Due {
  group: GroupRow['group'];
  by: 'policy' | 'agreement' | 'lane' | 'request';
  policy: string | null;
  version: number | null;
  dueAt: UtcMs | null;
  /** Of the rule; absent: `erase`. */
  action?: 'erase' | 'anonymise' | undefined;
}

/** What the rows need to be for their erasure to begin; asked inside the transaction (V38). */
export type StillDue = (tx: Tx, row: GroupRow, due: Due) => Promise<boolean>;

/**
 * Erases these groups, slice by slice; between two slices others run.
 * @returns how many began, and whether all of it is done: false where a copy of the keys is not there
 */
export async function eraseAll(
  options: EraseOptions,
  dues: readonly Due[],
  still: StillDue = async () => true,
): Promise<{ count: number; complete: boolean }> {
  let count = 0;
  let complete = true;
  for (let from = 0; from < dues.length; from += GROUPS) {
    const rows = await begin(options, dues.slice(from, from + GROUPS), still);
    tellOf(options, rows);
    count += rows.length;
    complete = (await finish(options, rows)) && complete;
    // Not behind every slice: moving pages takes longer than all the rest of it.
    const last = from + GROUPS >= dues.length;
    if (last || (from / GROUPS) % SLICES === SLICES - 1) complete = (await emptyLog(options)) && complete;
    await breathe();
  }
  return { count, complete };
}

/** The point of no return. A crash before its commit leaves all of it live; after it, every start goes on. */
async function begin(
  { store, groups, own, clock, faults }: EraseOptions,
  dues: readonly Due[],
  still: StillDue,
): Promise<GroupRow[]> {
  const begun = await store.write(async (tx) => {
    const now = clock.now();
    const erasing: GroupRow[] = [];
    const known: ErasureRow[] = [];
    for (const due of dues) {
      const row = await tx.groups.get(due.group);
      if (row?.state !== 'live' || !(await still(tx, row, due))) continue;
      const { action, ...rule } = due;
      erasing.push({ ...row, state: 'erasing', erasedBy: due.by, dueAt: due.dueAt });
      // Kept from here on: after a crash nobody asks the policy again.
      const method = action === 'anonymise' ? 'anonymised' : null;
      known.push({ ...blank(row, now), ...rule, method });
    }
    if (erasing.length === 0) return erasing;
    await tx.groups.put(erasing);
    await tx.erasures.put(known);
    await own.append(
      tx,
      known.map((erasure, i) => draft('erasure.started', erasing[i] as GroupRow, erasure, now)),
    );
    tx.afterCommit(() => groups.committed(erasing));
    return erasing;
  });
  faults?.hit?.('erasing.begun');
  return begun;
}

/**
 * The rest of an erasure, for rows that are `erasing`. Safe to repeat.
 * @returns false where they stay `erasing`, because a copy of the keys is not there
 */
export async function finishErasures(options: EraseOptions, rows: readonly GroupRow[]): Promise<boolean> {
  const complete = await finish(options, rows);
  if (rows.length > 0) await emptyLog(options);
  return complete;
}

async function finish(options: EraseOptions, rows: readonly GroupRow[]): Promise<boolean> {
  if (rows.length === 0) return true;
  // One-off keys have no slot: they are dropped from memory, or went with the process that had them.
  const slotted = rows.filter((row) => row.kind !== 'oneoff');
  options.forget?.(rows.filter((row) => row.kind === 'oneoff').map(({ group }) => group));
  const complete = slotted.length === 0 || (await options.keyring.erase(slotted));
  options.faults?.hit?.('erasing.keys-gone');
  // A crash here leaves tombstones and rows that are `erasing`: the next start comes this way again.
  const done = complete ? rows : rows.filter((row) => row.kind === 'oneoff');
  await bury(options, done, null);
  return complete;
}

/** Deletes what lies under groups whose keys are gone; `by` where this was found out, not begun, by this process. */
export async function buryRows(
  options: EraseOptions,
  rows: readonly GroupRow[],
  by: 'tombstone' | null,
): Promise<void> {
  await bury(options, rows, by);
  if (rows.length > 0) await emptyLog(options);
}

async function bury(options: EraseOptions, rows: readonly GroupRow[], by: 'tombstone' | null): Promise<void> {
  for (let from = 0; from < rows.length; from += GROUPS) {
    const slice = rows.slice(from, from + GROUPS);
    const counted: { row: GroupRow; erasure: ErasureRow }[] = [];
    for (const row of slice) counted.push({ row, erasure: await empty(options, row, by) });
    await done(options, counted);
    tellOf(options, slice);
    options.faults?.hit?.('erasing.rows-gone');
    await breathe();
  }
}

/** Counts and roots what lies under one group, once, and deletes all but the last of it. */
async function empty(options: EraseOptions, row: GroupRow, by: string | null): Promise<ErasureRow> {
  const { store, clock, faults } = options;
  const known = (await store.read.erasures.get(row.group)) ?? {
    ...blank(row, clock.now()),
    by: by ?? row.erasedBy ?? 'unknown',
    dueAt: row.dueAt,
  };
  // Nothing comes to a group that is not live: what is read in pieces is one state.
  const method = by ?? known.method ?? (row.kind === 'oneoff' ? 'key-dropped' : 'slot-overwritten');
  const counted =
    known.listRoot === null
      ? { ...known, ...(await listUnder(store.read, row.group, breathe)), method }
      : { ...known, method };
  if ((counted.parts ?? 0) <= PARTS) return counted;
  // Kept before the first part goes: after a crash they cannot be counted again.
  await store.write((tx) => tx.erasures.put([counted]));
  faults?.hit?.('erasing.counted');
  for (let more = true; more; ) {
    more = (await store.write((tx) => tx.dropSomeUnder(row.group, PARTS))) === PARTS;
    faults?.hit?.('erasing.slice');
    await breathe();
  }
  return counted;
}

/** One transaction: the last parts, wraps and origins gone, rows `erased`, and the events that say so. */
async function done(
  { store, groups, own, clock }: EraseOptions,
  counted: readonly { row: GroupRow; erasure: ErasureRow }[],
): Promise<void> {
  await store.write(async (tx) => {
    const now = clock.now();
    const dead: GroupRow[] = [];
    const drafts: OwnDraft[] = [];
    const finished: ErasureRow[] = [];
    for (const { row, erasure } of counted) {
      await tx.dropGroups([row.group]);
      dead.push({ ...row, state: 'erased', erasedAt: now, erasedBy: erasure.by });
      finished.push({ ...erasure, doneAt: now });
      drafts.push(draft('erasure.done', row, erasure, now));
    }
    await tx.groups.put(dead);
    const positions = await own.append(tx, drafts);
    await tx.erasures.put(finished.map((row, i) => ({ ...row, donePos: positions[i] ?? null })));
    tx.afterCommit(() => groups.committed(dead));
  });
}

/** V36. A reader's statement lasts milliseconds; where one stays in the way, the duty comes again. */
export async function emptyLog({ store, faults }: Pick<EraseOptions, 'store' | 'faults'>): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await store.settle()) {
      faults?.hit?.('erasing.log-empty');
      return true;
    }
    await breathe();
  }
  return false;
}

function tellOf({ died }: EraseOptions, rows: readonly GroupRow[]): void {
  if (rows.length > 0) died?.(new Set(rows.map(({ agreement }) => agreement)));
}

function blank({ group }: GroupRow, begunAt: UtcMs): ErasureRow {
  return {
    group,
    by: 'other',
    policy: null,
    version: null,
    dueAt: null,
    begunAt,
    doneAt: null,
    parts: null,
    listRoot: null,
    method: null,
    donePos: null,
  };
}

function draft(
  type: 'erasure.started' | 'erasure.done',
  row: GroupRow,
  { policy, version, dueAt, parts, listRoot, method, by }: ErasureRow,
  now: UtcMs,
): OwnDraft<'erasure.started' | 'erasure.done'> {
  const late = dueAt === null ? null : Math.max(0, Math.floor((now - dueAt) / SECOND_MS));
  const data: EventData<'erasure.done'> = {
    group: row.group,
    class: row.class,
    policy,
    version,
    dueAt: dueAt === null ? null : toIso(dueAt),
    count: parts ?? 0,
    listRoot,
    lateSeconds: late,
    method: method ?? (row.kind === 'oneoff' ? 'key-dropped' : 'slot-overwritten'),
    by,
  };
  return { type, data };
}

/** Lets batches and requests in between. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
