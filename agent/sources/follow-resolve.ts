/**
 * Brings the list of followed files in line with what lies on disk: rotated, truncated, copied away,
 * deleted, come back. Works on a draft; nothing here counts until the caller accepts the step.
 */
import type { FileHandle } from 'node:fs/promises';
import type { FollowDisk, Opened, Sibling } from './follow-disk.ts';
import { beginsAs, continues, MIN_COPY_BYTES, newFile, observe, type Seen } from './follow-identity.ts';
import { findFile, rotatedNameOf, unseenSiblings } from './follow-siblings.ts';
import {
  emptyState,
  type FileState,
  type FollowNotice,
  type FollowState,
  liveOf,
  remember,
  retireFile,
} from './follow-state.ts';

export interface Draft {
  state: FollowState;
  handles: Map<number, FileHandle>;
  notices: FollowNotice[];
  /** A file was moved away, and no line of its successor has been accepted yet. */
  rotating: boolean;
}

/** Thrown where the folder changed under our eyes: the same look is taken again at once. */
export class FolderMoved extends Error {}

export function firstDraft(state: FollowState | null): Draft {
  const kept = state === null ? emptyState() : structuredClone(state);
  const live = liveOf(kept);
  const rotating = kept.files.length > 0 && (live === null || (kept.files.length > 1 && live.offset === 0));
  return { state: kept, handles: new Map(), notices: [], rotating };
}

export function copyDraft(draft: Draft): Draft {
  const { state, handles, notices, rotating } = draft;
  return { state: structuredClone(state), handles: new Map(handles), notices: [...notices], rotating };
}

export class Resolver {
  readonly #disk: FollowDisk;
  readonly #key: Buffer;
  readonly #isRotatedName: (name: string) => boolean;

  constructor(disk: FollowDisk, key: Buffer) {
    this.#disk = disk;
    this.#key = key;
    this.#isRotatedName = rotatedNameOf(disk.path);
  }

