/**
 * Real files, a real database and the product over them, beside the truth about each. Whatever the product did is found
 * by looking at every file before and after; whatever others do is said to the truth as it is done.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureStateDir } from '../../../agent/files.ts';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import type { StoredTime } from '../../../agent/trusted-time.ts';
import { idBytes, newId } from '../../../protocol/ids.ts';
import { identity, TestClock } from '../support.ts';
import { Books } from './model-books.ts';
import { KINDS } from './model-kinds.ts';
import { type Event, Run } from './model-process.ts';
import type { Product } from './model-product.ts';
import { differenceOf, type Tree, treeOf } from './model-tree.ts';
import { Broken, type Held, type Place, Truth } from './model-truth.ts';

export interface Seam {
  point: string;
  /** Which time of reaching it. */
  nth: number;
  /** Null: the process ends there. */
  act: (() => void) | null;
}

/** Where a database's syncs cost nothing: what a crash leaves is taken from its files, not from a disk. */
const MEMORY = '/dev/shm';

class Crash extends Error {}

export class World {
  readonly truth: Truth;
  readonly books = new Books();
  /** Holds every root, and what lies beside them. */
  readonly home: string;
  readonly outside: string;
  readonly #states: string;
  #state = 0;
  readonly #product: Product;
  readonly #clock = new TestClock();
  readonly #identity = identity();
  readonly #keys: { key: KeyObject; digestKey: Buffer };
  #run: Run | null = null;
  #boot = 1;
  #slept = 0;
  #stored: StoredTime | null = null;
  #before: Tree = new Map();
  #seam: Seam | null = null;
  #dead = false;
  #image: string | null = null;
  #pos = 0;
  /** The collector holds more of the log than this database says. */
  #behind = false;
  #copy: { dir: string; pos: number; approved: Set<Place>; told: number; behind: boolean } | null = null;

