/** Holds on a host against a real catalogue, journal and sweep: H1, H2, H7, H8, H10, H11, C80. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { HoldBook } from '../../../agent/holds/book.ts';
import { CoverCount } from '../../../agent/holds/cover.ts';
import { HoldDesk } from '../../../agent/holds/desk.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { spanOf } from '../../../agent/recordings/layouts/span.ts';
import { runCommand } from '../../../agent/uplink/commands.ts';
import { TilsynError } from '../../../protocol/errors.ts';
import { newId } from '../../../protocol/ids.ts';
import { publicText, signRecord } from '../../../protocol/sign.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from '../recordings/sweep-world.ts';

const open: Sqlite.Database[] = [];
afterEach(() => {
  for (const db of open.splice(0)) db.close();
});

function house() {
  const it1 = new SweepWorld();
  const db = new Sqlite(join(it1.base.dir, 'agent.db'));
  open.push(db);
  const key = generateKeyPairSync('ed25519').privateKey;
  const agent = newId<'agent'>(randomBytes);
  const site = newId<'site'>(randomBytes);
  const changes: string[] = [];
  const desk = new HoldDesk({
    journal: it1.base.journal,
    book: it1.base.book,
    cover: it1.base.cover,
    identity: { agent, site, identity: publicText(key) },
    now: () => it1.base.clock.now(),
    rest: async () => {},
    protection: async () => ({ state: 'not-needed', copied: 0, reason: null }),
    volume: () => null,
    fills: async () => null,
    spanOf: () => null,
    changed: () => changes.push('changed'),
    failed: (error) => {
      throw error;
    },
  });
  return { it1, desk, key, agent, site, changes, db };
}

/** Twelve five-minute recordings of `camera` that began in the hour `at`, 31 days ago or as said. */
function fill(it1: SweepWorld, camera: string, at: number): string[] {
  const paths = Array.from({ length: 12 }, (_, i) => frigatePath(at + i * 5 * MINUTE_MS, camera));
  for (const path of paths) it1.record(path);
  return paths;
}

const hour = (it1: SweepWorld, days: number) =>
  Math.floor((it1.base.clock.now() - days * DAY_MS) / HOUR_MS) * HOUR_MS;
const place = (desk: HoldDesk, body: Record<string, unknown>) => desk.doers['hold.place']?.(body);
const release = (desk: HoldDesk, hold: string) => desk.doers['hold.release']?.({ hold });

