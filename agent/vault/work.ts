/**
 * Copies what a queue gives, one after the other, and tells of it in batches.
 *
 * I9  What a crash leaves of a copy: row `copying` and a `.part`, which hold nothing of value (the original is read again, if
 *     it is there still) → row `whole` with the SHA-256, from which on the `.part` is complete → the same under its final
 *     name → row `copied`, and told. `resume` takes the same road from wherever it stopped.
 * I10 Whether there is room is asked anew before each file: others fill the volume as well.
 */
import { closeSync } from 'node:fs';
import type { Hold } from '../../protocol/hold.ts';
import { type Id, type Random, toB64 } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { type Clock, SECOND_MS } from '../../protocol/time.ts';
import { removeFile, settleFile } from '../files.ts';
import type { AgentJournal } from '../journal.ts';
import type { Standing } from '../recordings/due.ts';
import { type EraseFolder, openFolder } from '../recordings/erase.ts';
import { openRoot } from '../recordings/root.ts';
import { acceptedOf } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { RecordingSource } from '../recordings/types.ts';
import type { Draft } from '../types.ts';
import { type CopyDeps, type CopyOutcome, copyOne, verify } from './copy.ts';
import { copyPath, type OpenVault } from './place.ts';
import { heldBy, type Room, refusal } from './plan.ts';
import type { Queue, Wanted } from './queue.ts';
import type { VaultStore } from './store.ts';
import type { CopyRow, VaultRow } from './types.ts';
import { type Touched, type Violation, violations } from './violated.ts';

export interface WorkDeps extends Omit<CopyDeps, 'mayClone'> {
  journal: Pick<AgentJournal, 'transact'>;
  store: VaultStore;
  sweeps: SweepStore;
  clock: Clock;
  random: Random;
  standing: Standing;
  /** Holds changed, or a scan ended: what comes next is asked anew. */
  replan(): boolean;
}

/** Why something that a hold covers is not copied, as far as this round saw. */
export type Failures = Map<string, { reason: string; count: number; bytes: number }>;

/** Copies that one vault.copied can stand for, and how long a finished one waits to be told. */
const BATCH = 64;
const BATCH_MS = 5 * SECOND_MS;

type Finished = Pick<CopyRow, 'id' | 'file' | 'camera' | 'bounds' | 'sizeBytes'> & { sha256: Buffer };
interface Lost {
  wanted: Wanted;
  reason: Extract<Violation, 'truncated' | 'changed'>;
}

export class Work {
  readonly #d: WorkDeps;
  readonly #failures: Failures = new Map();
  #finished: Finished[] = [];
  #lost: Lost[] = [];
  #since = 0;
  #mayClone = true;
  #vault = 0;
  #taken = 0;

  constructor(deps: WorkDeps) {
    this.#d = deps;
  }

  get failures(): Failures {
    return this.#failures;
  }

  /**
   * Finishes what a crash, or a full disk, left; nothing of it is copied twice where it is complete.
   * @param vaults that are there
   */
  async resume(vaults: readonly VaultRow[]): Promise<void> {
    const { store, stopped } = this.#d;
    const usable = new Map(vaults.map((row) => [row.id, row]));
    for (const row of store.inState('copying', 0, Number.MAX_SAFE_INTEGER)) {
      const vault = usable.get(row.vault);
      if (vault === undefined) continue;
      removeFile(copyPath(vault, row.file, true));
      this.#drop(row.id);
    }
    for (const row of store.inState('whole', 0, Number.MAX_SAFE_INTEGER)) {
      const vault = usable.get(row.vault);
      if (vault !== undefined && !stopped()) await this.#again(vault, row);
    }
    this.#flush();
  }

