/**
 * `collector restore`: a state directory from a backup, beside whatever keys survived.
 *
 * V28 Nothing is put back that was not checked, nothing is written over a living database, and until the database gets
 *     its name there is no collector: a restore that was broken off is run again.
 * V29 What is put back is a new generation with a successor of the own log. Tombstones win over rows, and what fell due
 *     is erased, before a port opens. Enrolment tokens of before are useless.
 * V32 Where the tombstones are lost with the slots, nobody is believed: each host waits for approval, sign-ins end, and
 *     a new admin token is written.
 */
import { existsSync } from 'node:fs';
import { TilsynError } from '../protocol/errors.ts';
import { signGroup } from '../protocol/group.ts';
import { type Id, newId } from '../protocol/ids.ts';
import { assemble, Commits, type Rooms, readKey, type Surroundings } from './assemble.ts';
import { statePaths, writeConfig } from './config.ts';
import { settleEnds } from './erasing/ends.ts';
import { eraseDue } from './erasing/eraser.ts';
import { copyOwn, ensureStateDir, publish, removeFile, setSidesAside, writeAtomic } from './files.ts';
import { Keyring } from './keyring.ts';
import { lockState } from './lock.ts';
import { addPerson } from './people.ts';
import { recover } from './recovery.ts';
import { settleRequests } from './regroup/take-out.ts';
import { type KeysFrom, layKeyFiles, laySlotFiles, markRestoring, unmarkRestoring } from './restore-keys.ts';
import { living, lookAtKeys, lookAtState, type RestorePlan } from './restore-plan.ts';
import { readBackup, unsealCopy } from './store/backup.ts';
import { openStore } from './store/sqlite.ts';
import type { Store, Tx } from './store/types.ts';

export interface RestoreOptions {
  /** State directory: new, emptied, or one whose database is gone. */
  state: string;
  /** The backup; absent: the database lives, only the keys were lost. */
  file?: string | undefined;
  /** `FILE.keys.age`. */
  keys?: string | undefined;
  /** File with the private half of the recipient. */
  identityFile?: string | undefined;
  /** A person has decided to go on without keys that are lost. */
  withoutKeys?: boolean | undefined;
  /** Folder of the second copy of the keys, from now on. */
  keys2?: string | undefined;
  dryRun?: boolean | undefined;
}

export interface RestoreResult {
  state: string;
  /** Null: the database was not touched. */
  backup: string | null;
  madeAt: string | null;
  pos: number | null;
  generation: string | null;
  /** Where the keys are from, and where the second copy is. */
  keys: KeysFrom;
  keys2: string | null;
  /** False: it is another identity from now on, and every host has to be enrolled again. */
  identityKept: boolean;
  liveKeys: number | null;
  hosts: { known: number; toApprove: number; revoked: number };
  people: { revoked: number; signinsEnded: number };
  tokensEnded: number;
  /** Groups that were erased because a tombstone or their due time said so. */
  erased: number;
  /** Of a new admin; null where the sign-ins of before still work. */
  adminTokenFile: string | null;
  dryRun: boolean;
}

/** @throws TilsynError `restore.*`, `backup.*`, `escrow.*`, `keyring.*`, `collector.running`, `state.*` */
export async function restore(options: RestoreOptions, around: Surroundings): Promise<RestoreResult> {
  const plan =
    options.file === undefined ? await lookAtKeys(options) : await lookAtState(options, options.file);
  try {
    if (options.dryRun === true) return planned(plan);
    ensureStateDir(plan.dir);
    const lock = lockState(plan.dir);
    try {
      return await underLock(plan, around);
    } finally {
      lock.release();
    }
  } finally {
    plan.escrow?.close();
  }
}

function planned(plan: RestorePlan): RestoreResult {
  return { ...shown(plan, null), dryRun: true };
}

