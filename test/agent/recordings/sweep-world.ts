/**
 * A root with recordings, a real catalogue and journal, and a sweep over them. The catalogue is filled from the layout,
 * as a scan would, so that what is tested here is the sweep alone.
 */

import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach } from 'vitest';
import type { Surroundings } from '../../../agent/recordings/due.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { identityOf, MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { Sweep, type SweepSource } from '../../../agent/recordings/sweep.ts';
import type { FaultSeam } from '../../../agent/types.ts';
import { type Id, idBytes, newId, type SourceId } from '../../../protocol/ids.ts';
import type { Policy } from '../../../protocol/policy.ts';
import type { UtcMs } from '../../../protocol/time.ts';
import { type World, world } from '../support.ts';

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

export const THIRTY_DAYS: Policy = {
  name: 'dk-msp',
  version: 1,
  author: 'test',
  zone: 'Europe/Copenhagen',
  rules: [
    {
      class: 'recording',
      trigger: 'recording-end',
      keepAtMost: 'P30D',
      keepAtLeast: null,
      action: 'erase',
    },
  ],
};

export interface SweepWorldOptions {
  layout?: string;
  zone?: string;
  policy?: Policy | null;
  faults?: FaultSeam;
  mode?: 'report' | 'erase';
  floorMs?: number;
  root?: string;
  approved?: boolean;
}

export class SweepWorld {
  readonly root: string;
  readonly base: World;
  readonly source = newId<'source'>(randomBytes) as SourceId;
  readonly site = newId<'site'>(randomBytes);
  readonly host = newId<'agent'>(randomBytes);
  /** What trusted time is; null: none. */
  trusted: UtcMs | null;
  unconfirmed = false;
  floorMs: number;
  policy: Policy | null;
  mode: 'report' | 'erase';
  readonly layout: string;
  readonly zone: string;
  readonly id: number;
  sweep: Sweep;

  constructor(options: SweepWorldOptions = {}, base: World = world()) {
    this.base = base;
    const home = mkdtempSync(join(tmpdir(), 'tilsyn-nvr-'));
    made.push(home);
    this.root = options.root ?? join(home, 'recordings');
    mkdirSync(this.root, { recursive: true });
    this.layout = options.layout ?? 'frigate';
    this.zone = options.zone ?? 'UTC';
    this.policy = options.policy === undefined ? THIRTY_DAYS : options.policy;
    this.mode = options.mode ?? 'erase';
    this.floorMs = options.floorMs ?? 0;
    this.trusted = base.clock.now();
    writeFileSync(join(this.root, MARKER_FILE), markerText(this.source));
    this.id = this.write(() => {
      const id = base.catalogue.source(this.source, this.root, this.layout, this.zone);
      base.catalogue.accept(id, this.source as Id<'source'>, JSON.stringify(identityOf(this.root)));
      base.catalogue.setState(id, 'watched');
      return id;
    });
    if (options.approved !== false) this.sql('UPDATE rec_sources SET approved = 1, swept_at = 0');
    this.sweep = this.newSweep(options.faults);
  }

  newSweep(faults: FaultSeam = {}): Sweep {
    const { journal, clock, sweeps } = this.base;
    return new Sweep({
      ...{ journal, clock, store: sweeps, faults, random: randomBytes },
      rest: async () => {},
      now: () => this.trusted,
      around: () => this.around(),
      unconfirmed: () => this.unconfirmed,
      timeTrouble: () => null,
    });
  }

  around(): Surroundings | null {
    if (this.policy === null) return null;
    const { zone, site, host, floorMs } = this;
    return { policy: this.policy, zone, site, host, agreementEndsAt: null, floorMs };
  }

  /** One transaction of the catalogue's. */
  write<T>(act: () => T): T {
    let result: T | undefined;
    this.base.journal.transact(() => {
      result = act();
      return { tell: [] };
    });
    return result as T;
  }

  /** Straight at the database, for what no class of the product does yet. */
  sql(text: string, ...values: unknown[]): unknown[] {
    const db = new Sqlite(join(this.base.dir, 'agent.db'));
    try {
      const statement = db.prepare(text);
      if (statement.reader) return statement.all(...values);
      statement.run(...values);
      return [];
    } finally {
      db.close();
    }
  }

