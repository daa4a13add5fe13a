/** A collector's rooms on a real state directory: store, both copies of the keys, groups, own log, opener. Free of
 * the test runner, so that a child that is to be killed can use them. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createGroups } from '../../collector/groups.ts';
import { type CollectorLog, createOwnLog } from '../../collector/journal.ts';
import { Keyring } from '../../collector/keyring.ts';
import { createOpener, type KeyOpener } from '../../collector/opener.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import type { Store } from '../../collector/store/types.ts';
import type { FaultSeam, Groups } from '../../collector/types.ts';
import { packNamed } from '../../protocol/packs.ts';
import { newSigningKey } from '../../protocol/sign.ts';
import { type Clock, type UtcMs, utcMs } from '../../protocol/time.ts';

export const random = (size: number) => randomBytes(size);
export const newHex = <T extends string>() => randomBytes(16).toString('hex') as T;
export const identity = newSigningKey();
export const NOW = utcMs(Date.UTC(2026, 10, 22, 8, 0, 0));

/** Stands still unless moved. */
export class TestClock implements Clock {
  wall: number = NOW;
  ticks = 1_000;
  now(): UtcMs {
    return utcMs(this.wall);
  }
  mono(): number {
    return this.ticks;
  }
  after(): () => void {
    return () => {};
  }
  advance(ms: number): void {
    this.wall += ms;
    this.ticks += ms;
  }
}

export interface House {
  dir: string;
  clock: TestClock;
  store: Store;
  keyring: Keyring;
  groups: Groups;
  own: CollectorLog;
  opener: KeyOpener;
  close(): Promise<void>;
}

export interface HouseOptions {
  dir: string;
  clock?: TestClock;
  faults?: FaultSeam;
  /** False: one copy of the keys. */
  second?: boolean;
}

export const keyringOptions = ({ dir, faults, second }: HouseOptions) => ({
  dir,
  second: second === false ? null : join(dir, 'two'),
  random,
  ...(faults === undefined ? {} : { faults }),
});

/** Opens what lies in `dir`; `create` for the first time. */
export async function openHouse(options: HouseOptions, create = false): Promise<House> {
  const { dir, clock = new TestClock(), faults = {} } = options;
  const store = await openStore(join(dir, 'collector.db'), { faults });
  const settings = keyringOptions(options);
  const keyring = await (create ? Keyring.create(settings) : Keyring.open(settings));
  const spans = packNamed('none');
  const groups = await createGroups({ store, keyring, identity, spans, clock, random });
  const own = await createOwnLog({ store, groups, identity, clock, random });
  const opener = createOpener(keyring, groups);
  const close = async () => {
    await store.close();
    await keyring.close();
  };
  return { dir, clock, store, keyring, groups, own, opener, close };
}
