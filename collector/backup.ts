/**
 * `collector backup`: a process of its own, beside a running collector.
 *
 * V27 A backup is one committed state of the database, signed and whole, under its name only when it is on the disk.
 *     No private half is in it, and no other secret.
 * V30 A copy of keys is on record before it exists, and every group that was live then is taken to be in it.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import { type Id, newId, toB64 } from '../protocol/ids.ts';
import { publicText, signRecord, verifyRecord } from '../protocol/sign.ts';
import { toIso, utcMs } from '../protocol/time.ts';
import { readKey, readOwn, type Surroundings } from './assemble.ts';
import { type CollectorConfig, configShape, readConfig, statePaths } from './config.ts';
import { makeEmpty, publish, readText, removeFile, writeAtomic } from './files.ts';
import { besideLog } from './journal.ts';
import { Keyring } from './keyring.ts';
import { copyDatabase, factsOf, readBackup, schemaVersion, sealBackup } from './store/backup.ts';
import { openStoreBeside } from './store/sqlite.ts';

const manifestShape = z.looseObject({
  v: z.literal(1),
  backup: z.string().regex(/^[0-9a-f]{32}$/),
  at: z.iso.datetime(),
  /** Name (origin) and Ed25519 key of the collector. */
  name: z.string(),
  identity: z.string(),
  generation: z.string(),
  /** Last leaf that is in it. */
  pos: z.int().min(0),
  /** Number of the newest migration. */
  schema: z.int().min(1),
  /** Of the program that made it. */
  version: z.string(),
  /** True: an escrow of the keys was written beside it. */
  withKeys: z.boolean(),
  config: configShape,
});
export type Manifest = z.infer<typeof manifestShape>;

export interface BackupOptions {
  file: string;
  state: string;
  /** age recipient of the escrow. */
  keysTo?: string | undefined;
  /** How long the escrow will be kept, in milliseconds; absent: nobody says, it counts as for ever. */
  keysKeptForMs?: number | undefined;
  dryRun?: boolean;
}

export interface BackupResult {
  backup: string | null;
  file: string;
  keysFile: string | null;
  at: string;
  pos: number;
  generation: string;
  schema: number;
  /** Hex; null in a dry run. */
  digest: string | null;
  /** Live keys in the escrow. */
  keys: number | null;
  dryRun: boolean;
}

export const keysFileOf = (file: string) => `${file}.keys.age`;

/** @throws TilsynError `backup.*`, `collector.*`, `store.*`, `keyring.absent`, `state.*` */
export async function backUp(
  options: BackupOptions,
  version: string,
  around: Surroundings,
): Promise<BackupResult> {
  const dir = resolve(options.state);
  const file = resolve(options.file);
  const config = readConfig(dir);
  const { database } = statePaths(dir);
  if (options.keysTo !== undefined) Keyring.checkRecipient(options.keysTo);
  refuseTaken(file, options);
  const before = presentFacts(database);
  const keysFile = options.keysTo === undefined ? null : keysFileOf(file);
  const at = around.clock.now();
  const shown = { file, keysFile, at: toIso(at), dryRun: options.dryRun === true };
  if (shown.dryRun) return { ...shown, ...before, backup: null, digest: null, keys: null };
  const backup = newId<'copy'>(around.random);
  await record(options, dir, backup, around);
  const base = { v: 1 as const, backup, at: shown.at, version, withKeys: keysFile !== null, config };
  const { manifest, digest } = copySealed(dir, `${file}.tmp`, base, around);
  const keys = await escrow(options, dir, keysFile, manifest);
  // The commit point: until here no file has the name of the backup.
  publish(`${file}.tmp`, file);
  const { pos, generation, schema } = manifest;
  return { ...shown, backup, pos, generation, schema, digest, keys };
}

function refuseTaken(file: string, { keysTo }: BackupOptions): void {
  const taken = [file, ...(keysTo === undefined ? [] : [keysFileOf(file)])].some((path) => existsSync(path));
  if (!taken) return;
  throw new TilsynError('backup.exists', 'backing up: there is a file of that name already', {
    hint: 'Name another file, for example with the date in it; a backup is never written over.',
    exit: 'conflict',
  });
}

function presentFacts(database: string) {
  if (!existsSync(database)) {
    throw new TilsynError('store.absent', 'backing up: the collector’s database is not there', {
      hint: 'Look at --state.',
      exit: 'notFound',
    });
  }
  const facts = factsOf(database);
  if (facts.schema >= schemaVersion()) return facts;
  throw new TilsynError('backup.older', 'backing up: the database is of an older version than this program', {
    hint: 'Start the collector once with this version, or back up with the version that runs.',
    exit: 'conflict',
  });
}

