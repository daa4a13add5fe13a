/** What can happen, in any order. Each step does one thing, and then everything is looked at. */
import fc from 'fast-check';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../protocol/time.ts';
import {
  again,
  CAMERAS,
  FOREIGN,
  filmAt,
  intrude,
  MOUNTS,
  mountBack,
  moveFolder,
  record,
  remove,
  replace,
  secondName,
  tidyOutside,
  unmount,
} from './model-others.ts';
import { approve, settle } from './model-settle.ts';
import { Broken, type Place } from './model-truth.ts';
import type { Seam, World } from './model-world.ts';

/** The truth is beside the world, where every step finds it. */
type Model = object;

export class Step implements fc.AsyncCommand<Model, World> {
  readonly #name: string;
  readonly #act: (world: World) => Promise<void> | void;
  constructor(name: string, act: (world: World) => Promise<void> | void) {
    this.#name = name;
    this.#act = act;
  }
  check(): boolean {
    return true;
  }
  async run(_: Model, world: World): Promise<void> {
    // Between two things some seconds pass, so that no two changes share a time.
    world.pass(7 * SECOND_MS);
    await this.#act(world);
    world.judge();
    world.audit();
  }
  toString(): string {
    return this.#name;
  }
}

function step<T>(
  name: string,
  args: fc.Arbitrary<T>,
  act: (world: World, args: T) => Promise<void> | void,
): fc.Arbitrary<Step> {
  return args.map((one) => new Step(`${name}(${JSON.stringify(one)})`, (world) => act(world, one)));
}

/** The same by other hands than the product's. */
function others<T>(
  name: string,
  args: fc.Arbitrary<T>,
  act: (world: World, args: T) => void,
): fc.Arbitrary<Step> {
  return step(name, args, (world, one) => world.others(() => act(world, one)));
}

const small = fc.nat(63);
const nth = fc.nat(1);
const placeOf = ({ truth }: World, at: number) => truth.places[at % truth.places.length] as Place;
/** A place whose root is there to write in; null: it is not. */
const goodOf = (world: World, at: number) => (placeOf(world, at).good ? placeOf(world, at) : null);

const ages = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 29 * 24 * 6, max: 32 * 24 * 6 }).map((n) => n * 10 * MINUTE_MS) },
  { weight: 3, arbitrary: fc.integer({ min: 33, max: 45 }).map((days) => days * DAY_MS) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 29 }).map((days) => days * DAY_MS) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }).map((days) => -days * DAY_MS) },
  { weight: 2, arbitrary: fc.constantFrom('autumn' as const, 'spring' as const) },
);
const writes = others(
  'record',
  fc.record({
    ...{
      place: nth,
      camera: fc.nat(2),
      ageMs: ages,
      shift: fc.nat(12),
      count: fc.integer({ min: 1, max: 5 }),
    },
    size: fc.constantFrom(0, 8, 8, 8, 13),
    mtime: fc.constantFrom(
      'ago' as const,
      'ago' as const,
      'now' as const,
      'ancient' as const,
      'future' as const,
    ),
  }),
  (world, one) => {
    const place = goodOf(world, one.place);
    if (place !== null) record(world, place, one);
  },
);
const removes = others('remove', fc.record({ place: nth, film: small }), (world, one) => {
  const place = goodOf(world, one.place);
  const film = place === null ? null : filmAt(place, one.film);
  if (place !== null && film !== null) remove(world, place, film);
});
const replaces = others(
  'replace',
  fc.record({ place: nth, film: small, more: fc.constantFrom(0, 0, 3) }),
  (world, one) => {
    const place = goodOf(world, one.place);
    const film = place === null ? null : filmAt(place, one.film);
    if (place !== null && film !== null) replace(world, place, film, one.more);
  },
);
const intrudes = others(
  'intrude',
  fc.record({ place: nth, what: fc.constantFrom(...FOREIGN), nth: small }),
  (world, one) => {
    const place = goodOf(world, one.place);
    if (place !== null) intrude(world, place, one.what, one.nth);
  },
);
const agains = others('again', fc.record({ place: nth, film: small }), (world, one) => {
  const place = goodOf(world, one.place);
  // Where the catalogue may still take it for the one that was there, nobody could tell them apart.
  if (place !== null && !place.rewound && world.run.openSlices() === 0) again(world, place, one.film);
});
const tidies = others('tidy', fc.constant(null), (world) => tidyOutside(world));

