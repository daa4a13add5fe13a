/** The files of keys that a restore puts back, or makes anew where a person said so. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { newSigningKey, toPem } from '../protocol/sign.ts';
import type { Surroundings } from './assemble.ts';
import { ALL_KEY_FILES } from './backup.ts';
import { makeCa, makeServerCert } from './certs.ts';
import { hostOf, statePaths } from './config.ts';
import { readText, removeFile, writeAtomic } from './files.ts';
import { writePair } from './init.ts';
import { Keyring } from './keyring.ts';
import type { RestorePlan } from './restore-plan.ts';

/** `survived`: a slot file was there; `lost`: new, empty ones are made. */
export type KeysFrom = 'survived' | 'escrow' | 'lost';

const MARK = 'restoring';
const WORDS: readonly KeysFrom[] = ['survived', 'escrow', 'lost'];

/** What a restore that was broken off had set out to do; null: none was. */
export function interrupted(dir: string): KeysFrom | null {
  const text = readText(join(dir, MARK))?.trim();
  return WORDS.find((word) => word === text) ?? null;
}

export function markRestoring(dir: string, keysFrom: KeysFrom): void {
  writeAtomic(join(dir, MARK), `${keysFrom}\n`);
}

export function unmarkRestoring(dir: string): void {
  removeFile(join(dir, MARK));
}

/** Files that are there stay. */
export async function layKeyFiles({ dir, escrow, config }: RestorePlan, around: Surroundings): Promise<void> {
  const paths = statePaths(dir);
  for (const name of ALL_KEY_FILES) {
    const text = escrow?.head.files[name];
    if (text !== undefined && !existsSync(paths[name])) writeAtomic(paths[name], text);
  }
  for (const path of [paths.identity, paths.ledger]) {
    if (!existsSync(path)) writeAtomic(path, toPem(newSigningKey()));
  }
  if (config.tls !== null || (existsSync(paths.caCert) && existsSync(paths.caKey))) return;
  const [now, { random }] = [around.clock.now(), around];
  const ca = await makeCa(config.name, now, random);
  writeAtomic(paths.caCert, ca.cert);
  writeAtomic(paths.caKey, ca.key);
  writePair(dir, await makeServerCert(ca, hostOf(config.url), now, random));
}

/** Slot files that survived stay as they are: the start brings both copies together. */
export async function laySlotFiles(
  { dir, config, escrow, keysFrom }: RestorePlan,
  { random, faults }: Surroundings,
): Promise<void> {
  const { keys2: second } = config;
  if (keysFrom === 'escrow' && escrow !== null) await Keyring.refill({ dir, second }, escrow);
  if (keysFrom === 'lost' && !existsSync(statePaths(dir).slots)) {
    await (await Keyring.create({ dir, second, random, faults })).close();
  }
}
