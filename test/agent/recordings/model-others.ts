/** What recorders, people and disks do to the files: none of it by the product. */

import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { newId } from '../../../protocol/ids.ts';
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import type { Film, Place } from './model-truth.ts';
import type { World } from './model-world.ts';

export const CAMERAS = ['gate', 'yard', 'hall'] as const;
export const CHANGES = { autumn: Date.UTC(2026, 9, 25, 1), spring: Date.UTC(2026, 2, 29, 1) };

export interface Writing {
  camera: number;
  /** Age of the first, or where it stands at a change of the clocks. */
  ageMs: number | 'autumn' | 'spring';
  shift: number;
  count: number;
  size: number;
  /** What its time of change says. */
  mtime: 'ago' | 'now' | 'ancient' | 'future';
}

const MTIMES = { ago: -HOUR_MS, now: 0, ancient: -9_000 * DAY_MS, future: 800 * DAY_MS };

/** A recorder writes one file after the other. */
export function record(world: World, place: Place, one: Writing): void {
  const { slotMs } = place.kind;
  const { now, wall } = world.truth;
  const at = typeof one.ageMs === 'number' ? now - one.ageMs : CHANGES[one.ageMs] - HOUR_MS;
  const camera = CAMERAS[one.camera % CAMERAS.length] as string;
  for (let n = 0; n < one.count; n++) {
    const start = (Math.floor(at / slotMs) + one.shift + n) * slotMs;
    const path = place.kind.path(start, camera);
    if (place.used.has(path) || !isFree(place, path)) continue;
    place.used.add(path);
    world.write(join(place.root, path), Buffer.alloc(one.size, n), Math.max(0, wall + MTIMES[one.mtime]));
    const seen = { maybeSeen: false, seen: false };
    place.films.set(path, { path, camera, start, end: start + slotMs, size: one.size, ...seen });
  }
}

/** Nothing lies there, and no link is on the way. */
function isFree({ root }: Place, path: string): boolean {
  if (!lstatOf(root)?.isDirectory()) return false;
  for (let at = path; at !== '.'; at = dirname(at)) {
    const there = lstatOf(join(root, at));
    if (there !== null && (at === path || !there.isDirectory())) return false;
  }
  return true;
}

