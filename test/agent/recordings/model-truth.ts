/**
 * What is so, as the test knows it: true time, every file and when its camera filmed it, holds, roots. And the few rules
 * that no sequence of anything may break, in words that share nothing with the product's:
 *
 * a file goes only below a good root, 720 hours after it really ended, past no hold that overlaps it, seen by a scan
 * since it was written, without a second name, after a person's word for this catalogue, within a day of the collector's.
 */
import { DAY_MS } from '../../../protocol/time.ts';
import { type Kind, PERIOD_MS } from './model-kinds.ts';
import type { Entry } from './model-tree.ts';

export interface Film {
  path: string;
  camera: string;
  start: number;
  end: number;
  size: number;
  /** A scan may have read it, a whole pass has: since it was written. */
  maybeSeen: boolean;
  seen: boolean;
}

export interface Place {
  root: string;
  kind: Kind;
  /** By path below the root; what is there now. */
  films: Map<string, Film>;
  /** The accepted root with its marker lies there. */
  good: boolean;
  /** No other source's marker does. */
  marked: boolean;
  /** A person approved an erasing sweep of this catalogue. */
  approved: boolean;
  /** Erased by the product; gone by other hands after a pass had read them. */
  erased: number;
  vanished: number;
  /** Vanished, and nobody can say whether the catalogue knew it as it was. */
  unsure: number;
  /** The catalogue was lost or is an old one: what vanished cannot be reckoned. */
  rewound: boolean;
  /** Paths that ever held a recording, and recordings that the product erased. */
  used: Set<string>;
  gone: Film[];
}

export interface Held {
  from: number | null;
  to: number | null;
  place: Place | null;
  camera: string | null;
}

export class Broken extends Error {}

export class Truth {
  /** True time. */
  now: number;
  /** What the wall clock shows, less that. */
  off = 0;
  /** When the collector last said that all it ordered took effect; null: not in this run. */
  word: number | null = null;
  /** How long the machine slept since. */
  slept = 0;
  readonly places: Place[];
  readonly holds = new Map<string, Held>();

  constructor(now: number, places: Place[]) {
    this.now = now;
    this.places = places;
  }

  get wall(): number {
    return this.now + this.off;
  }

  /** The product removed this. @param path whole @throws Broken */
  removed(path: string, was: Entry): void {
    const place = this.places.find(({ root }) => path.startsWith(`${root}/`));
    if (place === undefined) throw new Broken(`R3 outside every root: ${path}`);
    const below = path.slice(place.root.length + 1);
    const film = place.films.get(below);
    if (!place.good) throw new Broken(`R3 the root is not the accepted one: ${below}`);
    if (film === undefined) throw new Broken(`R4 no recording: ${below}`);
    const early = film.end + PERIOD_MS - this.now;
    if (early > 0) throw new Broken(`D3 ${early} ms early: ${below}`);
    for (const [id, hold] of this.holds)
      if (overlaps(hold, place, film, 0)) throw new Broken(`D1 held by ${id}: ${below}`);
    if (was.nlink !== 1) throw new Broken(`C16 it has a second name: ${below}`);
    if (!film.maybeSeen) throw new Broken(`C18 no scan saw it as it was: ${below}`);
    if (!place.approved) throw new Broken(`R6 nobody approved: ${below}`);
    const since = this.word === null ? Number.POSITIVE_INFINITY : this.now - this.word - this.slept;
    if (since > DAY_MS) throw new Broken(`H4 no word for ${since} ms: ${below}`);
    place.films.delete(below);
    place.gone.push(film);
    place.erased += 1;
  }

  /** Gone by other hands. */
  vanish(place: Place, film: Film): void {
    place.films.delete(film.path);
    if (film.seen) place.vanished += 1;
    else if (film.maybeSeen) place.unsure += 1;
  }

  /** A whole pass over a place ended. */
  passed(place: Place): void {
    for (const film of place.films.values()) film.seen = film.maybeSeen = true;
  }

  /** The catalogue of every place is new, or one of an earlier day. */
  rewind(approved: (place: Place) => boolean): void {
    for (const place of this.places) {
      place.rewound = true;
      place.approved = approved(place);
      for (const film of place.films.values()) film.seen = false;
    }
    this.word = null;
    // Cameras have other names by now: whoever holds says so again, without them.
    for (const hold of this.holds.values()) [hold.place, hold.camera] = [null, null];
  }

  /** May a hold keep it, by the widest reading of its path? */
  mayBeHeld(place: Place, film: Film): boolean {
    return [...this.holds.values()].some((hold) => overlaps(hold, place, film, 1));
  }

  /** Past its time by any reading of its path. */
  isOver(place: Place, film: Film): boolean {
    return this.now >= film.start + place.kind.widestMs + PERIOD_MS;
  }
}

/** @param wide 1: as far as the path's bound may reach; 0: what was really filmed */
function overlaps(hold: Held, place: Place, film: Film, wide: 0 | 1): boolean {
  if (hold.place !== null && (hold.place !== place || hold.camera !== film.camera)) return false;
  const { earlierMs, widestMs } = place.kind;
  const from = film.start - wide * earlierMs;
  const to = wide === 1 ? film.start + widestMs : film.end;
  return (hold.to === null || from <= hold.to) && (hold.from === null || to >= hold.from);
}