  /** A copy that was complete on the disk: under its final name, or under that of a part. */
  async #again(vault: VaultRow, row: CopyRow): Promise<void> {
    const { sha256 } = row;
    if (sha256 === null) return;
    const [part, path] = [copyPath(vault, row.file, true), copyPath(vault, row.file)];
    const expected = { sizeBytes: row.sizeBytes, sha256 };
    let is = await verify(this.#d, path, expected);
    if (is === 'absent') {
      is = await verify(this.#d, part, expected);
      if (is === 'same') settleFile(part, path);
    }
    if (is === 'same') return this.#finish({ ...row, sha256 });
    // What could not be read may be read with the next round.
    if (is === 'stopped' || is === 'unreadable') return;
    removeFile(part);
    this.#drop(row.id);
  }

  /** Until the queue is empty, something stands in the way of all of it (then its word), or it is stopped. */
  async run(
    vault: OpenVault,
    queue: Queue,
    holds: readonly Hold[],
    /** After so many bytes of this run. */
    room: (taken: number) => Room,
  ): Promise<string | null> {
    const { stopped, replan, clock } = this.#d;
    this.#mayClone = true;
    this.#vault = vault.row.id;
    this.#taken = 0;
    let halt: string | null = null;
    for (let wanted = queue.next(holds); wanted !== null && halt === null; ) {
      if (stopped() || replan()) break;
      halt = refusal(wanted.row.sizeBytes ?? 0, room(this.#taken)) ?? (await this.#one(vault, wanted, holds));
      if (this.#waiting >= BATCH || (this.#waiting > 0 && clock.mono() - this.#since > BATCH_MS))
        this.#flush();
      wanted = queue.next(holds);
    }
    this.#flush();
    return halt;
  }

  get #waiting(): number {
    return this.#finished.length + this.#lost.length;
  }

  /** Not null: no other file would fare better. */
  async #one(vault: OpenVault, wanted: Wanted, holds: readonly Hold[]): Promise<string | null> {
    const folder = folderOf(wanted.from.camera.source, this.#d.sweeps.read.pathOf(wanted.row.folder));
    if (typeof folder === 'string') return this.#fail(wanted, holds, folder);
    try {
      const touched = whatLiesThere(folder, wanted);
      // Whoever reads the folder next says that it vanished.
      if (touched === 'absent') return null;
      if (touched === 'unreadable') return this.#fail(wanted, holds, touched);
      if (touched !== null) return this.#lose({ wanted, reason: touched });
      const fd = folder.read(wanted.row.name);
      if (fd === null) return this.#fail(wanted, holds, 'unreadable');
      try {
        return await this.#copy(vault, wanted, holds, fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      folder.close();
    }
  }

  async #copy(vault: OpenVault, wanted: Wanted, holds: readonly Hold[], fd: number): Promise<string | null> {
    const { journal, store, faults } = this.#d;
    const made = this.#begin(vault, wanted);
    const part = copyPath(vault.row, made.file, true);
    const outcome = await copyOne({ ...this.#d, mayClone: this.#mayClone }, fd, part, wanted.row);
    if (outcome.is !== 'whole') return this.#notWhole(made.id, wanted, holds, outcome);
    this.#mayClone = outcome.cloned;
    this.#taken += outcome.sizeBytes;
    const { sizeBytes, sha256 } = outcome;
    const kept = vault.inodes ? outcome.kept : null;
    journal.transact(() => {
      store.whole(made.id, { sha256, kept, sizeBytes });
      return { tell: [] };
    });
    faults.hit?.('agent.vault.hashed');
    // A clone was read from the finished file as it is; anything else is read again.
    const is = outcome.cloned ? 'same' : await verify(this.#d, part, { sizeBytes, sha256 });
    if (is === 'stopped') return null;
    // It may be all that is left of the recording: the next round reads it again.
    if (is === 'unreadable') return this.#fail(wanted, holds, is);
    if (is !== 'same') {
      removeFile(part);
      this.#drop(made.id);
      return this.#fail(wanted, holds, is === 'differs' ? 'copy-differs' : 'copy-gone');
    }
    faults.hit?.('agent.vault.verified');
    settleFile(part, copyPath(vault.row, made.file));
    faults.hit?.('agent.vault.settled');
    const { bounds } = wanted.row;
    this.#finish({ ...made, camera: wanted.from.camera.camera, bounds, sizeBytes, sha256 });
    return null;
  }

  #begin(vault: OpenVault, wanted: Wanted): { id: number; file: string } {
    const { journal, random, faults } = this.#d;
    const file = random(16).toString('hex');
    let id = 0;
    journal.transact(() => {
      id = this.#row(vault.row.id, file, wanted, null);
      return { tell: [] };
    });
    faults.hit?.('agent.vault.begun');
    return { id, file };
  }

  #row(vault: number, file: string, { from, row }: Wanted, said: string | null): number {
    const { store, sweeps } = this.#d;
    const { folder, name, bounds, sizeBytes, inode } = row;
    return store.begin({
      ...{ file, vault, folder, name, bounds, inode, said, sizeBytes: sizeBytes ?? 0 },
      path: [...sweeps.read.pathOf(folder), name].join('/'),
      source: from.camera.source.source,
      camera: from.camera.camera,
      state: said === null ? 'copying' : 'lost',
    });
  }

  #notWhole(
    id: number,
    wanted: Wanted,
    holds: readonly Hold[],
    outcome: Exclude<CopyOutcome, { is: 'whole' }>,
  ): string | null {
    this.#drop(id);
    if (outcome.is === 'stopped') return null;
    if (outcome.is === 'truncated' || outcome.is === 'changed')
      return this.#lose({ wanted, reason: outcome.is });
    if (outcome.is === 'growing') return this.#fail(wanted, holds, 'growing');
    const full = outcome.code === 'ENOSPC' || outcome.code === 'EDQUOT';
    return full ? 'vault-space' : this.#fail(wanted, holds, outcome.code);
  }

  #drop(id: number): void {
    const { journal, store } = this.#d;
    journal.transact(() => {
      store.drop(id);
      return { tell: [] };
    });
  }

  #fail({ from, row }: Wanted, holds: readonly Hold[], reason: string): null {
    for (const hold of heldBy(row, from.camera.camera, this.#d.standing, holds)) {
      const { count = 0, bytes = 0 } = this.#failures.get(hold) ?? {};
      this.#failures.set(hold, { reason, count: count + 1, bytes: bytes + (row.sizeBytes ?? 0) });
    }
    return null;
  }

  #lose(lost: Lost): null {
    this.#waits();
    this.#lost.push(lost);
    return null;
  }

  #finish(finished: Finished): void {
    this.#waits();
    this.#finished.push(finished);
  }

