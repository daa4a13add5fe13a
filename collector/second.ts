/**
 * `collector keys2`: another second copy of the keys, where a disk died or is to be changed.
 *
 * V33 The second copy is replaced by a whole one before the settings name it. The one that is left is overwritten where
 *     it is there; where it is not, it is on record as a copy that an erasure cannot reach.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TilsynError } from '../protocol/errors.ts';
import { type Id, newId } from '../protocol/ids.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { readKey, type Surroundings } from './assemble.ts';
import { readConfig, statePaths, writeConfig } from './config.ts';
import { removeFile } from './files.ts';
import { besideLog } from './journal.ts';
import { Keyring } from './keyring.ts';
import { slotsAt } from './keyring-copies.ts';
import { lockState } from './lock.ts';
import { openStoreBeside } from './store/sqlite.ts';

export interface SecondOptions {
  state: string;
  /** Folder of the new second copy, on another device. */
  path: string;
  /** The old copy is not there, and somebody has seen to it that nobody ever reads it. */
  oldDestroyed?: boolean | undefined;
  dryRun?: boolean | undefined;
}

export interface SecondResult {
  state: string;
  keys2: string;
  /** What became of the copy of before. */
  before: 'none' | 'overwritten' | 'destroyed' | 'lost';
  /** Until when that one may hold keys; null: for ever, or there was none. */
  oldUntil: string | null;
  dryRun: boolean;
}

/** @throws TilsynError `keys2.*`, `keyring.*`, `collector.*`, `store.*` */
export async function replaceSecond(options: SecondOptions, around: Surroundings): Promise<SecondResult> {
  const dir = resolve(options.state);
  const to = resolve(options.path);
  const old = readConfig(dir).keys2;
  refusePlace(dir, to, old);
  const there = old !== null && old !== to && existsSync(slotsAt(old));
  const before = old === null ? 'none' : there ? 'overwritten' : options.oldDestroyed ? 'destroyed' : 'lost';
  const result = { state: dir, keys2: to, before, oldUntil: null, dryRun: options.dryRun === true } as const;
  if (result.dryRun) return result;
  const lock = lockState(dir);
  try {
    const oldUntil = await replace(dir, { from: there ? old : null, to, before }, around);
    return { ...result, oldUntil: oldUntil === null ? null : toIso(oldUntil) };
  } finally {
    lock.release();
  }
}

function refusePlace(dir: string, to: string, old: string | null): void {
  if (to === dir) {
    throw new TilsynError(
      'keys2.same',
      'replacing the second copy of the keys: that is where the first one is',
      {
        hint: 'Name a folder on another device.',
        exit: 'usage',
      },
    );
  }
  if (to !== old || !existsSync(slotsAt(to))) return;
  throw new TilsynError('keys2.there', 'replacing the second copy of the keys: it is there already', {
    hint: 'Start the collector: it brings both copies together. Name another folder to move it.',
    exit: 'conflict',
  });
}

interface Change {
  from: string | null;
  to: string;
  before: SecondResult['before'];
}

async function replace(dir: string, change: Change, around: Surroundings): Promise<UtcMs | null> {
  const config = readConfig(dir);
  const copy = newId<'copy'>(around.random);
  // On record first (V33): a crash after it says more than is true, never less.
  await note(dir, change, copy, change.before === 'destroyed' ? around.clock.now() : null, around);
  await Keyring.copyTo({ dir, second: change.from, to: change.to, random: around.random });
  // The commit point: from here on the start looks for the new one, and finds it whole.
  writeConfig(dir, { ...config, keys2: change.to });
  if (change.from === null) return change.before === 'destroyed' ? around.clock.now() : null;
  await Keyring.overwrite(change.from);
  removeFile(slotsAt(change.from));
  const gone = around.clock.now();
  await end(dir, copy, gone);
  return gone;
}

async function note(
  dir: string,
  { before }: Change,
  copy: Id<'copy'>,
  untilAt: UtcMs | null,
  { clock, random }: Surroundings,
): Promise<void> {
  const { database, identity } = statePaths(dir);
  const store = openStoreBeside(database);
  try {
    await store.write(async (tx) => {
      const own = await besideLog(tx, { store, clock, random, identity: readKey(identity) });
      const left = before === 'none' ? null : copy;
      const [madeAt, pos] = [clock.now(), await tx.lastPos()];
      if (left !== null) await tx.keyCopies.put([{ copy, kind: 'second', pos, madeAt, untilAt }]);
      const reason = REASONS[before];
      await own.append(tx, [{ type: 'keyring.second-replaced', data: { copy: left, reason } }]);
    });
  } finally {
    await store.close();
  }
}
const REASONS = { none: 'first', overwritten: 'overwritten', destroyed: 'removed', lost: 'absent' } as const;

async function end(dir: string, copy: Id<'copy'>, untilAt: UtcMs): Promise<void> {
  const store = openStoreBeside(statePaths(dir).database);
  try {
    await store.write(async (tx) => {
      const row = await tx.keyCopies.get(copy);
      if (row !== null) await tx.keyCopies.put([{ ...row, untilAt }]);
    });
  } finally {
    await store.close();
  }
}