  /** Writes a recording at a path below the root; whoever catalogues does so later. */
  record(path: string, bytes = 8): string {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, Buffer.alloc(bytes, 1));
    return full;
  }

  /** Catalogues everything that lies there, ends bounded by the next start of the same camera (D3). */
  catalogue(): void {
    const layout = layoutOf({ layout: this.layout, zone: this.zone, longestSegmentMs: null });
    const found = this.files().flatMap((path) => {
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      const says = layout.folder(parts).file(name);
      return says.is === 'recording' ? [{ parts, name, says, path }] : [];
    });
    found.sort((a, b) => a.says.startEarliest - b.says.startEarliest);
    this.write(() => {
      const store = this.base.catalogue;
      for (const [at, { parts, name, says, path }] of found.entries()) {
        let folder = store.folder(this.id, null, '');
        for (const part of parts) folder = store.folder(this.id, folder.id, part);
        const next = found.slice(at + 1).find((one) => one.says.camera === says.camera);
        const own = says.startLatest + layout.longestSegmentMs;
        const ends = says.endStated ?? Math.min(own, next?.says.startLatest ?? own);
        const { size, ino } = lstatSync(join(this.root, path));
        store.put({
          ...{ folder: folder.id, name, camera: store.camera(this.id, says.camera).id },
          ...{
            start: says.startEarliest,
            spread: says.startLatest - says.startEarliest,
            ends,
            size,
            inode: ino,
          },
        });
      }
    });
  }

  /** Paths of files below the root, without the marker, in order. */
  files(): string[] {
    const all = readdirSync(this.root, { recursive: true, withFileTypes: true });
    return all
      .filter((entry) => !entry.isDirectory() && entry.name !== MARKER_FILE)
      .map((entry) => relative(this.root, join(entry.parentPath, entry.name)))
      .sort();
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  cameraId(name: string): string {
    return this.write(() => this.base.catalogue.camera(this.id, name).camera);
  }

  hold(
    scope: { from: number | null; to: number | null; cameras?: string[] },
    released: number | null = null,
  ): Id<'hold'> {
    const hold = newId<'hold'>(randomBytes);
    this.sql(
      'INSERT INTO holds (hold, kind, scope, released_at) VALUES (?, ?, ?, ?)',
      ...[idBytes(hold), 'dispute', JSON.stringify(scope), released],
    );
    return hold;
  }

  release(hold: Id<'hold'>): void {
    this.sql('UPDATE holds SET released_at = 1 WHERE hold = ?', idBytes(hold));
  }

  swept(): SweepSource {
    const source = this.base.sweeps.sources().find(({ id }) => id === this.id);
    if (source === undefined) throw new Error('the source is not there');
    const { fs } = source;
    return {
      source,
      accepted: fs === null ? null : { source: source.source, root: this.root, fs: JSON.parse(fs) },
      mode: this.mode,
      layout: layoutOf({ layout: this.layout, zone: this.zone, longestSegmentMs: null }),
    };
  }

  async run() {
    const report = await this.sweep.run(this.swept());
    if (report === null) throw new Error('another sweep runs');
    return report;
  }

  /** Events of a type, as their data. */
  told(type: string): Record<string, unknown>[] {
    const rows = this.sql('SELECT bytes FROM leaves ORDER BY pos') as { bytes: string }[];
    const leaves = rows.map(
      ({ bytes }) => JSON.parse(bytes) as { type: string; data: Record<string, unknown> },
    );
    return leaves.filter((leaf) => leaf.type === type).map(({ data }) => data);
  }

  states(): Record<string, number> {
    const rows = this.sql('SELECT state, count(*) AS n FROM recordings GROUP BY state') as {
      state: number;
      n: number;
    }[];
    return Object.fromEntries(
      rows.map(({ state, n }) => [['present', 'erasing', 'erased', 'missing'][state] ?? '?', n]),
    );
  }
}

/** Path of a Frigate recording that began at this instant. */
export function frigatePath(at: number, camera: string): string {
  const iso = new Date(at).toISOString();
  return `${iso.slice(0, 10)}/${iso.slice(11, 13)}/${camera}/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
}

/** Path of a recording of a local layout (motionEye) that began at this instant. */
export function localPath(at: number, camera: string, zone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  const [day = '', time = ''] = format.format(at).split(' ');
  return `${camera}/${day}/${time.replaceAll(':', '-')}.mp4`;
}
