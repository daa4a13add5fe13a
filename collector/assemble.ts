/** Puts the rooms of a collector together over one state directory. */
import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import { TilsynError } from '../protocol/errors.ts';
import type { Id, Random } from '../protocol/ids.ts';
import { spansOf } from '../protocol/packs.ts';
import { fromPem } from '../protocol/sign.ts';
import type { Clock } from '../protocol/time.ts';
import { backupsKeptOf, type CollectorConfig, statePaths } from './config.ts';
import { Counters } from './counters.ts';
import { webhookFiles } from './deliver/files.ts';
import { readText } from './files.ts';
import { createGroups } from './groups.ts';
import { LinkRegistry } from './ingest/links.ts';
import { type CollectorLog, createOwnLog } from './journal.ts';
import type { Keyring } from './keyring.ts';
import { createOpener } from './opener.ts';
import { policyInForce } from './policy.ts';
import { openStore } from './store/sqlite.ts';
import { openTelemetry } from './store/telemetry.ts';
import type { Pos, Store } from './store/types.ts';
import type { Context, FaultSeam } from './types.ts';

/** What the process hands in; real ones in the product, settable ones in tests. */
export interface Surroundings {
  clock: Clock;
  random: Random;
  log: Logger;
  faults: FaultSeam;
}

export interface Rooms {
  ctx: Context;
  own: CollectorLog;
  links: LinkRegistry;
}

/** Tells listeners of commits; a position is told once, and never a lower one after it. */
export class Commits {
  readonly #listeners = new Set<(through: Pos) => void>();
  #through: Pos = 0;

  readonly notify = (through: Pos): void => {
    if (through <= this.#through) return;
    this.#through = through;
    for (const listener of [...this.#listeners]) listener(through);
  };

  readonly listen = (fn: (through: Pos) => void): (() => void) => {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  };
}

/** Opens the database; `commits` hears of everything that is stored. */
export async function openDatabase(dir: string, faults: FaultSeam, commits: Commits): Promise<Store> {
  return await openStore(statePaths(dir).database, { faults, appended: commits.notify });
}

/** A private key of the state directory. @throws TilsynError `collector.key-absent` */
export function readKey(path: string): KeyObject {
  return fromPem(readOwn(path));
}

/** A file that `collector init` made. */
export function readOwn(path: string): string {
  const text = readText(path);
  if (text !== null) return text;
  throw new TilsynError('collector.key-absent', 'opening the collector: a key or certificate file is gone', {
    hint: 'Put the state directory back from a backup; keys cannot be made again.',
    exit: 'integrity',
  });
}

const DAMAGED_TELEMETRY = 'telemetry: a damaged file was set aside, and another begun';

export interface Parts extends Surroundings {
  dir: string;
  config: CollectorConfig;
  store: Store;
  keyring: Keyring;
  commits: Commits;
  generation: Id<'generation'>;
}

export async function assemble(parts: Parts): Promise<Rooms> {
  const { dir, config, store, keyring, commits, clock, random, log, faults } = parts;
  const paths = statePaths(dir);
  const identity = readKey(paths.identity);
  const groups = await createGroups({
    store,
    keyring,
    identity,
    spans: spansOf((await policyInForce(store.read)).policy),
    clock,
    random,
  });
  const own = await createOwnLog({ store, groups, identity, clock, random });
  keyring.onErase((group) => own.forget(group));
  const links = new LinkRegistry();
  let { generation } = parts;
  const ctx: Context = {
    store,
    telemetry: openTelemetry({ dir: paths.telemetry, faults, damaged: () => log.warn(DAMAGED_TELEMETRY) }),
    counters: new Counters(),
    own,
    groups,
    opener: createOpener(keyring, groups),
    clock,
    random,
    log,
    faults,
    identity,
    name: config.name,
    url: config.url,
    caPem: config.tls === null ? readOwn(paths.caCert) : null,
    requireNda: config.requireNda ?? false,
    backupsKeptFor: backupsKeptOf(config),
    ...(config.sessionAlerts === undefined ? {} : { sessionAlerts: config.sessionAlerts }),
    generation: () => generation,
    adoptGeneration: (next) => {
      generation = next;
    },
    links,
    webhooks: webhookFiles(paths.webhooks),
    notify: commits.notify,
    bury: (ids) => keyring.bury(ids),
    isBuried: (id) => keyring.isBuried(id),
    onCommit: commits.listen,
  };
  return { ctx, own, links };
}
