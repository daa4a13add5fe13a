/** The collector's composition root: the only file here that knows the process. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { Logger } from 'pino';
import type { Random } from '../protocol/ids.ts';
import { type Clock, systemClock } from '../protocol/time.ts';
import type { Surroundings } from './assemble.ts';
import { type BackupOptions, type BackupResult, backUp } from './backup.ts';
import { type InitOptions, type InitResult, makeCollector } from './init.ts';
import { createLog } from './log.ts';
import { type RestoreOptions, type RestoreResult, restore as restoreState } from './restore.ts';
import { startCollector } from './running.ts';
import { replaceSecond, type SecondOptions, type SecondResult } from './second.ts';
import type { Context, FaultSeam } from './types.ts';

export type { BackupOptions, BackupResult } from './backup.ts';
export type { InitOptions, InitResult } from './init.ts';
export type { RestoreOptions, RestoreResult } from './restore.ts';
export type { SecondOptions, SecondResult } from './second.ts';

/** Handed in by tests; the product leaves them away. */
export interface Outside {
  clock?: Clock;
  random?: Random;
  faults?: FaultSeam;
  log?: Logger;
  /** The log goes to this file, mode 0600, instead of standard error. */
  logFile?: string;
}

export interface RunOptions extends Outside {
  state: string;
  /** `address:port`; an IPv6 address in brackets. */
  listen?: string | undefined;
  /** `127.0.0.1:port` for `/metrics` and `/health`; absent: none. Loopback only. */
  metrics?: string | undefined;
  /** False: the caller stops it; SIGINT and SIGTERM are left alone. */
  signals?: boolean;
}

/** A running collector. */
export interface Handle {
  /** `address:port` as bound. */
  address: string;
  /** Where metrics are told, `address:port` as bound; null: nowhere. */
  metrics: string | null;
  /** Stops in order; resolves when everything is on disk. Safe to repeat. */
  stop(): Promise<void>;
  /** Resolves once it has stopped, whoever asked for it. */
  stopped: Promise<void>;
  /** For tests and benches in the same process. */
  ctx: Context;
}

export const DEFAULT_LISTEN = '127.0.0.1:8443';

function surroundings({ clock, random, faults, log, logFile }: Outside): Surroundings {
  return {
    clock: clock ?? systemClock,
    random: random ?? ((size) => randomBytes(size)),
    faults: faults ?? {},
    log: log ?? createLog('info', logFile),
  };
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

/** Makes a collector in an empty state directory. @throws TilsynError */
export async function init(options: InitOptions & Outside): Promise<InitResult> {
  return await makeCollector(options, surroundings(options));
}

/** Backs a collector up, running or not. @throws TilsynError */
export async function backup(options: BackupOptions & Outside): Promise<BackupResult> {
  return await backUp(options, version(), surroundings(options));
}

/** Puts a collector back from a backup. @throws TilsynError */
export async function restore(options: RestoreOptions & Outside): Promise<RestoreResult> {
  return await restoreState(options, surroundings(options));
}

/** Gives the keys another second copy. @throws TilsynError */
export async function keys2(options: SecondOptions & Outside): Promise<SecondResult> {
  return await replaceSecond(options, surroundings(options));
}

/** Runs the collector of a state directory until it is stopped. @throws TilsynError */
export async function run(options: RunOptions): Promise<Handle> {
  const { state, listen = DEFAULT_LISTEN, metrics, signals = true } = options;
  const memory = () => process.memoryUsage.rss();
  const settings = { state, listen, metrics, memory, version: version() };
  const running = await startCollector(settings, surroundings(options));
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>();
  const onSignal = () => {
    stop().catch(() => {
      process.exitCode = 1;
    });
  };
  const stop = async () => {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
    await running.stop().then(resolve, (error: unknown) => {
      reject(error);
      throw error;
    });
  };
  // Whoever stops it hears of a failure; nobody has to wait for `stopped`.
  stopped.catch(() => {});
  if (signals) {
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  }
  return { address: running.address, metrics: running.metrics, ctx: running.ctx, stop, stopped };
}