function lstatOf(path: string) {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

export function filmAt(place: Place, at: number): Film | null {
  const films = [...place.films.values()];
  return films.length === 0 ? null : (films[at % films.length] as Film);
}

/** The recorder deletes a file itself. */
export function remove(world: World, place: Place, film: Film): void {
  const full = join(place.root, film.path);
  unlinkSync(full);
  world.touch(dirname(full));
  world.truth.vanish(place, film);
}

/** Another file takes its name: the same size, or another one. */
export function replace(world: World, place: Place, film: Film, more: number): void {
  const full = join(place.root, film.path);
  const fresh = join(world.outside, 'fresh');
  film.size += more;
  world.write(fresh, Buffer.alloc(film.size, 9), world.truth.wall - HOUR_MS);
  renameSync(fresh, full);
  world.touch(dirname(full));
  if (film.maybeSeen) place.unsure += 1;
  film.maybeSeen = film.seen = false;
}

export const FOREIGN = ['unknown', 'link', 'folder', 'second-name', 'moved-folder'] as const;

/** Something that is not ours to remove. */
export function intrude(world: World, place: Place, what: (typeof FOREIGN)[number], nth: number): void {
  const film = filmAt(place, nth);
  const { slotMs } = place.kind;
  // A recording's name that has long expired.
  const named = place.kind.path(
    (Math.floor((world.truth.now - 40 * DAY_MS) / slotMs) - nth) * slotMs,
    'yard',
  );
  const dir = film === null ? '' : dirname(film.path);
  if (what === 'unknown') {
    const path = join(dir, `notes-${nth}.txt`);
    if (isFree(place, path)) world.write(join(place.root, path), 'not footage');
  } else if (what === 'link' && isFree(place, named)) {
    const victim = join(world.outside, `victim-${nth}.mp4`);
    world.write(victim, Buffer.alloc(8, 1));
    mkdirSync(dirname(join(place.root, named)), { recursive: true });
    symlinkSync(victim, join(place.root, named));
    world.touch(dirname(join(place.root, named)));
  } else if (what === 'folder' && isFree(place, named)) {
    world.write(join(place.root, named, 'inside.txt'), 'not footage');
  } else if (film === null) return;
  else if (what === 'second-name') secondName(world, place, film, nth);
  else if (what === 'moved-folder') moveFolder(world, place, dirname(film.path), nth);
}

export function secondName({ outside }: World, place: Place, film: Film, nth: number): void {
  const second = join(outside, `${nth}-${basename(film.path)}`);
  if (!existsSync(second)) linkSync(join(place.root, film.path), second);
}

/** A file comes under the name of one that was erased: out of a backup, from a recorder that begins anew. */
export function again(world: World, place: Place, nth: number): void {
  const film = place.gone[nth % place.gone.length];
  if (film === undefined || !isFree(place, film.path)) return;
  world.write(join(place.root, film.path), Buffer.alloc(film.size, 7), world.truth.wall - HOUR_MS);
  place.films.set(film.path, { ...film, maybeSeen: false, seen: false });
}

/** Second names are removed again. */
export function tidyOutside(world: World): void {
  for (const place of world.truth.places) {
    for (const film of place.films.values()) {
      const full = join(place.root, film.path);
      if ((lstatOf(full)?.nlink ?? 1) < 2) continue;
      for (let nth = 0; nth < 64; nth++)
        rmSync(join(world.outside, `${nth}-${basename(film.path)}`), { force: true });
    }
  }
}

/** The folder goes elsewhere, files and all, and a link to it stays. */
export function moveFolder(world: World, place: Place, dir: string, nth: number): void {
  const [from, to] = [join(place.root, dir), join(world.outside, `moved-${nth}`)];
  if (dir === '.' || existsSync(to) || !existsSync(from) || realpathSync(from) !== from) return;
  for (const film of [...place.films.values()])
    if (film.path.startsWith(`${dir}/`)) world.truth.vanish(place, film);
  renameSync(from, to);
  symlinkSync(to, from);
  world.touch(dirname(from));
}

export const MOUNTS = ['away', 'empty', 'other', 'link', 'marker-lost', 'marker-other'] as const;

/** The root is not what was accepted any more. */
export function unmount(world: World, place: Place, how: (typeof MOUNTS)[number]): void {
  const { root } = place;
  const [aside, marker] = [`${root}-aside`, join(root, MARKER_FILE)];
  const other = markerText(newId<'source'>(randomBytes));
  place.good = false;
  place.marked = how !== 'other' && how !== 'marker-other';
  if (how === 'marker-lost') renameSync(marker, join(world.home, `${basename(root)}-marker`));
  else if (how === 'marker-other') {
    renameSync(marker, join(world.home, `${basename(root)}-marker`));
    writeFileSync(marker, other);
  } else renameSync(root, aside);
  if (how === 'link') symlinkSync(aside, root);
  if (how !== 'empty' && how !== 'other') return;
  mkdirSync(root);
  if (how === 'empty') return;
  writeFileSync(marker, other);
  for (const film of place.films.values()) world.write(join(root, film.path), Buffer.alloc(film.size, 1));
}

export function mountBack(world: World, place: Place): void {
  const { root } = place;
  const [aside, marker] = [`${root}-aside`, join(world.home, `${basename(root)}-marker`)];
  if (existsSync(aside)) {
    rmSync(root, { recursive: true, force: true });
    renameSync(aside, root);
  }
  if (existsSync(marker)) renameSync(marker, join(root, MARKER_FILE));
  place.good = place.marked = true;
}