function shown(plan: RestorePlan, generation: string | null): RestoreResult {
  const { dir, backup, keysFrom, config, identityKept } = plan;
  return {
    state: dir,
    backup: backup?.manifest.backup ?? null,
    madeAt: backup?.manifest.at ?? null,
    pos: backup?.manifest.pos ?? null,
    generation,
    keys: keysFrom,
    keys2: config.keys2,
    identityKept,
    liveKeys: null,
    hosts: { known: 0, toApprove: 0, revoked: 0 },
    people: { revoked: 0, signinsEnded: 0 },
    tokensEnded: 0,
    erased: 0,
    adminTokenFile: null,
    dryRun: false,
  };
}

const TEMPORARY = '.restoring';

async function underLock(plan: RestorePlan, around: Surroundings): Promise<RestoreResult> {
  const { dir, config, backup, file } = plan;
  const { database } = statePaths(dir);
  // Again, under the lock.
  if (backup !== null && existsSync(database)) throw living();
  // First of all: a restore that is broken off after this finds slot files that did not survive by themselves (V32).
  markRestoring(dir, plan.keysFrom);
  await layKeyFiles(plan, around);
  await laySlotFiles(plan, around);
  const path = backup === null ? database : layDatabase(database, file, backup.digest);
  const result = await fill(plan, path, around);
  writeConfig(dir, config);
  // The commit point (V28): until here this directory has no database.
  if (backup !== null) publish(path, database);
  unmarkRestoring(dir);
  return result;
}

/** The copy that becomes the database, under a name that no start looks at. */
function layDatabase(database: string, file: string, digest: string): string {
  setSidesAside(database);
  const path = database + TEMPORARY;
  for (const suffix of ['-wal', '-shm', '-journal', '']) removeFile(path + suffix);
  copyOwn(file, path);
  // The bytes that are here now, not those that were looked at before.
  if (readBackup(path).digest !== digest) throw changed();
  unsealCopy(path);
  return path;
}

async function fill(plan: RestorePlan, path: string, around: Surroundings): Promise<RestoreResult> {
  const { dir, config, keysFrom, backup } = plan;
  const commits = new Commits();
  const store = await openStore(path, { faults: around.faults, appended: commits.notify });
  const keyring = await Keyring.open({
    dir,
    second: config.keys2,
    random: around.random,
    faults: around.faults,
  });
  let rooms: Rooms | null = null;
  try {
    if (keysFrom === 'lost') await keyring.fence(await highestSlot(store));
    if (!plan.identityKept) await signAnew(store, dir);
    const generation = newId<'generation'>(around.random);
    rooms = await assemble({ ...around, dir, config, store, keyring, commits, generation });
    const live = keyring.groups().filter(({ state }) => state === 'live').length;
    const counted =
      backup === null
        ? { ...shown(plan, null), ...(await keysRestored(rooms, plan, live)) }
        : await newState(rooms, plan, generation);
    const settled = await settle(rooms, keyring);
    const adminTokenFile = backup !== null && keysFrom !== 'survived' ? await newAdmin(rooms, dir) : null;
    return {
      ...counted,
      liveKeys: live,
      hosts: { ...counted.hosts, revoked: settled.hostsRevoked },
      people: { ...counted.people, revoked: settled.peopleRevoked },
      erased: settled.erased,
      adminTokenFile,
    };
  } finally {
    await rooms?.ctx.telemetry.close();
    await store.close();
    await keyring.close();
  }
}

/** One transaction: generation, successor of the own log, what is not believed any more, and the event. */
async function newState(
  { ctx, own }: Rooms,
  plan: RestorePlan,
  generation: Id<'generation'>,
): Promise<RestoreResult> {
  const { keysFrom, backup } = plan;
  const result = shown(plan, generation);
  await ctx.store.write(async (tx) => {
    await tx.setMeta('generation', generation);
    await tx.setMeta('name', plan.config.name);
    await own.succeed(tx, 'restored');
    const { backup: id, pos } = backup?.manifest ?? { backup: undefined, pos: undefined };
    const data = { generation, reason: 'backup' as const, backup: id, pos, keys: keysFrom };
    await own.append(tx, [{ type: 'collector.restored', data }]);
    result.tokensEnded = await endTokens(tx, ctx.clock.now(), own);
    result.hosts.known = (await tx.agents.list()).filter(({ state }) => state !== 'revoked').length;
    if (keysFrom === 'survived') return;
    result.hosts.toApprove = await askForHosts(tx);
    result.people.signinsEnded = await endSignins(tx);
  });
  return result;
}

