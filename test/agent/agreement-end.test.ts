import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AgreementEnd, END_FILE } from '../../agent/agreement-end.ts';
import { openReadOnly } from '../../agent/db.ts';
import { readText, writeAtomic } from '../../agent/files.ts';
import { KEEP_SAMPLES_MS } from '../../agent/telemetry/store.ts';
import { TilsynError } from '../../protocol/errors.ts';
import type { AgreementId, SourceId } from '../../protocol/ids.ts';
import { type Clock, HOUR_MS, SECOND_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { leftovers } from '../support/leftovers.ts';
import { identity, type World, world } from './support.ts';

const NOW = 1_790_000_000_000;

class Hand implements Clock {
  wall = NOW;
  #timers: { at: number; fn: () => void }[] = [];
  now(): UtcMs {
    return utcMs(this.wall);
  }
  mono(): number {
    return this.wall;
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.wall + ms, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }
  /** Runs every timer now, whatever the wall says. */
  due(): void {
    for (const { fn } of this.#timers.splice(0)) fn();
  }
  async to(at: number): Promise<void> {
    for (;;) {
      const next = this.#timers.filter((one) => one.at <= at).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.wall = Math.max(this.wall, next.at);
      next.fn();
      await Promise.resolve();
    }
    this.wall = at;
  }
}

const agreement = identity().agreement;

const besideIn = (w: World) => ({
  read: () => readText(join(w.dir, END_FILE)),
  write: (text: string) => writeAtomic(join(w.dir, END_FILE), text),
});

/** `erases`: what each call of `erase` answers; then true for ever. */
function ended(w = world(), clock = new Hand(), erases: boolean[] = []) {
  const told: boolean[] = [];
  const calls = { erased: 0 };
  const end = new AgreementEnd({
    agreement: w.options.identity.agreement,
    journal: w.journal,
    clock,
    changed: (over) => void told.push(over),
    beside: besideIn(w),
    erase: () => {
      calls.erased += 1;
      return erases.shift() ?? true;
    },
  });
  return { w, clock, end, told, calls };
}

it('M1 is over at its date and not before, however far away that is', async () => {
  const { w, clock, end, told } = ended();
  const at = NOW + 100 * 24 * HOUR_MS;
  const body = { agreement: w.options.identity.agreement, effectiveAt: at };
  expect(await end.take(body)).toEqual({ outcome: 'done', body: { over: false } });
  await clock.to(at - 1);
  expect([end.over, told]).toEqual([false, []]);
  await clock.to(at);
  expect([end.over, told]).toEqual([true, [true]]);
});

it('M1 is remembered over a restart', async () => {
  const { w, clock, end } = ended();
  await end.take({ agreement: w.options.identity.agreement, effectiveAt: NOW - 5 });
  const again = ended(w.reopen(), clock);
  expect([again.end.at, again.end.over]).toEqual([NOW - 5, true]);
  await again.end.start();
  expect(again.told).toEqual([true]);
});

it('M2 the last order holds, and an order takes one back', async () => {
  const { w, clock, end, told } = ended();
  const take = (effectiveAt: number | null) =>
    end.take({ agreement: w.options.identity.agreement, effectiveAt });
  await take(NOW);
  expect(told).toEqual([true]);
  await take(null);
  expect([end.at, end.over, told]).toEqual([null, false, [true, false]]);
  await take(NOW + HOUR_MS);
  await take(NOW + 2 * HOUR_MS);
  await clock.to(NOW + HOUR_MS);
  expect(end.over).toBe(false);
  await clock.to(NOW + 2 * HOUR_MS);
  expect(end.over).toBe(true);
});

it('refuses what is not about its own agreement, and what is no date', async () => {
  const { end, told } = ended();
  const other = 'f'.repeat(32) as AgreementId;
  expect(other).not.toBe(agreement);
  for (const body of [{ agreement: other, effectiveAt: 1 }, {}, { agreement, effectiveAt: 'now' }]) {
    expect((await end.take(body)).outcome).toBe('failed');
  }
  expect([end.at, told]).toEqual([null, []]);
});

it('M1 is remembered where the database is lost, and only for its own agreement', async () => {
  const { w, end } = ended();
  const ours = w.options.identity.agreement;
  await end.take({ agreement: ours, effectiveAt: NOW });
  w.journal.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(w.dir, `agent.db${suffix}`), { force: true });
  const again = ended(world(w.options));
  expect([again.end.at, again.end.over]).toEqual([NOW, true]);
  const other = ended(
    again.w.reopen({ identity: { ...w.options.identity, agreement: 'f'.repeat(32) as AgreementId } }),
  );
  expect(other.end.at).toBeNull();
  // What the database says counts, whatever lies beside it, also where that is no longer whole.
  await again.end.stop();
  const last = ended(other.w.reopen({ identity: w.options.identity }));
  await last.end.take({ agreement: ours, effectiveAt: null });
  for (const text of ['{', JSON.stringify({ agreement: ours, effectiveAt: 1, erasing: true })]) {
    writeAtomic(join(w.dir, END_FILE), text);
    expect(ended(last.w).end.at).toBeNull();
  }
});

it('M1 a clock that was ahead and is set back makes it open again until its date, and over at it', async () => {
  const { w, clock, end, told } = ended();
  await end.take({ agreement: w.options.identity.agreement, effectiveAt: NOW + 5 * HOUR_MS });
  await clock.to(NOW + 6 * HOUR_MS);
  expect(told).toEqual([true]);
  clock.wall = NOW + HOUR_MS;
  clock.due();
  await Promise.resolve();
  expect([end.over, told]).toEqual([false, [true, false]]);
  await clock.to(NOW + 5 * HOUR_MS);
  expect([end.over, told]).toEqual([true, [true, false, true]]);
});

it('M2 an order that could not be stored changes nothing', async () => {
  const w = world();
  const full = new TilsynError('journal.full', 'no space', { retryable: true });
  const journal = {
    cursor: (source: SourceId) => w.journal.cursor(source),
    sourceId: (label: string) => w.journal.sourceId(label),
    append: () => {
      throw full;
    },
  };
  const ours = w.options.identity.agreement;
  const end = new AgreementEnd({
    ...{ agreement: ours, journal, clock: new Hand() },
    changed: () => {},
    beside: besideIn(w),
    erase: () => true,
  });
  await expect(end.take({ agreement: ours, effectiveAt: NOW })).rejects.toBe(full);
  await expect(end.takeErase({ agreement: ours })).rejects.toBe(full);
  expect([end.at, end.over]).toEqual([null, false]);
});

it('M8 erasing is over whatever the clock says, and stays so over a restart; a start goes on with it', async () => {
  const { w, clock, end, told, calls } = ended();
  const ours = w.options.identity.agreement;
  await end.take({ agreement: ours, effectiveAt: NOW + HOUR_MS });
  expect(await end.takeErase({ agreement: ours })).toEqual({ outcome: 'done', body: { over: true } });
  expect([end.over, told, calls.erased]).toEqual([true, [true], 1]);
  clock.wall = NOW - 100 * HOUR_MS;
  const again = ended(w.reopen(), clock);
  again.end.resume();
  expect([again.end.over, again.calls.erased]).toEqual([true, 1]);
  const other = ended(again.w.reopen(), clock);
  expect((await other.end.takeErase({ agreement: 'f'.repeat(32) })).outcome).toBe('failed');
  expect(other.calls.erased).toBe(0);
});

it('M8 is tried again while somebody reads the database, and said to have failed where it does not end', async () => {
  const { w, clock, end, calls } = ended(world(), new Hand(), [false, false]);
  const ours = w.options.identity.agreement;
  const done = end.takeErase({ agreement: ours });
  await turns();
  for (let n = 0; n < 3; n += 1) await clock.to(clock.wall + SECOND_MS).then(turns);
  expect([(await done).outcome, calls.erased]).toEqual(['done', 3]);
  const busy = ended(world(), clock, Array(100).fill(false));
  const failed = busy.end.takeErase({ agreement: busy.w.options.identity.agreement });
  await turns();
  for (let n = 0; n < 40; n += 1) await clock.to(clock.wall + SECOND_MS).then(turns);
  expect(await failed).toEqual({ outcome: 'failed', body: { code: 'database.busy' } });
  expect(busy.calls.erased).toBe(30);
});

const turns = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('what was measured', () => {
  const CHILD = fileURLToPath(new URL('./erase-child.ts', import.meta.url));
  /** A number that stands in every sample, and nowhere else. */
  const MARK = 738_219_605;
  const SAMPLES = 5_000;

  function measured(): World {
    const w = world();
    w.journal.spare(() => {
      for (let n = 0; n < SAMPLES; n += 1) {
        w.telemetry.add({
          at: NOW + n * 1_000,
          cpuPermille: 1,
          memUsedPermille: 2,
          memTotalMb: MARK,
          uptimeSeconds: n,
          disks: [],
        });
      }
      w.telemetry.see('/', utcMs(NOW));
      w.telemetry.saveSent(7);
      w.telemetry.saveAlert({ name: 'cpu', state: `{"mark":${MARK}}`, alert: null, raisedAt: NOW });
    });
    expect(leftovers([w.dir], { sample: String(MARK) })).not.toEqual([]);
    return w;
  }

  const nothingOf = (w: World) => {
    expect(w.telemetry.counts()).toEqual({ kept: 0, unsent: 0 });
    expect([w.telemetry.alerts(), w.telemetry.indexOf('/'), w.telemetry.newest(1)]).toEqual([[], null, []]);
    expect(leftovers([w.dir], { sample: String(MARK) })).toEqual([]);
  };
  const ending = (w: World) =>
    new AgreementEnd({
      agreement: w.options.identity.agreement,
      ...{ journal: w.journal, clock: new Hand(), changed: () => {}, beside: besideIn(w) },
      erase: () => w.journal.erase(() => w.telemetry.erase()),
    });

  it('S3 T31 goes, to the last byte in the database and its log', async () => {
    const w = measured();
    expect((await ending(w).takeErase({ agreement: w.options.identity.agreement })).outcome).toBe('done');
    nothingOf(w);
  });

  it('S3 is not said to be gone while somebody who reads keeps it in the log of the database', async () => {
    const w = measured();
    const reader = openReadOnly(join(w.dir, 'agent.db'));
    reader.exec('BEGIN');
    expect(reader.prepare('SELECT count(*) AS n FROM samples').get()).toEqual({ n: SAMPLES });
    expect(w.journal.erase(() => w.telemetry.erase())).toBe(false);
    reader.close();
    expect(w.journal.erase(() => w.telemetry.erase())).toBe(true);
    nothingOf(w);
  });

  it.each([
    ['before the first row', 'agent.append.after-commit', 1],
    ['between two slices', 'agent.erase.slice', 1],
    ['between two later ones', 'agent.erase.slice', 3],
    ['before the log is emptied', 'agent.erase.rows-gone', 1],
    ['not at all', 'none', 1],
  ])('S3 M8 killed %s: the start finishes', (_, point, nth) => {
    const w = measured();
    w.journal.close();
    const args = [CHILD, w.dir, JSON.stringify(w.options.identity), point, String(nth)];
    const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect([child.signal, child.stdout]).toEqual(point === 'none' ? [null, 'done'] : ['SIGKILL', '']);
    const again = world(w.options);
    const end = ending(again);
    expect(end.over).toBe(true);
    end.resume();
    nothingOf(again);
  });

  it('T11 is dropped after 14 days also where nothing is measured any more', () => {
    const w = measured();
    const last = NOW + (SAMPLES - 1) * 1_000;
    expect(w.journal.erase(() => w.telemetry.dropStale(utcMs(last + KEEP_SAMPLES_MS)))).toBe(true);
    expect(w.telemetry.counts().kept).toBe(1);
  });
});
