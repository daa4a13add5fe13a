/**
 * `collector init`: keys, certificates, database, own log, and the first person who may sign in.
 *
 * N4  `collector.json` is written last: a directory that has it is a whole collector, one that has not is none.
 * N5  A second `init` on the same directory changes nothing and says so.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TilsynError } from '../protocol/errors.ts';
import { newId } from '../protocol/ids.ts';
import { PACKS, packNamed } from '../protocol/packs.ts';
import { newSigningKey, publicText, toPem } from '../protocol/sign.ts';
import { assemble, Commits, openDatabase, type Surroundings } from './assemble.ts';
import { checkOperatorPair, type KeyPairPem, makeCa, makeServerCert } from './certs.ts';
import { type CollectorConfig, checkName, checkUrl, hostOf, statePaths, writeConfig } from './config.ts';
import { ensureStateDir, readText, writeAtomic } from './files.ts';
import { Keyring } from './keyring.ts';
import { refuseUsedSecond } from './keyring-copies.ts';
import { lockState } from './lock.ts';
import { addPerson } from './people.ts';
import { setPack } from './policy.ts';

export interface InitOptions {
  state: string;
  /** Policy pack by name, or `none`. There is no default: a period is never invented. */
  policy?: string | undefined;
  name?: string | undefined;
  url?: string | undefined;
  /** Folder of the second copy of the keys, on another device. */
  keys2?: string | undefined;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
}

/** What `collector init -o json` prints. */
export interface InitResult {
  name: string;
  url: string;
  /** Ed25519 identity key, base64url. */
  identity: string;
  /** The CA that clients trust; null where the operator's certificate is used. */
  caFile: string | null;
  adminTokenFile: string;
}

const DEFAULT_URL = 'wss://127.0.0.1:8443';

/** @throws TilsynError `collector.exists`, `collector.half-made`, `policy.*`, `tls.*`, `state.*` */
export async function makeCollector(options: InitOptions, around: Surroundings): Promise<InitResult> {
  const dir = resolve(options.state);
  const config = configOf(options, around);
  refuseSecond(dir, config);
  ensureStateDir(dir);
  const lock = lockState(dir);
  try {
    // Again, under the lock: another init may have been quicker.
    refuseSecond(dir, config);
    await makeCertificates(dir, config, around);
    return await makeState(dir, config, around);
  } finally {
    lock.release();
  }
}

function configOf(options: InitOptions, { random }: Surroundings): CollectorConfig {
  if (options.policy === undefined) {
    throw new TilsynError('policy.missing', 'making a collector: no retention policy was chosen', {
      hint: `Give --policy with one of: ${Object.keys(PACKS).join(', ')}. Nothing is invented: none means that nothing is erased by age.`,
      exit: 'usage',
    });
  }
  packNamed(options.policy);
  const { tlsCert, tlsKey } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new TilsynError('tls.half', 'making a collector: --tls-cert and --tls-key belong together', {
      hint: 'Give both, or neither for an own CA.',
      exit: 'usage',
    });
  }
  return {
    v: 1,
    name: checkName(options.name ?? `tilsyn-${random(4).toString('hex')}`),
    url: checkUrl(options.url ?? DEFAULT_URL),
    policy: options.policy,
    keys2: options.keys2 === undefined ? null : resolve(options.keys2),
    tls:
      tlsCert === undefined || tlsKey === undefined ? null : { cert: resolve(tlsCert), key: resolve(tlsKey) },
  };
}

/** N5. What an earlier, interrupted `init` left is a person's to remove: it may be a collector that lost a file. */
function refuseSecond(dir: string, { keys2 }: CollectorConfig): void {
  const paths = statePaths(dir);
  if (existsSync(paths.config)) {
    throw new TilsynError('collector.exists', 'making a collector: this state directory has one already', {
      hint: 'Start it with `tilsyn collector run`, or give another --state.',
      exit: 'conflict',
    });
  }
  if ([paths.slots, paths.database, paths.identity].some((path) => existsSync(path))) {
    throw new TilsynError('collector.half-made', 'making a collector: this directory holds parts of one', {
      hint: `If an earlier init was interrupted, empty the directory${
        keys2 === null ? '' : ', remove keys.slots from the folder of --keys2'
      } and try again; otherwise restore collector.json.`,
      exit: 'conflict',
    });
  }
  if (keys2 !== null) refuseUsedSecond(keys2);
}

async function makeCertificates(dir: string, config: CollectorConfig, around: Surroundings): Promise<void> {
  const { clock, random } = around;
  const now = clock.now();
  if (config.tls !== null) {
    checkOperatorPair(readPair(config.tls), hostOf(config.url), now);
    return;
  }
  const paths = statePaths(dir);
  const ca = await makeCa(config.name, now, random);
  writeAtomic(paths.caCert, ca.cert);
  writeAtomic(paths.caKey, ca.key);
  writePair(dir, await makeServerCert(ca, hostOf(config.url), now, random));
}

/** The operator's files. @throws TilsynError `tls.unreadable` */
export function readPair(files: { cert: string; key: string }): KeyPairPem {
  const [cert, key] = [readText(files.cert), readText(files.key)];
  if (cert !== null && key !== null) return { cert, key };
  throw new TilsynError('tls.unreadable', 'reading the TLS certificate: a file is not there', {
    hint: 'Look at --tls-cert and --tls-key; the collector reads them at each start.',
    exit: 'usage',
  });
}

/** Key first: a certificate whose key is not there yet would keep the collector from starting. */
export function writePair(dir: string, pair: KeyPairPem): void {
  const paths = statePaths(dir);
  writeAtomic(paths.serverKey, pair.key);
  writeAtomic(paths.serverCert, pair.cert);
}

async function makeState(dir: string, config: CollectorConfig, around: Surroundings): Promise<InitResult> {
  const { random, faults } = around;
  const paths = statePaths(dir);
  const identity = newSigningKey();
  writeAtomic(paths.identity, toPem(identity));
  writeAtomic(paths.ledger, toPem(newSigningKey()));
  const keyring = await Keyring.create({ dir, second: config.keys2, random, faults });
  const commits = new Commits();
  const store = await openDatabase(dir, faults, commits);
  try {
    const generation = newId<'generation'>(random);
    await store.write(async (tx) => {
      await tx.setMeta('name', config.name);
      await tx.setMeta('policy', config.policy);
      await tx.setMeta('generation', generation);
    });
    const { ctx } = await assemble({ ...around, dir, config, store, keyring, commits, generation });
    await store.write((tx) => setPack(ctx, tx, { pack: config.policy, person: null }));
    const { token } = await addPerson(ctx, { role: 'admin', customers: null, createdBy: null });
    writeAtomic(paths.adminToken, `${token}\n`);
  } finally {
    await store.close();
    await keyring.close();
  }
  // The commit point (N4): before it this directory is no collector, and `init` says what to do with it.
  writeConfig(dir, config);
  return {
    name: config.name,
    url: config.url,
    identity: publicText(identity),
    caFile: config.tls === null ? paths.caCert : null,
    adminTokenFile: paths.adminToken,
  };
}