/** V29: what was used or revoked since the backup is not known; a new one costs nothing. */
async function endTokens(tx: Tx, now: number, own: Rooms['own']): Promise<number> {
  const open = (await tx.tokens.list({ state: 'open' })).filter(({ expiresAt }) => expiresAt > now);
  await tx.tokens.put(open.map((row) => ({ ...row, state: 'revoked' as const })));
  await own.append(
    tx,
    open.map(({ token }) => ({ type: 'token.revoked' as const, data: { token, person: null } })),
  );
  return open.length;
}

/** V32: each of them was let in by a state that is lost; a person lets it in again. */
async function askForHosts(tx: Tx): Promise<number> {
  const rows = await tx.agents.list({ state: 'approved' });
  await tx.agents.put(
    rows.map((row) => ({
      ...row,
      state: 'waiting' as const,
      firstSeenAt: row.firstSeenAt ?? row.enrolledAt,
    })),
  );
  return rows.length;
}

async function endSignins(tx: Tx): Promise<number> {
  const rows = await tx.signins.list({ state: 'active' });
  await tx.signins.put(rows.map((row) => ({ ...row, state: 'revoked' as const })));
  return rows.length;
}

async function keysRestored({ ctx, own }: Rooms, { keysFrom }: RestorePlan, count: number): Promise<object> {
  const reason = keysFrom === 'escrow' ? 'escrow' : 'keys-lost';
  await ctx.store.write((tx) => own.append(tx, [{ type: 'keyring.restored', data: { reason, count } }]));
  return {};
}

/** What every start does, and what fell due meanwhile: nothing waits for the port (V29). */
async function settle(
  { ctx, own }: Rooms,
  keyring: Keyring,
): Promise<{ hostsRevoked: number; peopleRevoked: number; erased: number }> {
  const { store, groups, clock } = ctx;
  const count = async () => ({
    hosts: (await store.read.agents.list({ state: 'revoked' })).length,
    people: (await store.read.people.list({ state: 'revoked' })).length,
    erased: (await store.read.groups.list({ state: 'erased' })).length,
  });
  const before = await count();
  const { telemetry, bury, opener, random } = ctx;
  const options = { store, keyring, groups, own, clock, telemetry, bury, opener, random };
  const { drafts, findings } = await recover(options);
  if (drafts.length > 0) await store.write((tx) => own.append(tx, drafts));
  for (const { code, count: n, message } of findings) ctx.log.warn({ code, count: n }, `restore: ${message}`);
  await settleEnds(options);
  await settleRequests(options, keyring.tombstones());
  await eraseDue(options);
  const after = await count();
  return {
    hostsRevoked: after.hosts - before.hosts,
    peopleRevoked: after.people - before.people,
    erased: after.erased - before.erased,
  };
}

async function newAdmin({ ctx }: Rooms, dir: string): Promise<string> {
  const { adminToken } = statePaths(dir);
  const { token } = await addPerson(ctx, { role: 'admin', customers: null, createdBy: null });
  writeAtomic(adminToken, `${token}\n`);
  return adminToken;
}

async function highestSlot(store: Store): Promise<number> {
  const rows = await store.read.groups.list();
  return rows.reduce((most, { slot }) => Math.max(most, slot ?? 0), 0);
}

/** Agents take groups only from the identity that they were enrolled with: those that live are signed again. */
async function signAnew(store: Store, dir: string): Promise<void> {
  const identity = readKey(statePaths(dir).identity);
  const rows = await store.read.groups.list({ state: 'live' });
  const again = rows.map((row) => {
    const { group, kind, agreement, from, to, key } = row;
    return {
      ...row,
      record: signGroup(identity, { group, kind, agreement, class: row.class, from, to, key }),
    };
  });
  await store.write((tx) => tx.groups.put(again));
}

function changed(): TilsynError {
  return new TilsynError('restore.changed', 'restoring: the backup changed while it was copied', {
    hint: 'Run the same command again; nothing was put back.',
    exit: 'integrity',
  });
}