const scans = step(
  'scan',
  fc.record({ place: nth, how: fc.constantFrom('pass', 'pass', 'full', 'look') }),
  async (world, { place: at, how }) => {
    const place = placeOf(world, at);
    if (how === 'look') {
      await world.run.look(place);
      for (const film of place.films.values()) film.maybeSeen = true;
      return;
    }
    const end = await world.run.pass(place, how === 'full');
    // Of a catalogue that was lost or went back, a person has to say first which root is meant.
    if ((end === 'done') !== place.good && !place.rewound)
      throw new Broken(`C27 a ${place.good ? 'good' : 'suspect'} root, and ${end}`);
    if (end === 'done' && place.good) world.truth.passed(place);
  },
);

const times = step(
  'time',
  fc.oneof(
    fc.integer({ min: 1, max: 120 }).map((n) => n * MINUTE_MS),
    fc.integer({ min: 1, max: 30 }).map((n) => n * HOUR_MS),
    fc.integer({ min: 1, max: 20 }).map((n) => n * DAY_MS),
  ),
  (world, ms) => world.pass(ms),
);
const sleeps = step('sleep', fc.integer({ min: 1, max: 12 }), (world, n) => world.pass(n * HOUR_MS, true));
const walls = step('wall', fc.constantFrom(0, 60, -60, 2031), (world, n) =>
  world.setWall(n === 2031 ? Date.UTC(2031, 0, 1) - world.truth.now : n * DAY_MS),
);
const words = step('word', fc.constant(null), (world) => world.word());
const lies = step('lie', fc.constant(null), ({ run, truth }) => {
  // The first word of a run counts, whatever it is.
  if (run.time.trouble() === 'never-told') return;
  if (run.time.stated((truth.now + 45 * DAY_MS) as never)) throw new Broken('C14 a lie was believed');
});
const confirms = step('confirm', fc.constant(null), async ({ run, truth }) => {
  if (truth.off === 0) await run.keeper.approve({ clock: true });
});

const POINTS = ['begun', 'file', 'unlinked', 'synced'] as const;
const seams: fc.Arbitrary<((world: World, place: Place) => Seam) | null> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  {
    weight: 3,
    arbitrary: fc
      .record({
        point: fc.constantFrom(...POINTS, 'marking', 'ending', 'ended'),
        nth: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ point, nth: n }) =>
        named(`crash ${point} ${n}`, () => ({ point: `agent.sweep.${point}`, nth: n, act: null })),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        point: fc.constantFrom(...POINTS),
        nth: fc.integer({ min: 1, max: 3 }),
        what: fc.constantFrom('hold', 'hold', 'remove', 'move', 'replace', 'link'),
        film: small,
      })
      .map(({ point, nth: n, what, film }) =>
        named(`${what} at ${point} ${n}`, (world: World, place: Place) => ({
          // What was moved out of a folder that is open is where nobody can see it move.
          ...(what === 'move'
            ? { point: 'agent.sweep.begun', nth: 1 }
            : { point: `agent.sweep.${point}`, nth: n }),
          act: () => meanwhile(world, place, what, film),
        })),
      ),
  },
);

function named<F extends object>(name: string, act: F): F {
  return Object.assign(act, { toJSON: () => name });
}

/** In the middle of a slice, to one of those that may be in it. */
function meanwhile(world: World, place: Place, what: string, at: number): void {
  const over = [...place.films.values()].filter((film) => world.truth.isOver(place, film));
  const film = over[at % over.length];
  if (film === undefined) return;
  if (what === 'hold') world.hold({ from: null, to: null, place, camera: film.camera });
  else if (what === 'remove') remove(world, place, film);
  else if (what === 'replace') replace(world, place, film, 0);
  else if (what === 'link') secondName(world, place, film, at);
  else moveFolder(world, place, film.path.slice(0, film.path.lastIndexOf('/')), at);
}

const sweeps = step('sweep', fc.record({ place: nth, seam: seams }), async (world, { place: at, seam }) => {
  const place = placeOf(world, at);
  await world.sweep(
    seam === null && at === 0 ? null : place,
    place.good ? (seam?.(world, place) ?? null) : null,
  );
});
/**
 * An ordinary day, which all the others come into: recordings that are past their time, or come to it while days pass
 * and the collector speaks or is `silent`; and everything is there to let them go.
 */