describe('a hold on a host', () => {
  it('V104 each is told once, and again to a collector of another generation', async () => {
    const { it1, desk } = house();
    await place(desk, { hold: newId(randomBytes), from: null, to: null });
    await desk.report();
    desk.met();
    await desk.report();
    expect(it1.told('hold.reported')).toHaveLength(1);
    it1.base.journal.adoptGeneration(newId<'generation'>(randomBytes));
    desk.met();
    desk.met();
    await desk.report();
    expect(it1.told('hold.reported')).toHaveLength(2);
  });

  it('H1, H2 keeps what it covers from its commit on, tells so, and lets go when it is released', async () => {
    const { it1, desk } = house();
    const at = hour(it1, 31);
    const gate = fill(it1, 'gate', at);
    const yard = fill(it1, 'yard', at);
    it1.catalogue();
    const hold = newId(randomBytes);
    const camera = it1.cameraId('gate');
    // Ten minutes of one camera; what overlaps them at either end is covered whole (D3).
    const [from, to] = [at + 12 * MINUTE_MS, at + 22 * MINUTE_MS];
    expect(await place(desk, { hold, from, to, cameras: [camera] })).toEqual({ outcome: 'done' });
    await desk.report();
    expect(it1.told('hold.applied')).toEqual([{ hold, outcome: 'in-force', via: 'command' }]);
    expect(it1.told('hold.reported')).toMatchObject([
      {
        hold,
        recordings: 3,
        bytes: 24,
        erasing: 0,
        erased: 0,
        protection: 'not-needed',
        oldest: toIso(utcMs(at + 10 * MINUTE_MS)),
      },
    ]);
    await it1.run();
    expect(it1.files()).toEqual(gate.slice(2, 5));
    expect(yard.some((path) => it1.has(path))).toBe(false);
    await release(desk, hold);
    await it1.run();
    expect(it1.files()).toEqual([]);
    expect(it1.told('hold.applied')).toHaveLength(2);
  });

  it('R2, H2 what was gone when it came is told as such, each time truly', async () => {
    const { it1, desk } = house();
    const at = hour(it1, 31);
    fill(it1, 'gate', at);
    it1.catalogue();
    await it1.run();
    const late = fill(it1, 'gate', hour(it1, 2));
    it1.catalogue();
    it1.sql(
      'UPDATE recordings SET state = 1 WHERE folder IN (SELECT max(folder) FROM recordings) AND name < ?',
      Buffer.from('10'),
    );
    const hold = newId(randomBytes);
    await place(desk, { hold, from: at, to: null });
    await desk.report();
    expect(it1.told('hold.reported')).toMatchObject([
      { erased: 12, erasing: 2, recordings: late.length - 2 },
    ]);
  });

  it('H2 tells again only what changed: a file that is catalogued later is covered (D4)', async () => {
    const { it1, desk } = house();
    const at = hour(it1, 31);
    const [first = '', second = ''] = fill(it1, 'gate', at);
    it1.catalogue();
    const hold = newId(randomBytes);
    await place(desk, { hold, from: at, to: at + HOUR_MS });
    await desk.report();
    await desk.report();
    expect(it1.told('hold.reported')).toHaveLength(1);
    const more = frigatePath(at + 61_000, 'door');
    it1.record(more);
    it1.catalogue();
    await desk.report();
    expect(it1.told('hold.reported').map(({ recordings }) => recordings)).toEqual([12, 13]);
    await it1.run();
    expect([first, second, more].every((path) => it1.has(path))).toBe(true);
  });

  it('H7 the end of the agreement takes the catalogue and leaves the hold', async () => {
    const { it1, desk } = house();
    const hold = newId(randomBytes);
    await place(desk, { hold, from: null, to: null });
    it1.write(() => it1.base.sweeps.forgetAll());
    expect(it1.base.book.list()).toMatchObject([{ hold, releasedAt: null }]);
  });

  it('C80 a camera that this catalogue does not know may be any of it', async () => {
    const { it1, desk } = house();
    const at = hour(it1, 31);
    const all = [...fill(it1, 'gate', at), ...fill(it1, 'yard', at)].sort();
    it1.catalogue();
    const hold = newId(randomBytes);
    await place(desk, { hold, from: at, to: at + 2 * HOUR_MS, cameras: [newId(randomBytes)] });
    await desk.report();
    expect(it1.told('hold.reported')).toMatchObject([{ recordings: 24 }]);
    await it1.run();
    expect(it1.files()).toEqual(all);
    // The collector says which of them it is by now.
    await place(desk, { hold, from: at, to: at + 2 * HOUR_MS, cameras: [it1.cameraId('yard')] });
    const { plan } = await it1.run();
    // Twelve files go that no release let go: a person says so (R6).
    expect(await it1.sweep.approve(it1.swept(), plan?.plan ?? newId(randomBytes))).toBe('approved');
    await it1.run();
    expect(it1.files().every((path) => path.includes('yard'))).toBe(true);
    expect(it1.files()).toHaveLength(12);
  });

  it('H4 an order that a full disk stood in the way of is not taken for obeyed, and comes again', async () => {
    const { it1, desk, agent } = house();
    const { privateKey } = generateKeyPairSync('ed25519');
    const { journal } = it1.base;
    const generation = newId<'generation'>(randomBytes);
    journal.adoptGeneration(generation);
    const body = { hold: newId(randomBytes), from: null, to: null };
    const record = { agent, generation, n: 1, verb: 'hold.place', body };
    const command = { t: 'command', ...signRecord('command', privateKey, record) } as never;
    const context = { agent, identity: publicText(privateKey), generation };
    let full = true;
    const doers = {
      'hold.place': async (given: Record<string, unknown>) => {
        if (full)
          throw new TilsynError('journal.full', 'writing to the journal: no room', { retryable: true });
        return (await desk.doers['hold.place']?.(given)) ?? { outcome: 'failed' as const };
      },
    };
    await expect(runCommand(command, context, journal, doers)).rejects.toThrow('no room');
    expect(journal.applied().n).toBe(0);
    full = false;
    expect(await runCommand(command, context, journal, doers)).toMatchObject({ result: { n: 1, ok: true } });
    expect(journal.applied().n).toBe(1);
    expect(it1.base.book.list()).toHaveLength(1);
  });

  it('D2 an order that cannot be read places nothing and fails; a row that cannot be read holds everything', async () => {
    const { it1, desk } = house();
    fill(it1, 'gate', hour(it1, 31));
    it1.catalogue();
    const bad = [{}, { hold: 'x', from: 0, to: 0 }, { hold: newId(randomBytes), from: 'now', to: null }];
    for (const body of bad) {
      expect(await place(desk, body)).toMatchObject({ outcome: 'failed', body: { code: 'hold.unreadable' } });
    }
    expect(it1.base.book.list()).toEqual([]);
    it1.sql("INSERT INTO holds (hold, kind, scope) VALUES (?, 'untold', '{')", randomBytes(16));
    expect(it1.base.book.list()).toMatchObject([{ readable: false }]);
    expect(await it1.run()).toMatchObject({ waits: 'holds-unreadable' });
    expect(it1.files()).toHaveLength(12);
  });

  it('H2 counts the same where it knows how long recordings are, and looks no further', async () => {
    const { it1 } = house();
    const at = hour(it1, 5);
    for (const hours of [0, 1, 2, 3, 4, 5, 6]) fill(it1, 'gate', at + hours * HOUR_MS);
    it1.catalogue();
    const span = spanOf(layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }));
    const order = { hold: newId(randomBytes), from: at + 7 * MINUTE_MS, to: at + 70 * MINUTE_MS };
    const rest = async () => {};
    const whole = await it1.base.cover.count(order, rest);
    expect(whole.recordings).toBe(14);
    expect(await it1.base.cover.count(order, rest, () => span)).toEqual(whole);
  });

  it('H2 a preview counts and changes nothing', async () => {
    const { it1, desk } = house();
    const at = hour(it1, 5);
    fill(it1, 'gate', at);
    it1.catalogue();
    const seen = await desk.answers['hold.preview']?.({ hold: '0'.repeat(32), from: at, to: at + HOUR_MS });
    expect(seen).toMatchObject({ recordings: 12, bytes: 96 });
    expect(it1.base.book.list()).toEqual([]);
  });
});

