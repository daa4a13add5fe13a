/**
 * One run of the agent's part for recordings: the real journal, catalogue, scanners, keeper and answers over one state
 * directory. A crash is the image of its database at the step at which it came, opened by the next run.
 */
import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { silentLog } from '../../../agent/log.ts';
import type { Keeper } from '../../../agent/recordings/keeper.ts';
import type { Root } from '../../../agent/recordings/roots.ts';
import type { PassEnd, Scanner } from '../../../agent/recordings/scan.ts';
import type { StoredTime } from '../../../agent/trusted-time.ts';
import type { AgentIdentity, FaultSeam } from '../../../agent/types.ts';
import { idFrom } from '../../../protocol/ids.ts';
import { DAY_MS, type UtcMs, utcMs } from '../../../protocol/time.ts';
import type { TestClock } from '../support.ts';
import { SITE_ZONE } from './model-kinds.ts';
import type { Product } from './model-product.ts';
import type { Place } from './model-truth.ts';
import { THIRTY_DAYS } from './sweep-world.ts';

export interface Event {
  type: string;
  data: Record<string, unknown>;
}

export interface RunOptions {
  product: Product;
  dir: string;
  places: readonly Place[];
  clock: TestClock;
  identity: AgentIdentity;
  key: KeyObject;
  digestKey: Buffer;
  faults: FaultSeam;
  boot: string;
  uptimeMs(): number;
  stored: StoredTime | null;
}

// biome-ignore lint/suspicious/noExplicitAny: an answer as it comes
type Answer = any;

export class Run {
  readonly #o: RunOptions;
  readonly #opened: ReturnType<Product['openJournal']>;
  readonly time: InstanceType<Product['TrustedTime']>;
  readonly keeper: Keeper;
  readonly #answers: ReturnType<Product['recordingAnswers']>;
  readonly #scanners = new Map<number, { scanner: Scanner; as: string }>();
  /** Another process at the same database. */
  readonly other: InstanceType<typeof Sqlite>;
  #confirmed: UtcMs | null = null;

  constructor(options: RunOptions) {
    const { product, dir, places, clock, identity, key, digestKey, faults, boot, uptimeMs, stored } = options;
    this.#o = options;
    const open = { dir, clock, identity, key, digestKey, random: randomBytes, version: '0.1.0' };
    this.#opened = product.openJournal({ ...open, ballastBytes: 64 * 1024 });
    const { journal, catalogue, sweeps } = this.#opened;
    this.time = new product.TrustedTime(clock, { boot: () => boot, uptimeMs }, stored);
    const configured = places.map(({ root, kind }) => {
      const { layout } = kind;
      const rest = { timeZone: SITE_ZONE, longestSegment: null, mode: 'erase' as const };
      return { type: 'recordings' as const, root, layout, ...rest };
    });
    this.keeper = new product.Keeper({
      ...{ configured, journal, catalogue, sweeps, identity, clock, random: randomBytes, faults },
      ...{ log: silentLog, time: this.time, confirmedAt: () => this.#confirmed },
      ...{ schedule: '17 * * * *', freshnessMs: DAY_MS, floorMs: DAY_MS, zone: SITE_ZONE },
      counted: () => {},
      watcher: (root) => ({ pass: async () => void (await this.#pass(root)), start() {}, async stop() {} }),
    });
    this.#answers = product.recordingAnswers({
      keeper: this.keeper,
      sweeps,
      now: () => this.time.now(),
    });
    this.other = new Sqlite(join(dir, 'agent.db'));
  }

  async start(): Promise<void> {
    await this.keeper.start();
  }

  /** Ends in good order; what is to last of the time. */
  async stop(): Promise<StoredTime | null> {
    await this.keeper.stop();
    this.other.close();
    this.#opened.journal.close();
    return this.time.stored();
  }

  root(place: Place): Root {
    const root = this.keeper.roots.find(({ config }) => config.root === place.root);
    if (root === undefined) throw new Error('no such root');
    return root;
  }

  #scanner(root: Root): Scanner {
    const { journal, catalogue, sweeps } = this.#opened;
    const { product, clock } = this.#o;
    const source = sweeps.sources().find(({ id }) => id === root.id);
    const accepted = source === undefined ? null : product.acceptedOf(source);
    const as = JSON.stringify(accepted);
    const known = this.#scanners.get(root.id);
    if (known?.as === as) return known.scanner;
    const { id, layout, config } = root;
    const scanner = new product.Scanner(
      { journal, catalogue, clock, rest: async () => {} },
      { id, source: root.source, root: config.root, layout, accepted, inodes: true },
    );
    this.#scanners.set(id, { scanner, as });
    return scanner;
  }

  async #pass(root: Root, options: { full?: boolean } = {}): Promise<PassEnd> {
    const end = await this.#scanner(root).pass(options);
    if (end === 'done') await this.keeper.recount();
    return end;
  }

  pass(place: Place, full: boolean): Promise<PassEnd> {
    return this.#pass(this.root(place), full ? { full } : {});
  }

  /** The folders that changed last, as a watcher would have them looked at. */
  look(place: Place): Promise<PassEnd> {
    const root = this.root(place);
    const folders = this.#opened.catalogue.newest(root.id, 4).map(({ id }) => id);
    return this.#scanner(root).look(folders);
  }

  async ask(verb: string, body: Record<string, unknown> = {}): Promise<Answer> {
    return await this.#answers[verb]?.(body);
  }

  /** The collector speaks: its time and its rules, and that all it ordered took effect. */
  word(now: number): void {
    const { journal, sweeps } = this.#opened;
    const { product, clock } = this.#o;
    if (sweeps.policy() === null)
      product.setPolicy({ journal, sweeps, clock }, { class: 'recording', policy: THIRTY_DAYS });
    this.time.stated(utcMs(now));
    const at = this.time.now();
    if (at !== null) this.#confirmed = at;
  }

  /** The collector holds more of this log than is here: it is closed, as the link does with the next `welcome`. */
  succeed(): void {
    const log = this.#opened.journal.openLog();
    if (log !== null) this.#opened.journal.succeed(log, 'restored', { size: 1_000_000, head: null });
  }

  /** A plan of this place waits for a person. */
  waits(place: Place): boolean {
    return this.#opened.sweeps.plan(this.root(place).id) !== null;
  }

  camera(place: Place, name: string): string | null {
    const row = this.other
      .prepare('SELECT camera FROM rec_cameras WHERE source = ? AND name = ?')
      .get(this.root(place).id, Buffer.from(name)) as { camera: Buffer } | undefined;
    return row === undefined ? null : idFrom(row.camera);
  }

  openSlices(): number {
    const row = this.other.prepare('SELECT count(*) AS n FROM rec_slices WHERE done_at IS NULL').get();
    return (row as { n: number }).n;
  }

  /** What was told after `pos`, and how far that reaches. */
  told(pos: number): { events: Event[]; pos: number } {
    const rows = this.other.prepare('SELECT pos, bytes FROM leaves WHERE pos > ? ORDER BY pos').all(pos) as {
      pos: number;
      bytes: string;
    }[];
    return { events: rows.map(({ bytes }) => JSON.parse(bytes) as Event), pos: rows.at(-1)?.pos ?? pos };
  }
}