/** Before anything is copied: an escrow that nobody knows of would outlive an erasure unseen (V30). */
async function record(
  options: BackupOptions,
  dir: string,
  backup: Id<'copy'>,
  { clock, random }: Surroundings,
): Promise<void> {
  const { keysTo, keysKeptForMs } = options;
  const { database, identity } = statePaths(dir);
  const store = openStoreBeside(database);
  try {
    await store.write(async (tx) => {
      const own = await besideLog(tx, { store, clock, random, identity: readKey(identity) });
      const madeAt = clock.now();
      const pos = await tx.lastPos();
      const withKeys = keysTo !== undefined;
      const untilAt = keysKeptForMs === undefined ? null : utcMs(madeAt + keysKeptForMs);
      if (withKeys) await tx.keyCopies.put([{ copy: backup, kind: 'escrow', pos, madeAt, untilAt }]);
      const keptUntil = withKeys && untilAt !== null ? toIso(untilAt) : null;
      await own.append(tx, [{ type: 'collector.backed-up', data: { backup, withKeys, pos, keptUntil } }]);
    });
  } finally {
    await store.close();
  }
}

/** A file that a crash leaves here is dropped by the next backup of that name. */
function copySealed(
  dir: string,
  temporary: string,
  base: Pick<Manifest, 'v' | 'backup' | 'at' | 'version' | 'withKeys' | 'config'>,
  { random }: Surroundings,
): { manifest: Manifest; digest: string } {
  const paths = statePaths(dir);
  const identity = readKey(paths.identity);
  makeEmpty(temporary);
  try {
    const facts = copyDatabase(paths.database, temporary);
    const manifest = { ...base, ...facts, name: base.config.name, identity: publicText(identity) };
    const placeholder = `${random(32).toString('hex')}:${toB64(random(64))}`;
    const sign = (digest: string) => signRecord('backup', identity, { ...manifest, digest }).sig;
    return { manifest, digest: sealBackup(temporary, JSON.stringify(manifest), placeholder, sign) };
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
}

/** After the copy: every key that a row of the copy names is in it, unless it was erased meanwhile. */
async function escrow(
  { keysTo }: BackupOptions,
  dir: string,
  keysFile: string | null,
  { backup, name, config }: Manifest,
): Promise<number | null> {
  if (keysTo === undefined || keysFile === null) return null;
  const sealed = await Keyring.escrow({
    dir,
    second: config.keys2,
    recipient: keysTo,
    backup,
    name,
    files: keyFiles(dir, config),
  });
  writeAtomic(keysFile, sealed.sealed);
  return sealed.live;
}

/** Key files that cannot be made again, by name; those of an own CA with it. */
function keyFiles(dir: string, config: CollectorConfig): Record<string, string> {
  const paths = statePaths(dir);
  const wanted = config.tls === null ? [...KEY_FILES, ...CA_FILES] : KEY_FILES;
  const present = wanted.map((name) => [name, readText(paths[name])] as const);
  readOwn(paths.identity);
  return Object.fromEntries(present.filter((entry): entry is [KeyFile, string] => entry[1] !== null));
}
const KEY_FILES = ['identity', 'ledger'] as const;
const CA_FILES = ['caCert', 'caKey', 'serverCert', 'serverKey'] as const;
export type KeyFile = (typeof KEY_FILES)[number] | (typeof CA_FILES)[number];
export const ALL_KEY_FILES: readonly KeyFile[] = [...KEY_FILES, ...CA_FILES];

export interface CheckedBackup {
  manifest: Manifest;
  digest: string;
}

/**
 * Reads a backup and checks it against itself: bytes, pages, version, and the signature of the key that it names.
 * @throws TilsynError `backup.unreadable`, `backup.damaged`, `backup.newer`
 */
export function checkBackup(file: string): CheckedBackup {
  const { manifest: text, digest, sig, facts } = readBackup(file);
  const read = manifestShape.safeParse(JSON.parse(text));
  if (!read.success) throw unfit('its description is of a form that this version does not know');
  const manifest = read.data;
  if (manifest.schema > schemaVersion() || facts.schema !== manifest.schema) {
    throw unfit('it was made by a newer version');
  }
  const own = { ...(JSON.parse(text) as Manifest), digest, sig };
  if (!verifyRecord('backup', manifest.identity, own)) {
    throw new TilsynError('backup.unsigned', 'checking the backup: the collector it names did not sign it', {
      hint: 'Somebody changed it: take another backup. Nothing was changed.',
      exit: 'integrity',
    });
  }
  return { manifest, digest };
}

function unfit(why: string): TilsynError {
  return new TilsynError('backup.newer', `checking the backup: ${why}`, {
    hint: 'Restore it with the version that made it, or a newer one.',
    exit: 'conflict',
  });
}
