/** Gathers, for each disk of recordings and for the vault's, what a forecast is made from, and says which comes first. */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Hold, HoldOrder } from '../../protocol/hold.ts';
import { type Clock, DAY_MS, HOUR_MS, SECOND_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { recorderDeletes } from '../config-sources.ts';
import { Patience } from '../patience.ts';
import type { Standing, Surroundings } from '../recordings/due.ts';
import { dueOf } from '../recordings/due-of.ts';
import type { Root } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import { merged, reach } from '../vault/plan.ts';
import { orderAsHold } from './cover.ts';
import {
  type DayBytes,
  type DiskCamera,
  type Forecast,
  forecast,
  HORIZON_DAYS,
  isByHolds,
  type Span,
} from './forecast.ts';

const LOOK_MS = HOUR_MS;

export interface DisksDeps {
  sweeps: SweepStore;
  roots(): readonly Root[];
  around(): Surroundings | null;
  /** Trusted time; null: there is none. */
  now(): UtcMs | null;
  standing: Standing;
  vault: { path: string; used(): number };
  clock: Pick<Clock, 'after' | 'mono'>;
}

/** Why nothing can be said: without rules nothing is due, and a disk may not answer. */
export type Silence = 'time-untrusted' | 'no-policy' | 'disk-silent' | 'too-little-known';

export interface Filling extends Forecast {
  /** Of the configured order; of the vault's disk also where no root lies on it. */
  roots: Root[];
  vault: boolean;
  silence: Silence | null;
}

/** What comes first of all disks. */
export interface Soonest {
  fullAt: UtcMs | null;
  byHolds: boolean;
  /** Null: of each disk something could be said. */
  silence: Silence | null;
}

interface Place {
  free: number;
  roots: Root[];
  vault: boolean;
}

export class Disks {
  readonly #o: DisksDeps;
  readonly #patience: Patience;
  #last: { at: number; known: boolean; first: number | null } | null = null;

  constructor(deps: DisksDeps) {
    this.#o = deps;
    this.#patience = new Patience(deps.clock);
  }

  /**
   * Disk by disk; none where no root is configured.
   * @param more as if this were in force too
   */
  async look(more: HoldOrder | null = null): Promise<Filling[]> {
    const roots = this.#o.roots();
    const places = await this.#places(roots);
    const silent = roots.filter((root) => !places.some((place) => place.roots.includes(root)));
    const holds = this.#holds(more);
    const filled = places.map((place) => this.#filling(place, holds));
    const mute = {
      fullAt: null,
      withoutHolds: null,
      unknown: 0,
      vault: false,
      silence: 'disk-silent',
    } as const;
    return silent.length === 0 ? filled : [...filled, { ...mute, roots: silent }];
  }

  /** What comes first of all disks. @param more as if this were in force too */
  async soonest(more: HoldOrder | null = null): Promise<Soonest> {
    const all = await this.look(more);
    const first = all
      .filter(({ fullAt }) => fullAt !== null)
      .toSorted((a, b) => (a.fullAt ?? 0) - (b.fullAt ?? 0))
      .at(0);
    const silence = all.find((one) => one.silence !== null)?.silence ?? null;
    return { fullAt: first?.fullAt ?? null, byHolds: first !== undefined && isByHolds(first), silence };
  }

  /**
   * Seconds until a disk is full because of holds, for the alert (R9); null: nobody can say. Looked at once in an hour, and
   * when holds came or went.
   */
  async byHoldsIn(): Promise<number | null> {
    const { clock, now } = this.#o;
    if (this.#last === null || clock.mono() - this.#last.at >= LOOK_MS) {
      const all = await this.look();
      const known = all.some(({ silence }) => silence === null);
      const days = all.filter(isByHolds).map(({ fullAt }) => fullAt ?? 0);
      this.#last = { at: clock.mono(), known, first: days.length === 0 ? null : Math.min(...days) };
    }
    const { known, first } = this.#last;
    const at = now();
    if (!known || at === null) return null;
    if (first === null) return (HORIZON_DAYS * DAY_MS) / SECOND_MS;
    return Math.max(0, Math.floor((first - at) / SECOND_MS));
  }

  /** Holds came or went. */
  changed(): void {
    this.#last = null;
  }

  async #places(roots: readonly Root[]): Promise<Place[]> {
    const found = new Map<number, Place>();
    const put = async (path: string, into: (place: Place) => void) => {
      const said = await this.#patience.ask(path, () => spaceOf(path));
      if (said === null) return false;
      const place = found.get(said.dev) ?? { free: said.free, roots: [], vault: false };
      found.set(said.dev, place);
      into(place);
      return true;
    };
    for (const root of roots) await put(root.config.root, (place) => place.roots.push(root));
    if (!roots.some(({ config }) => recorderDeletes(config))) return [...found.values()];
    const { path } = this.#o.vault;
    const asVault = (place: Place) => {
      place.vault = true;
    };
    // It is made when the first copy is: until then its disk is that of the folder above.
    if (!(await put(path, asVault))) await put(dirname(path), asVault);
    return [...found.values()];
  }

  #filling({ free, roots, vault }: Place, holds: readonly Hold[] | null): Filling {
    const { now: trusted, around, vault: own } = this.#o;
    const [now, rules] = [trusted(), around()];
    const what = { roots, vault };
    const nothing = { fullAt: null, withoutHolds: null, unknown: 0 };
    if (now === null) return { ...what, ...nothing, silence: 'time-untrusted' };
    if (rules === null) return { ...what, ...nothing, silence: 'no-policy' };
    const written = roots.filter(({ config }) => !recorderDeletes(config));
    const cameras = written.flatMap((root) =>
      this.#cameras(root, root.config.mode === 'erase' && root.layout.erasable ? 'swept' : 'kept', holds),
    );
    if (vault) {
      const copied = this.#o
        .roots()
        .filter(({ config, layout }) => recorderDeletes(config) && layout.erasable);
      cameras.push(...copied.flatMap((root) => this.#cameras(root, 'copied', holds)));
    }
    const said = forecast({ free, copied: vault ? own.used() : 0, cameras }, now, dueBy(rules));
    const silence = cameras.length > 0 && said.unknown === cameras.length ? 'too-little-known' : null;
    return { ...what, ...said, silence };
  }

  #cameras(root: Root, role: DiskCamera['role'], holds: readonly Hold[] | null): DiskCamera[] {
    const { sweeps } = this.#o;
    return sweeps.cameras(root.id).map(({ id, camera }): DiskCamera => {
      const days = sweeps.told.days(id).map(({ starts, ends, count, present, bytes }): DayBytes => {
        return {
          from: starts,
          to: ends,
          written: bytes,
          present: count === 0 ? 0 : (bytes * present) / count,
        };
      });
      return { role, days, held: this.#held(camera, holds) };
    });
  }

  /** D2: where holds cannot be read, everything is held. */
  #held(camera: string, holds: readonly Hold[] | null): Span[] {
    if (holds === null) return [{ from: 0, to: Number.MAX_SAFE_INTEGER }];
    return merged(holds.flatMap((hold) => reach(hold, camera, this.#o.standing) ?? []));
  }

  #holds(more: HoldOrder | null): readonly Hold[] | null {
    const holds = this.#o.sweeps.holds();
    return holds === null || more === null ? holds : [...holds, this.#asHold(more)];
  }

  /** C80: one that names a camera which nobody knows here covers all of them. */
  #asHold(order: HoldOrder): Hold {
    const hold = orderAsHold(order);
    const known = new Set(
      this.#o.roots().flatMap(({ id }) => this.#o.sweeps.cameras(id).map(({ camera }) => camera as string)),
    );
    const { cameras } = order;
    if (cameras === undefined || cameras.some((camera) => !known.has(camera))) return hold;
    return { ...hold, scope: { ...hold.scope, cameras: [...cameras] } };
  }
}

/** By the rules; the days of all cameras are the same, and each is asked for once. */
function dueBy(rules: Surroundings): (endsAt: number) => number | null {
  const known = new Map<number, number | null>();
  return (endsAt) => {
    const at = utcMs(Math.floor(endsAt));
    const due =
      known.get(at) ?? dueOf({ bounds: { startEarliest: at, startLatest: at, endLatest: at } }, rules);
    known.set(at, due);
    return due;
  };
}

async function spaceOf(path: string): Promise<{ dev: number; free: number }> {
  const { dev } = await stat(path);
  const { bavail, bsize } = await statfs(path);
  return { dev, free: bavail * bsize };
}
