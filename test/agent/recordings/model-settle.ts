/** After everything is well again: what has expired is gone or told with its reason, and every answer is true. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { MINUTE_MS } from '../../../protocol/time.ts';
import { mountBack } from './model-others.ts';
import { Broken, type Film, type Place } from './model-truth.ts';
import type { Seam, World } from './model-world.ts';

const ROUNDS = 2;

/** Clock right, roots back, the collector's word, a scan, sweeps and a person's word. @throws Broken */
export async function settle(world: World): Promise<void> {
  const { truth, run } = world;
  world.others(() => {
    for (const place of truth.places) if (!place.good) mountBack(world, place);
  });
  world.setWall(0);
  world.pass(MINUTE_MS);
  world.word();
  if (run.time.now() !== truth.now) throw new Broken(`C1 no trusted time: ${run.time.trouble()}`);
  for (const place of truth.places) await accepted(world, place);
  // A slice that a crash left open hides from the scan what came in the meantime: once more, then.
  for (let n = 0; n < ROUNDS; n++) {
    for (const place of truth.places) await passed(world, place);
    await world.sweep(null, null);
    world.judge();
    for (const place of truth.places) await approve(world, place);
  }
  for (const place of truth.places) await passed(world, place);
  world.judge();
  world.audit();
  for (const place of truth.places) await answers(world, place);
  reckon(world);
}

/** C45: a root that was away when its catalogue was lost, or is older than its marker, waits until a person accepts it. */
async function accepted(world: World, place: Place): Promise<void> {
  const { source } = world.run.root(place);
  const { sources } = await world.run.ask('recordings.stats', { source });
  if (['watched', 'first-scan'].includes(sources[0].state)) return;
  if (!place.rewound) throw new Broken('C45 an accepted root is none any more');
  await world.accept(place);
}

async function passed(world: World, place: Place): Promise<void> {
  const end = await world.run.pass(place, true);
  if (end !== 'done') throw new Broken(`C27 a good root was not scanned: ${end}`);
  world.truth.passed(place);
}

/** A person approves the plan that waits for a place; null: none does. */
export async function approve(
  world: World,
  place: Place,
  seam: Seam | null = null,
): Promise<'done' | 'failed' | null> {
  const { run } = world;
  const { source } = run.root(place);
  const { plans } = await run.ask('sweep.plan', { source });
  const plan = plans[0]?.plan ?? null;
  if (plan === null) return null;
  const before = place.approved;
  place.approved = true;
  const outcome = await world.approve(place, plan, seam);
  if (outcome !== 'done') place.approved = before;
  return outcome === 'done' ? 'done' : 'failed';
}

interface Item {
  path: string;
  reason: string | null;
  state: string;
}

async function answers(world: World, place: Place): Promise<void> {
  const { run, truth } = world;
  const { source } = run.root(place);
  const due: { items: Item[]; watched: { gaps: unknown[] }[] } = await run.ask('recordings.due', {
    ...{ source, limit: 500 },
  });
  if (due.watched.some(({ gaps }) => gaps.length > 0)) throw new Broken('A2 a gap in a good root');
  const listed = new Map(due.items.map((item) => [item.path, item]));
  for (const { path, reason } of due.items) {
    const film = place.films.get(path);
    if (film === undefined) throw new Broken(`R8 said to be there, and is not: ${path}`);
    if (reason === null) throw new Broken(`D5 expired, there, and no reason: ${path}`);
    if (!isReason(world, place, film, reason)) throw new Broken(`D5 no such reason, ${reason}: ${path}`);
  }
  for (const film of place.films.values()) {
    if (truth.isOver(place, film) && !listed.has(film.path))
      throw new Broken(`R8 expired, there, and not told: ${film.path}`);
  }
  await figures(world, place);
}

function isReason(world: World, place: Place, film: Film, reason: string): boolean {
  if (reason === 'hold') return world.truth.mayBeHeld(place, film);
  // It is counted in each plan again, so that the next sweep may wait for it as well (R6).
  const waits = ['linked', 'first-sweep', 'large-plan'].includes(reason);
  return waits && lstatSync(join(place.root, film.path)).nlink > 1;
}

/** Counts, bytes and paths as they are. */
async function figures(world: World, place: Place): Promise<void> {
  const { run } = world;
  const { source } = run.root(place);
  const list: { items: Item[] } = await run.ask('recordings.list', { source, state: 'present', limit: 500 });
  const paths = list.items.map(({ path }) => path).sort();
  const there = [...place.films.keys()].sort();
  if (JSON.stringify(paths) !== JSON.stringify(there))
    throw new Broken(`R8 listed ${paths.length}, there are ${there.length}: ${odd(paths, there)}`);
  const erasing: { items: Item[] } = await run.ask('recordings.list', { source, state: 'erasing' });
  if (erasing.items.length > 0) throw new Broken('R1 a slice was left open');
  const { sources } = await run.ask('recordings.stats', { source });
  for (const { name, count, bytes } of sources[0].cameras) {
    const films = [...place.films.values()].filter(({ camera }) => camera === name);
    const sum = films.reduce((all, { size }) => all + size, 0);
    if (count !== films.length || bytes !== sum)
      throw new Broken(`R8 figures: ${count} of ${bytes} bytes, in truth ${films.length} of ${sum}`);
  }
}

function odd(some: readonly string[], others: readonly string[]): string {
  const all = [...some, ...others];
  return all.filter((path) => some.includes(path) !== others.includes(path)).join(', ');
}

/** R7: what went by other hands was told as missing, or as gone when the sweep came to it; each once. */
function reckon({ truth, books, run }: World): void {
  const { places } = truth;
  if (places.some(({ rewound }) => rewound) || run.openSlices() > 0) return;
  const sum = (key: 'erased' | 'vanished' | 'unsure') => places.reduce((all, place) => all + place[key], 0);
  const told = books.missing + books.erased - sum('erased');
  if (Math.abs(told - sum('vanished')) > sum('unsure'))
    throw new Broken(`R7 ${sum('vanished')} went by other hands, ${told} were told`);
}