  #waits(): void {
    if (this.#waiting === 0) this.#since = this.#d.clock.mono();
  }

  /** One transaction: what was copied, what was lost, and both told. A crash before it leaves rows that `resume` finds. */
  #flush(): void {
    if (this.#waiting === 0) return;
    const { journal, store, sweeps, clock, faults } = this.#d;
    journal.transact(() => {
      const holds = sweeps.holds() ?? [];
      const batch = store.nextBatch();
      for (const { id } of this.#finished) store.copied(id, batch, clock.now());
      const tell = [...this.#copied(batch, holds), ...this.#losses(holds)];
      faults.hit?.('agent.vault.telling');
      return { tell };
    });
    [this.#finished, this.#lost] = [[], []];
    faults.hit?.('agent.vault.told');
  }

  #copied(batch: number, holds: readonly Hold[]): Draft<'vault.copied'>[] {
    const lists = new Map<string | null, { list: ListRoot; bytes: number }>();
    for (const { file, camera, bounds, sizeBytes, sha256 } of this.#finished) {
      const by = heldBy({ bounds }, camera, this.#d.standing, holds);
      for (const hold of by.length === 0 ? [null] : by) {
        const one = lists.get(hold) ?? { list: new ListRoot(), bytes: 0 };
        one.list.add({ file, bytes: sizeBytes, sha256: toB64(sha256) });
        one.bytes += sizeBytes;
        lists.set(hold, one);
      }
    }
    return [...lists].map(([hold, { list, bytes }]) => {
      const data = { hold: hold as Id<'hold'> | null, batch, count: list.size, bytes, listRoot: list.root() };
      return { type: 'vault.copied', data };
    });
  }

  #losses(holds: readonly Hold[]): Draft[] {
    const { store, sweeps, random, standing } = this.#d;
    const groups = new Map<string, { source: string; reason: Lost['reason']; touched: Touched[] }>();
    for (const { wanted, reason } of this.#lost) {
      const { from, row } = wanted;
      this.#row(this.#vault, random(16).toString('hex'), wanted, reason);
      // Another file by now, or another size: it is catalogued as such, and what is there is copied.
      if (reason === 'changed' || reason === 'truncated') sweeps.forgetFile(row);
      const key = `${from.camera.source.source} ${reason}`;
      const group = groups.get(key) ?? { source: from.camera.source.source, reason, touched: [] };
      const copied = store.hasCopy(row.folder, row.name);
      group.touched.push({ camera: from.camera.camera, bounds: row.bounds, copied });
      groups.set(key, group);
    }
    return [...groups.values()].flatMap(({ source, reason, touched }) =>
      violations(source, touched, { holds, standing, reason }),
    );
  }
}

/** The original's folder, from its accepted root; a text: why not. */
export function folderOf(source: RecordingSource, path: readonly string[]): EraseFolder | string {
  const accepted = acceptedOf(source);
  if (accepted === null) return 'not-accepted';
  const root = openRoot(accepted);
  if ('trouble' in root) return root.trouble;
  try {
    const folder = openFolder(root, path);
    return folder === 'absent' ? ABSENT : folder;
  } finally {
    root.close();
  }
}

/** A folder that is not there: as its files, it is missed by whoever reads the root next. */
const ABSENT = 'root';

/** What the original is now, beside what the catalogue knows of it; null: the same, or more of it. */
export function whatLiesThere(
  folder: EraseFolder,
  { row }: Pick<Wanted, 'row'>,
): 'absent' | 'unreadable' | Lost['reason'] | null {
  const there = folder.look(row.name);
  if (typeof there === 'string') return there;
  if (!there.isFile() || (row.inode !== null && there.ino !== row.inode)) return 'changed';
  return row.sizeBytes !== null && there.size < row.sizeBytes ? 'truncated' : null;
}