const days = step(
  'day',
  fc.record({
    ...{ place: nth, camera: fc.nat(2), age: fc.integer({ min: 20, max: 50 }), shift: small },
    ...{ silent: fc.nat(3).map((n) => n === 0), seam: seams },
  }),
  async (world, { place: at, seam, age, silent, ...one }) => {
    const place = goodOf(world, at);
    if (place === null) return;
    // Half of them come to their time between two sweeps, as most do.
    const fresh = age < 35;
    const written = { ...one, ageMs: (fresh ? 29 : age) * DAY_MS, count: 4, size: 8, mtime: 'ago' as const };
    world.others(() => record(world, place, written));
    if ((await world.run.pass(place, false)) === 'done') world.truth.passed(place);
    world.word();
    if (fresh) {
      await world.sweep(place, null);
      if (world.run.waits(place)) await approve(world, place);
      world.judge();
      world.pass(3 * DAY_MS);
      if (!silent) world.word();
    }
    await world.sweep(place, seam?.(world, place) ?? null);
    if (world.run.waits(place)) await approve(world, place, seam?.(world, place) ?? null);
  },
);
const approves = step('approve', nth, async (world, at) => {
  const place = placeOf(world, at);
  await world.sweep(place, null);
  await approve(world, place);
});
/** A plan waits; what it listed is under a hold by the time a person approves it. */
const stales = step(
  'stale',
  fc.record({ place: nth, camera: fc.nat(2), shift: small }),
  async (world, one) => {
    const place = goodOf(world, one.place);
    if (place === null) return;
    const written = { ...one, ageMs: 50 * DAY_MS, count: 5, size: 8, mtime: 'ago' as const };
    world.others(() => record(world, place, written));
    if ((await world.run.pass(place, false)) === 'done') world.truth.passed(place);
    world.word();
    await world.sweep(place, null);
    if (!world.run.waits(place)) return;
    const hold = world.hold({ from: null, to: null, place: null, camera: null });
    if ((await approve(world, place)) === 'done') throw new Broken('R6 another list than was shown');
    world.release(hold);
  },
);

const holds = step(
  'hold',
  fc.record({ place: nth, film: small, wide: fc.nat(3), all: fc.boolean() }),
  (world, { place: at, film, wide, all }) => {
    const place = placeOf(world, at);
    const one = filmAt(place, film);
    const from = one === null ? world.truth.now - 30 * DAY_MS : one.start - wide * place.kind.slotMs;
    const to = wide === 3 ? null : from + (1 + wide) * place.kind.slotMs;
    const camera = one?.camera ?? CAMERAS[0];
    world.hold({ from, to, ...(all ? { place: null, camera: null } : { place, camera }) });
  },
);
const releases = step('release', small, (world, at) => {
  const ids = [...world.truth.holds.keys()];
  if (ids.length > 0) world.release(ids[at % ids.length] as string);
});

const mounts = others(
  'unmount',
  fc.record({ place: nth, how: fc.constantFrom(...MOUNTS) }),
  (world, { place: at, how }) => {
    const place = goodOf(world, at);
    if (place !== null) unmount(world, place, how);
  },
);
const backs = others('back', nth, (world, at) => {
  const place = placeOf(world, at);
  if (!place.good) mountBack(world, place);
});

const restarts = step('restart', fc.boolean(), (world, reboot) => world.restart(reboot));
const losses = step('lose', fc.constant(null), async (world) => {
  // A catalogue that is new takes whatever marker lies there for what was meant (C40).
  if (world.truth.places.every(({ marked }) => marked)) await world.lose();
});
const restores = step('restore', fc.constantFrom('copy', 'restore'), async (world, what) => {
  if (what === 'copy' || !world.hasCopy) world.copy();
  else await world.restore();
});
const settles = step('settle', fc.constant(null), (world) => settle(world));

const weights: [number, fc.Arbitrary<Step>][] = [
  [6, writes],
  [3, removes],
  [3, replaces],
  [4, intrudes],
  [3, agains],
  [1, tidies],
  [6, scans],
  [5, times],
  [1, sleeps],
  [4, walls],
  [6, words],
  [1, lies],
  [1, confirms],
  [12, days],
  [6, sweeps],
  [5, approves],
  [2, stales],
  [4, holds],
  [3, releases],
  [3, mounts],
  [3, backs],
  [2, restarts],
  [1, losses],
  [3, restores],
  [2, settles],
];

/** A beginning after which a sweep has something to do: files, a scan, a word, a person's. */
export const opening: fc.Arbitrary<Step[]> = fc
  .tuple(writes, writes, writes, scans, words, approves)
  .map((all) => [...all]);

export const steps = fc.commands<Model, World, false>(
  [fc.oneof(...weights.map(([weight, arbitrary]) => ({ weight, arbitrary })))],
  { maxCommands: 45, size: 'max' },
);
