/** What a restore finds before it changes anything: the backup, the keys that survived, and what must be said. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TilsynError } from '../protocol/errors.ts';
import { fromPem, publicText } from '../protocol/sign.ts';
import { type CheckedBackup, checkBackup } from './backup.ts';
import { type CollectorConfig, readConfig, statePaths } from './config.ts';
import { readBytes, readText } from './files.ts';
import { slotsAt } from './keyring-copies.ts';
import { type Escrow, openEscrow } from './keyring-escrow.ts';
import type { RestoreOptions } from './restore.ts';
import { interrupted, type KeysFrom } from './restore-keys.ts';

export interface RestorePlan {
  dir: string;
  file: string;
  /** Null: only the keys were lost. */
  backup: CheckedBackup | null;
  config: CollectorConfig;
  keysFrom: KeysFrom;
  escrow: Escrow | null;
  identityKept: boolean;
}

/** For a database that is gone. @throws TilsynError */
export async function lookAtState(options: RestoreOptions, file: string): Promise<RestorePlan> {
  const dir = resolve(options.state);
  const paths = statePaths(dir);
  if (existsSync(paths.database)) throw living();
  const backup = checkBackup(resolve(file));
  const { manifest } = backup;
  const config = existsSync(paths.config) ? readConfig(dir) : manifest.config;
  if (config.name !== manifest.name) throw another();
  const escrow = await escrowOf(options);
  try {
    const own = identityAt(dir) ?? escrowIdentity(escrow);
    if (own !== null && own !== manifest.identity) throw another();
    const plan = withKeys(options, dir, config, escrow);
    if (own === null && options.withoutKeys !== true) throw noIdentity();
    return { ...plan, file: resolve(file), backup, identityKept: own !== null };
  } catch (error) {
    escrow?.close();
    throw error;
  }
}

/** For slot files that are gone beside a living database. @throws TilsynError */
export async function lookAtKeys(options: RestoreOptions): Promise<RestorePlan> {
  const dir = resolve(options.state);
  const config = readConfig(dir);
  if (!existsSync(statePaths(dir).database)) throw noDatabase();
  const escrow = await escrowOf(options);
  try {
    const own = identityAt(dir);
    const kept = escrowIdentity(escrow);
    if (kept !== null && own !== null && kept !== own) throw another();
    const plan = withKeys(options, dir, config, escrow);
    if (plan.keysFrom === 'survived') throw nothingLost();
    return { ...plan, file: '', backup: null, identityKept: true };
  } catch (error) {
    escrow?.close();
    throw error;
  }
}

async function escrowOf({ keys, identityFile }: RestoreOptions): Promise<Escrow | null> {
  if (keys === undefined && identityFile === undefined) return null;
  const sealed = keys === undefined ? null : readBytes(resolve(keys));
  const identities = identityFile === undefined ? null : readText(resolve(identityFile));
  if (sealed !== null && identities !== null) return await openEscrow(sealed, identities);
  throw new TilsynError('restore.escrow', 'restoring: the escrow and what opens it are not both there', {
    hint: 'Give --keys FILE.keys.age and --identity-file with the private half of its recipient.',
    exit: 'usage',
  });
}

function identityAt(dir: string): string | null {
  const text = readText(statePaths(dir).identity);
  return text === null ? null : publicText(fromPem(text));
}

function escrowIdentity(escrow: Escrow | null): string | null {
  const text = escrow?.head.files.identity;
  return text === undefined ? null : publicText(fromPem(text));
}

/** Where the keys will be from. What survived is stronger than any copy; what is lost has to be said. */
function withKeys(
  { keys2, withoutKeys }: RestoreOptions,
  dir: string,
  config: CollectorConfig,
  escrow: Escrow | null,
): Pick<RestorePlan, 'dir' | 'config' | 'escrow' | 'keysFrom'> {
  const named = keys2 === undefined ? config.keys2 : resolve(keys2);
  const half = interrupted(dir);
  const there = [dir, named].some((folder) => folder !== null && existsSync(slotsAt(folder)));
  const survived = there && half !== 'escrow' && half !== 'lost';
  const keysFrom = survived ? 'survived' : escrow !== null ? 'escrow' : withoutKeys === true ? 'lost' : null;
  if (keysFrom === null || (half === 'escrow' && keysFrom === 'lost')) throw noKeys();
  // New files: a second copy only where its folder is there, and not by accident on the first one's disk.
  const second = survived || keys2 !== undefined || (named !== null && existsSync(named)) ? named : null;
  return { dir, config: { ...config, keys2: second }, escrow, keysFrom };
}

export function living(): TilsynError {
  return new TilsynError('restore.living', 'restoring: there is a database in this state directory', {
    hint: 'If it is damaged, start the collector once: it sets the file aside. Otherwise name an empty --state; nothing is written over.',
    exit: 'conflict',
  });
}

function another(): TilsynError {
  return new TilsynError(
    'restore.another',
    'restoring: backup, keys and directory are not of one collector',
    {
      hint: 'Look at --state, --keys and the name of the backup; nothing was changed.',
      exit: 'conflict',
    },
  );
}

function noKeys(): TilsynError {
  return new TilsynError('restore.no-keys', 'restoring: the keys of key groups are not there', {
    hint: 'Mount the disk of --keys2, or give --keys FILE.keys.age --identity-file F. If there is neither, --without-keys goes on: what was sealed before stays closed for ever.',
    exit: 'integrity',
  });
}

function noIdentity(): TilsynError {
  return new TilsynError('restore.no-identity', 'restoring: the identity key of the collector is not there', {
    hint: 'Put identity.pem back, or give --keys FILE.keys.age --identity-file F. If there is neither, --without-keys makes a new one: every host is then enrolled again.',
    exit: 'integrity',
  });
}

function noDatabase(): TilsynError {
  return new TilsynError('restore.no-database', 'restoring the keys: there is no database beside them', {
    hint: 'Name the backup: `tilsyn collector restore FILE --state DIR`.',
    exit: 'notFound',
  });
}

function nothingLost(): TilsynError {
  return new TilsynError('restore.nothing-lost', 'restoring the keys: a copy of them is there', {
    hint: 'Start the collector: it repairs the other copy. A second copy on another disk: `tilsyn collector keys2`.',
    exit: 'conflict',
  });
}
