/**
 * What holds cost: deciding about each recording of a sweep under a thousand of them, beside none; and a preview. Over a
 * catalogue of an agent's own, filled as a scan would, without files: what is measured is rows and decisions.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, openDatabase } from '../agent/db.ts';
import { HoldBook } from '../agent/holds/book.ts';
import { CoverCount } from '../agent/holds/cover.ts';
import { judge, type Surroundings } from '../agent/recordings/due.ts';
import { layoutOf } from '../agent/recordings/layouts/index.ts';
import { spanOf } from '../agent/recordings/layouts/span.ts';
import { SweepStore } from '../agent/recordings/sweep-store.ts';
import type { Place } from '../agent/recordings/types.ts';
import { newId } from '../protocol/ids.ts';
import { packOf } from '../protocol/packs.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../protocol/time.ts';
import type { BenchResult } from './result.ts';

const CAMERAS = 20;
const HOLDS = 1_000;
const PAGE = 1_000;
const SEGMENT_MS = 10_000;
const ROUNDS = 5;

export async function holdsBench({ recordings }: { recordings: number }): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-bench-holds-'));
  const db = openDatabase(join(dir, 'agent.db'));
  try {
    const { cameras, first, last } = fill(db, recordings);
    const store = new SweepStore(db);
    const around = surroundings();
    const walk = () => walked(store, cameras, around, last);
    const book = new HoldBook(db);
    const placed = place(book, cameras, first, last);
    const hold = (on: boolean) =>
      db.transaction(() => {
        for (const one of placed) {
          if (on) book.place(one);
          else book.release(one.hold, utcMs(last));
        }
      })();
    // By turns, so that what else the machine does falls on both alike; the first of each warms up.
    const [none, many]: [number[], number[]] = [[], []];
    for (let round = 0; round <= ROUNDS; round++) {
      hold(false);
      none.push(walk());
      hold(true);
      many.push(walk());
    }
    const ratios = many.map((ms, n) => ms / (none[n] ?? ms)).slice(1);
    const cover = new CoverCount(db);
    const order = {
      hold: newId(randomBytes),
      from: first,
      to: first + DAY_MS,
      cameras: [cameras[0]?.camera ?? ''],
    };
    const layout = layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null });
    const began = performance.now();
    const { recordings: covered } = await cover.count(
      order,
      async () => {},
      () => spanOf(layout),
    );
    const preview = performance.now() - began;
    const size = `${recordings.toLocaleString('en')} recordings`;
    return [
      {
        name: `a sweep's decisions under ${HOLDS} holds, ${size}`,
        value: median(many.slice(1)),
        unit: 'ms',
        against: { name: 'under none', value: median(none.slice(1)) },
      },
      {
        name: `the same, times none: median of ${ROUNDS} rounds`,
        value: median(ratios),
        unit: '×',
        target: '≤ 1.1',
      },
      {
        name: `preview of a day of one camera, the oldest (${covered} covered), ${size}`,
        value: preview,
        unit: 'ms',
        target: '≤ 1000 ms',
      },
    ];
  } finally {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A thousand of an hour each, spread over all that was recorded, each on one camera. */
function place(book: HoldBook, cameras: { camera: string }[], first: number, last: number) {
  const ids = cameras.map(({ camera }) => camera);
  return Array.from({ length: HOLDS }, (_, n) => {
    const from = first + Math.floor(((last - first) * n) / HOLDS);
    const order = {
      hold: newId<'hold'>(randomBytes),
      from,
      to: from + HOUR_MS,
      cameras: [ids[n % CAMERAS] ?? ''],
    };
    book.place(order);
    return order;
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Every row whose time may be over is decided about, as the sweep's first look does. @returns milliseconds */
function walked(
  store: SweepStore,
  cameras: { id: number; camera: string }[],
  around: Surroundings,
  at: number,
): number {
  const began = performance.now();
  const holds = store.holds();
  const now = utcMs(at + 40 * DAY_MS);
  for (const { id, camera } of cameras) {
    for (let after: Place | null = null; ; ) {
      const rows = store.ended(id, utcMs(at), after, PAGE);
      for (const row of rows) judge(row, camera, around, holds, now);
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE) break;
      after = { end: end.bounds.endLatest ?? utcMs(0), folder: end.folder, name: end.name };
    }
  }
  return performance.now() - began;
}

function surroundings(): Surroundings {
  const { policy } = packOf('dk-msp');
  const [site, host] = [newId<'site'>(randomBytes), newId(randomBytes)];
  return { policy, zone: policy.zone, site, host, agreementEndsAt: null, floorMs: 0 };
}

/** As a Frigate root has them: ten-second segments of each camera. */
function fill(db: Db, recordings: number) {
  const first = Date.UTC(2026, 9, 1);
  const each = Math.ceil(recordings / CAMERAS);
  db.prepare("INSERT INTO rec_sources (source, root, layout, zone) VALUES (?, ?, 'frigate', 'UTC')").run(
    randomBytes(16),
    Buffer.from('/nvr'),
  );
  const camera = db.prepare('INSERT INTO rec_cameras (source, camera, name) VALUES (1, ?, ?) RETURNING id');
  const row = db.prepare(
    'INSERT INTO recordings (folder, name, camera, start, ends, size) VALUES (?, ?, ?, ?, ?, 2000000)',
  );
  const cameras: { id: number; camera: string }[] = [];
  for (let n = 0; n < CAMERAS; n++) {
    const id = randomBytes(16);
    const made = camera.get(id, Buffer.from(`camera-${n}`)) as { id: number };
    cameras.push({ id: made.id, camera: id.toString('hex') });
    db.transaction(() => {
      for (let i = 0; i < each; i++) {
        const start = first + i * SEGMENT_MS;
        const hour = Math.floor(start / HOUR_MS) * CAMERAS + n;
        row.run(hour, Buffer.from(`${start % HOUR_MS}.mp4`), made.id, start, start + SEGMENT_MS);
      }
    })();
  }
  return { cameras, first, last: first + each * SEGMENT_MS };
}