  constructor(product: Product, now: number, kinds: readonly number[]) {
    this.#product = product;
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'tilsyn-model-')));
    this.home = join(dir, 'home');
    this.outside = join(this.home, 'outside');
    this.#states = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'tilsyn-model-'));
    mkdirSync(this.outside, { recursive: true });
    this.#keys = { key: generateKeyPairSync('ed25519').privateKey, digestKey: randomBytes(32) };
    const places = kinds.map((kind, at): Place => {
      const root = join(this.home, `root-${at}`);
      mkdirSync(root);
      writeFileSync(join(root, MARKER_FILE), markerText(newId<'source'>(randomBytes)));
      const counts = { erased: 0, vanished: 0, unsure: 0 };
      const flags = { good: true, marked: true, approved: false, rewound: false };
      return {
        root,
        kind: KINDS[kind] as Place['kind'],
        films: new Map(),
        used: new Set(),
        gone: [],
        ...counts,
        ...flags,
      };
    });
    this.truth = new Truth(now, places);
    this.#clock.wall = now;
  }

  get run(): Run {
    if (this.#run === null) throw new Error('nothing runs');
    return this.#run;
  }

  get dir(): string {
    return join(this.#states, String(this.#state));
  }

  async open(): Promise<void> {
    ensureStateDir(this.dir);
    this.#before = treeOf(this.home);
    this.#dead = false;
    this.#run = new Run({
      ...{ product: this.#product, dir: this.dir, places: this.truth.places, clock: this.#clock },
      ...{ identity: this.#identity, ...this.#keys, faults: { hit: (point) => this.#hit(point) } },
      ...{
        boot: `boot-${this.#boot}`,
        uptimeMs: () => this.#clock.ticks + this.#slept,
        stored: this.#stored,
      },
    });
    await this.#run.start();
  }

  async close(): Promise<void> {
    await this.#run?.stop();
    for (const dir of [dirname(this.home), this.#states]) rmSync(dir, { recursive: true, force: true });
  }

  #hit(point: string): void {
    if (this.#dead) throw new Crash('no process is there');
    if (this.#seam === null || point !== this.#seam.point || --this.#seam.nth > 0) return;
    const { act } = this.#seam;
    this.#seam = null;
    if (act !== null) {
      this.others(act);
      return;
    }
    this.#dead = true;
    this.#image = this.#imageOf();
    throw new Crash('the process ends here');
  }

  /** The state directory as a power cut would leave it now: nothing is closed, nothing is checkpointed. */
  #imageOf(): string {
    const to = join(this.#states, `image-${this.#state}`);
    cpSync(this.dir, to, { recursive: true, filter: (path) => !path.endsWith('-shm') });
    return to;
  }

  /** Whatever somebody else does to the files: what the product did by then is judged first. */
  others<T>(act: () => T): T {
    this.judge();
    const result = act();
    this.#before = treeOf(this.home);
    return result;
  }

  /** @throws Broken where anything went that must not, or was changed, or came */
  judge(): void {
    const after = treeOf(this.home);
    const { removed, changed } = differenceOf(this.#before, after);
    this.#before = after;
    const [strange] = changed;
    if (strange !== undefined) throw new Broken(`C18 written or changed: ${strange}`);
    for (const [path, was] of removed) {
      if (!was.folder) this.truth.removed(path, was);
      else if (!/\/\d{4}-\d{2}-\d{2}(\/|$)/.test(path)) throw new Broken(`C19 a folder went: ${path}`);
      // The file system of the model shows its clock.
      const above = dirname(path);
      if (existsSync(above)) this.touch(above);
    }
  }

  /** What was told since, and whether it says what was done. @throws Broken */
  audit(): void {
    const { events, pos } = this.run.told(this.#pos);
    this.#pos = pos;
    this.books.add(events);
    const erased = this.truth.places.reduce((sum, place) => sum + place.erased, 0);
    this.books.check(erased, this.run.openSlices());
  }

  /** Lets time pass. `asleep`: as a machine does whose monotonic clock stands still. */
  pass(ms: number, asleep = false): void {
    this.truth.now += ms;
    if (asleep) {
      this.#slept += ms;
      this.truth.slept += ms;
    } else this.#clock.ticks += ms;
    this.#clock.wall = this.truth.wall;
  }

  setWall(off: number): void {
    this.truth.off = off;
    this.#clock.wall = this.truth.wall;
  }

  touch(path: string, at = this.truth.wall): void {
    utimesSync(path, at / 1000, at / 1000);
  }

  /** A file of somebody's, with its folders. */
  write(path: string, content: string | Buffer, at = this.truth.wall): void {
    const dir = dirname(path);
    const first = mkdirSync(dir, { recursive: true });
    writeFileSync(path, content);
    this.touch(path, at);
    this.touch(dir);
    if (first === undefined) return;
    for (let up = dir; up.length >= first.length; up = dirname(up)) this.touch(up);
    this.touch(dirname(first));
  }

  /** One sweep; of one place where the process may end in it. */
  async sweep(place: Place | null, seam: Seam | null): Promise<void> {
    this.#seam = seam;
    await this.run.keeper.sweepAll(place === null ? null : this.run.root(place).source);
    this.#seam = null;
    if (this.#dead) await this.#reborn();
  }

  /** A person's word for a plan, and the sweep that follows it. */
  async approve(place: Place, plan: string, seam: Seam | null): Promise<string> {
    this.#seam = seam;
    const { outcome } = await this.run.keeper.approve({ plan });
    await this.sweep(place, this.#seam);
    return outcome;
  }

  async #reborn(): Promise<void> {
    await this.#run?.stop();
    const image = this.#image;
    this.#state += 1;
    if (image !== null) renameSync(image, this.dir);
    this.judge();
    await this.#next();
  }

  async #next(): Promise<void> {
    this.truth.word = null;
    await this.open();
  }

  async restart(reboot: boolean): Promise<void> {
    this.#stored = await this.run.stop();
    if (reboot) this.#boot += 1;
    await this.#next();
  }

  /** The database is gone, with rules, holds and approvals. */
  async lose(): Promise<void> {
    await this.#rewind(() => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(join(this.dir, `agent.db${suffix}`), { force: true });
      this.#pos = 0;
      this.#behind = false;
      this.truth.rewind(() => false);
    });
  }

  /** Keeps a copy of the state directory for later. */
  copy(): void {
    this.audit();
    const dir = join(this.#states, `copy-${randomBytes(4).toString('hex')}`);
    cpSync(this.dir, dir, { recursive: true, filter: (path) => !path.endsWith('-shm') });
    const approved = new Set(this.truth.places.filter((place) => place.approved));
    this.#copy = { dir, pos: this.#pos, approved, told: this.books.told, behind: this.#behind };
  }

  get hasCopy(): boolean {
    return this.#copy !== null;
  }

  /** A copy of an earlier day takes the place of the database. */
  async restore(): Promise<void> {
    const copy = this.#copy;
    if (copy === null) return;
    await this.#rewind(() => {
      this.#state += 1;
      cpSync(copy.dir, this.dir, { recursive: true });
      this.#pos = copy.pos;
      // Where nothing was told since, nobody can know of it, and nothing was approved or erased since either.
      this.#behind = copy.behind || this.books.told > copy.told;
      this.truth.rewind((place) => !this.#behind && copy.approved.has(place));
    });
  }

  async #rewind(act: () => void): Promise<void> {
    this.audit();
    this.books.forget();
    this.#stored = await this.run.stop();
    act();
    await this.#next();
  }

  /** The collector speaks. */
  word(): void {
    if (this.#behind) this.run.succeed();
    this.#behind = false;
    // All that is ordered: what a copy of an earlier day still has is over.
    this.run.other.prepare('UPDATE holds SET released_at = 1').run();
    for (const [id, held] of this.truth.holds) this.#placeHold(id, held);
    this.run.word(this.truth.now);
    [this.truth.word, this.truth.slept] = [this.truth.now, 0];
  }

  /** A person says that what lies there now is meant; the product writes its marker, and nothing else. */
  async accept(place: Place): Promise<void> {
    this.judge();
    place.approved = false;
    const marker = join(place.root, MARKER_FILE);
    const { outcome } = await this.run.keeper.set({ act: 'accept-root', root: place.root });
    if (outcome !== 'done') throw new Broken('C41 a root was not accepted');
    const after = treeOf(this.home);
    const { removed, changed } = differenceOf(this.#before, after);
    if (removed.length > 0 || changed.some((path) => path !== marker))
      throw new Broken('C41 more than the marker');
    this.#before = after;
  }

  /** A hold takes effect here. @returns its id */
  hold(held: Held): string {
    const id = newId<'hold'>(randomBytes);
    this.truth.holds.set(id, held);
    this.#placeHold(id, held);
    return id;
  }

  #placeHold(id: string, held: Held): void {
    const camera = held.place === null ? null : this.run.camera(held.place, held.camera ?? '');
    // Of a camera that the catalogue does not know, everything is held: by its name nobody could say it.
    if (camera === null) [held.place, held.camera] = [null, null];
    const { from, to } = held;
    const scope = JSON.stringify({ from, to, ...(camera === null ? {} : { cameras: [camera] }) });
    this.run.other
      .prepare(
        `INSERT INTO holds (hold, kind, scope, released_at) VALUES (?, 'dispute', ?, NULL)
         ON CONFLICT (hold) DO UPDATE SET scope = excluded.scope, released_at = NULL`,
      )
      .run(idBytes(id as never), scope);
  }

  release(id: string): void {
    this.truth.holds.delete(id);
    this.run.other.prepare('UPDATE holds SET released_at = 1 WHERE hold = ?').run(idBytes(id as never));
  }
}

export type { Event };
