/** A root of recordings in a folder of its own, a catalogue over it, and what the scan told. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { toBytes } from '../../../agent/recordings/names.ts';
import { identityOf, MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import type { KnownRow } from '../../../agent/recordings/rows.ts';
import { Scanner } from '../../../agent/recordings/scan.ts';
import { newId, type SourceId } from '../../../protocol/ids.ts';
import { group, LIMITS, type World, world } from '../support.ts';

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

export interface Told {
  type: string;
  data: Record<string, unknown>;
}

export interface ScanWorld {
  w: World;
  root: string;
  source: SourceId;
  id: number;
  scanner: Scanner;
  /** A file as a recorder left it an hour ago. */
  file(path: string, content?: string): string;
  /** Whole seconds in the past, so that nothing seems to be written still. */
  settle(path: string): void;
  told(type?: string): Told[];
  /** Every row by its path. */
  rows(): Map<string, KnownRow>;
  restart(): ScanWorld;
}

export function scanWorld(
  options: {
    layout?: string;
    zone?: string;
    root?: string;
    accepted?: boolean;
    source?: SourceId;
    w?: World;
  } = {},
): ScanWorld {
  const w = options.w ?? world();
  const root = options.root ?? freshRoot();
  if (options.w === undefined) w.journal.addGroups([group('whole', 'host.name').signed]);
  const source = options.source ?? newId<'source'>(randomBytes);
  const zone = options.zone ?? 'UTC';
  const layoutName = options.layout ?? 'frigate';
  const layout = layoutOf({ layout: layoutName, zone, longestSegmentMs: null });
  writeFileSync(join(root, MARKER_FILE), markerText(source));
  const id = w.catalogue.source(source, root, layoutName, zone);
  const accepted = options.accepted === false ? null : { source, root, fs: identityOf(root) };
  const rest = () => new Promise<void>((resolve) => setImmediate(resolve));
  const scanner = new Scanner(
    { journal: w.journal, catalogue: w.catalogue, clock: w.clock, rest },
    { id, source, root, layout, accepted, inodes: true },
  );
  const settle = (path: string) => {
    const at = w.clock.wall / 1000 - 3600;
    utimesSync(path, at, at);
  };
  return {
    ...{ w, root, source, id, scanner, settle },
    file: (path, content = 'x') => {
      const full = Buffer.concat([Buffer.from(`${root}/`), toBytes(path)]);
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(full, content);
      const at = w.clock.wall / 1000 - 3600;
      utimesSync(full, at, at);
      return full.toString();
    },
    told: (type) => toldBy(w).filter((one) => type === undefined || one.type === type),
    rows: () => rowsOf(w, id),
    restart: () => scanWorld({ ...options, root, source, w: w.reopen() }),
  };
}

export function freshRoot(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'tilsyn-root-')));
  made.push(dir);
  return dir;
}

export function toldBy({ journal }: World): Told[] {
  const log = journal.openLog();
  const told: Told[] = [];
  for (let after = 0; log !== null; ) {
    const frame = journal.outgoing(log, after, LIMITS);
    if (frame === null || frame.events.length === 0) break;
    for (const text of frame.events) told.push(JSON.parse(text));
    after = frame.firstSeq + frame.events.length - 1;
  }
  return told;
}

function rowsOf({ catalogue }: World, source: number): Map<string, KnownRow> {
  const rows = new Map<string, KnownRow>();
  const stack: { id: number; path: string }[] = [{ id: catalogue.folder(source, null, '').id, path: '' }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const row of catalogue.rows(next.id)) rows.set(next.path + row.name, row);
    for (const { id, name } of catalogue.children(source, next.id)) {
      stack.push({ id, path: `${next.path}${name}/` });
    }
  }
  return rows;
}