  /** What lies beside a file that is followed for the first time is history: noted, never read. */
  async #begin(d: Draft): Promise<void> {
    const history = (await this.#siblings()).filter((sibling) => this.#isRotatedName(sibling.name));
    for (const sibling of history.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
      const { ino, fp, fpLength } = newFile(0, sibling, this.#key, false);
      remember(d.state, { ino, fp, fpLength, offset: sibling.size });
      d.state.newestMs = sibling.mtimeMs;
    }
    d.state.begun = true;
  }

  async resolve(d: Draft): Promise<void> {
    const reason = d.state.begun ? 'appeared' : 'first';
    if (!d.state.begun) await this.#begin(d);
    await this.#findAgain(d);
    const ino = await this.#disk.inodeAtPath();
    if ((await this.#checkHeld(d)) === ino) return;
    const live = liveOf(d.state);
    if (ino === null) return live === null ? undefined : this.#supersede(d, live, null);
    const now = await this.#disk.open();
    if (now === null) throw new FolderMoved();
    if (live === null) return this.#start(d, now, await this.#siblings(), [now.seen], reason);
    return this.#settle(d, live, now);
  }

  /** F9: bytes that are gone. The notice and the end of the entry are one step, so it is said once. */
  lose(d: Draft, file: FileState, reason: string): void {
    if (file.size > file.offset) notice(d, 'lost', reason, file.offset, file.size - file.offset);
    retireFile(d.state, file);
    d.handles.delete(file.file);
  }

  /** F1, F5, F6: goes on in the file at the path where it is ours, else closes it and starts the next one. */
  async #settle(d: Draft, live: FileState, now: Opened): Promise<void> {
    if (!continues(live, now.seen, this.#key)) return this.#supersede(d, live, now);
    const { size, mtimeMs } = now.seen;
    if (size < live.size) notice(d, 'lost', 'shortened', size, live.size - size);
    // F4: nothing, or a few first bytes, is the beginning of any file: ours may have been copied away since.
    const changed = size !== live.size || mtimeMs !== d.state.newestMs;
    if (changed && live.fpLength < MIN_COPY_BYTES)
      await this.#takeUnseen(d, await this.#siblings(), [now.seen]);
    observe(live, now.seen, this.#key);
    d.state.newestMs = now.seen.mtimeMs;
    d.handles.set(live.file, now.handle);
  }

  /**
   * The live file through its open handle, wherever it lies by now: it may have been truncated before it was
   * renamed. Returns its inode.
   */
  async #checkHeld(d: Draft): Promise<string | undefined> {
    const live = liveOf(d.state);
    const handle = live === null ? undefined : d.handles.get(live.file);
    if (live === null || handle === undefined) return undefined;
    const seen = await this.#disk.look(handle);
    await this.#settle(d, live, { handle, seen });
    return seen.ino;
  }

  /** After a restart: where the files lie now that were moved away before it. */
  async #findAgain(d: Draft): Promise<void> {
    const away = d.state.files.filter((file) => !file.live && !d.handles.has(file.file));
    if (away.length === 0) return;
    const siblings = await this.#siblings();
    for (const file of away) {
      const home = await this.#openHome(file, siblings);
      if (home === null) this.lose(d, file, 'removed');
      else d.handles.set(file.file, home.handle);
    }
  }

  /** The live file is no longer at its path, or no longer what it was there. `now`: what lies there. */
  async #supersede(d: Draft, live: FileState, now: Opened | null): Promise<void> {
    const siblings = await this.#siblings();
    const inPlace = now !== null && now.seen.ino === live.ino;
    const held = inPlace ? undefined : d.handles.get(live.file);
    const home =
      held === undefined
        ? await this.#openHome(live, siblings)
        : { handle: held, seen: await this.#disk.look(held) };
    const present = [now, home].filter((opened) => opened !== null).map((opened) => opened.seen);
    d.rotating = true;
    d.handles.delete(live.file);
    if (home === null) this.#giveUp(d, live, now);
    else this.#moveAway(d, live, home, inPlace ? 'copied' : whereTo(live, home.seen, siblings));
    const reason = home === null && inPlace ? 'truncated' : 'rotated';
    if (now === null) await this.#takeUnseen(d, siblings, present);
    else await this.#start(d, now, siblings, present, reason);
  }

  /** F2, F3, F4: the old file is read to its end before, and while, the new one is. */
  #moveAway(d: Draft, live: FileState, home: Opened, reason: string): void {
    const { ino, size } = home.seen;
    if (size < live.size) notice(d, 'lost', 'shortened', size, live.size - size);
    live.live = false;
    live.ino = ino;
    live.size = size;
    d.handles.set(live.file, home.handle);
    notice(d, 'rotated', reason, live.offset, live.size - live.offset);
  }

  #giveUp(d: Draft, live: FileState, now: Opened | null): void {
    const inPlace = now !== null && now.seen.ino === live.ino;
    if (!inPlace) {
      notice(d, 'rotated', 'removed', live.offset, live.size - live.offset);
      this.lose(d, live, 'removed');
      return;
    }
    const shortened = beginsAs(live, now.seen, this.#key);
    notice(d, 'truncated', shortened ? 'shortened' : 'rewritten', live.offset, now.seen.size);
    this.lose(d, live, 'truncated');
    // The same beginning is read again from 0; as a known file it would be taken up at the old offset.
    if (shortened) d.state.known.pop();
  }

  /** A new generation at the path, after those that came and went before it. */
  async #start(d: Draft, now: Opened, siblings: Sibling[], present: Seen[], reason: string): Promise<void> {
    const back = d.state.known.find((known) => continues(known, now.seen, this.#key));
    if (back !== undefined) d.state.known = d.state.known.filter((known) => known !== back);
    await this.#takeUnseen(d, siblings, present);
    const live = newFile(d.state.nextFile++, now.seen, this.#key, true, back?.offset ?? 0);
    d.state.files.push(live);
    d.state.newestMs = now.seen.mtimeMs;
    d.handles.set(live.file, now.handle);
    if (reason === 'truncated') return;
    notice(d, 'opened', back === undefined ? reason : 'returned', live.offset, live.size);
  }

  /** F3: rotations that nobody saw. */
  async #takeUnseen(d: Draft, siblings: Sibling[], present: Seen[]): Promise<void> {
    for (const sibling of unseenSiblings(d.state, siblings, present, this.#isRotatedName, this.#key)) {
      const opened = await this.#disk.open(sibling.name);
      if (opened === null || opened.seen.ino !== sibling.ino) throw new FolderMoved();
      const file = newFile(d.state.nextFile++, opened.seen, this.#key, false);
      d.state.files.splice(liveOf(d.state) === null ? d.state.files.length : -1, 0, file);
      d.handles.set(file.file, opened.handle);
      notice(d, 'opened', 'unseen', 0, file.size);
    }
  }

  async #openHome(file: FileState, siblings: Sibling[]): Promise<Opened | null> {
    const found = findFile(file, siblings, this.#key);
    if (found === null) return null;
    const home = await this.#disk.open(found.name);
    if (home === null || !continues(file, home.seen, this.#key)) throw new FolderMoved();
    return home;
  }

  #siblings(): Promise<Sibling[]> {
    return this.#disk.siblings(this.#isRotatedName);
  }
}

export function notice(
  d: Draft,
  kind: FollowNotice['kind'],
  reason: string,
  offset: number,
  length: number,
): void {
  d.notices.push({ kind, reason, offset, length });
}

/** Where a file went that left the followed path: `removed` is deleted, or moved out of the folder. */
function whereTo(live: FileState, home: Seen, siblings: Sibling[]): string {
  if (siblings.some((sibling) => sibling.ino === home.ino))
    return home.ino === live.ino ? 'renamed' : 'moved';
  return 'removed';
}