describe('a hold slip', () => {
  const slipFor = (house1: ReturnType<typeof house>, change: Record<string, unknown> = {}) => {
    const { agent, site, key } = house1;
    const order = { hold: newId(randomBytes), from: 0, to: null };
    const body = { v: 1, slip: 'hold', site, madeAt: '2026-11-28T08:00:00.000Z', orders: { [agent]: order } };
    return { order, text: JSON.stringify(signRecord('slip', key, { ...body, ...change })) };
  };

  it('H10 puts a hold in force without a line, once', () => {
    const it2 = house();
    const { text, order } = slipFor(it2);
    expect(it2.desk.import(text)).toEqual({ hold: order.hold, already: false });
    expect(it2.it1.told('hold.applied')).toEqual([{ hold: order.hold, outcome: 'in-force', via: 'slip' }]);
    expect(it2.desk.import(text)).toEqual({ hold: order.hold, already: true });
    expect(it2.it1.told('hold.applied')).toHaveLength(1);
  });

  it('H10, H11 refuses what was altered, is for another host, or was released since', async () => {
    const it2 = house();
    const { text, order } = slipFor(it2);
    const code = (slip: string) => {
      try {
        it2.desk.import(slip);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return null;
    };
    expect(code('{')).toBe('slip.unreadable');
    expect(code(text.replace('"from":0', '"from":1'))).toBe('slip.forged');
    expect(code(slipFor(it2, { orders: { [newId(randomBytes)]: order } }).text)).toBe('slip.elsewhere');
    expect(it2.it1.base.book.list()).toEqual([]);
    await release(it2.desk, order.hold);
    expect(code(text)).toBe('slip.released');
    // By command it is placed again: those cannot be replayed.
    await place(it2.desk, order);
    expect(it2.it1.base.book.get(order.hold)).toMatchObject({ releasedAt: null });
  });
});

it('H1 the classes over one database see the same holds', () => {
  const { it1, db } = house();
  const hold = newId(randomBytes);
  it1.write(() => it1.base.book.place({ hold, from: 1, to: 2 }));
  expect(new HoldBook(db).list()).toMatchObject([{ hold, from: 1, to: 2 }]);
  expect(new CoverCount(db)).toBeDefined();
});
