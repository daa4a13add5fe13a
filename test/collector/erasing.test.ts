import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { settleEnds } from '../../collector/erasing/ends.ts';
import { eraseAll, PARTS } from '../../collector/erasing/erase.ts';
import { placeOf } from '../../collector/erasing/list-root.ts';
import { recover } from '../../collector/recovery.ts';
import type { GroupRow } from '../../collector/store/types.ts';
import type { FaultSeam } from '../../collector/types.ts';
import type { AgreementId, GroupId } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { utcMs } from '../../protocol/time.ts';
import { keysIn, leftovers } from '../support/leftovers.ts';
import { agreementRow, dumpOf, type Filled, fill, MANY, partsUnder, startOf } from './erasing-scene.ts';
import { type House, NOW, newHouse, openHouse, scratch } from './house.ts';

/** Named points in the order in which they are reached; from `stopAt` on, nothing happens any more. */
class Points implements FaultSeam {
  readonly seen: string[] = [];
  stopAt = Number.POSITIVE_INFINITY;
  hit(point: string): void {
    this.seen.push(point);
    if (this.seen.length > this.stopAt) throw new Error(`stopped at ${point}`);
  }
}

interface Scene extends Filled {
  house: House;
  points: Points;
  /** Private halves of the groups that are to die. */
  keys: Record<string, Buffer>;
  before: string;
}

async function scene(dir = scratch(), many = MANY): Promise<Scene> {
  const points = new Points();
  const house = await newHouse({ dir, faults: points });
  const filled = await fill(house, many);
  const all = keysIn(join(dir, 'keys.slots'));
  const keys = Object.fromEntries(
    filled.dying.map(({ group }) => [group, all.get(group) ?? Buffer.alloc(0)]),
  );
  expect(leftovers([dir], keys).length).toBeGreaterThanOrEqual(6);
  points.seen.length = 0;
  return { house, points, ...filled, keys, before: await dumpOf(house, filled.living) };
}

async function listed(house: House, group: GroupId): Promise<string> {
  const list = new ListRoot();
  for (const place of await house.store.read.partsUnder(group, null, 100_000)) list.add(placeOf(place));
  return list.root();
}

async function eventsOf(house: House, type: string) {
  const leaves = await house.store.read.leaves({ types: [type], limit: 100 });
  return leaves.map(({ bytes }) => (JSON.parse(bytes) as { data: Record<string, unknown> }).data);
}

/** S3, V34–V36: dead in every sense, told of once, and nothing else was touched. */
async function expectGone(house: House, it: Pick<Scene, 'dying' | 'living' | 'keys' | 'before' | 'over'>) {
  const { read } = house.store;
  for (const row of it.dying) {
    expect(await read.groups.get(row.group)).toMatchObject({ state: 'erased', erasedBy: 'agreement' });
    expect(house.keyring.stateOf(row.group)).toBe('erased');
    expect(await read.partsUnder(row.group, null, 10)).toEqual([]);
    expect(await read.erasures.get(row.group)).toMatchObject({ by: 'agreement', policy: 'none', version: 1 });
  }
  expect(await dumpOf(house, it.living)).toBe(it.before);
  expect((await read.agreements.get(it.over.agreement))?.state).toBe('ended');
  const done = await eventsOf(house, 'erasure.done');
  expect(done.map(({ group }) => group).sort()).toEqual(it.dying.map(({ group }) => group).sort());
  expect(leftovers([house.dir], it.keys)).toEqual([]);
}

describe('an erasure', () => {
  it('V34 V35 D5 S3 takes what is due with key, parts, wraps and origins, and says by which rule', async () => {
    const it = await scene();
    const { house, dying } = it;
    const roots = new Map<string, string>();
    for (const { group } of dying) roots.set(group, await listed(house, group));
    expect(await startOf(house, it.points)).toBe(3);
    await expectGone(house, it);
    const started = await eventsOf(house, 'erasure.started');
    expect(started.map(({ group }) => group)).toEqual(
      (await eventsOf(house, 'erasure.done')).map((e) => e.group),
    );
    for (const [i, row] of dying.entries()) {
      const event = (await eventsOf(house, 'erasure.done')).find(({ group }) => group === row.group);
      expect(event).toEqual({
        group: row.group,
        class: row.class,
        policy: 'none',
        version: 1,
        dueAt: new Date(NOW - 1).toISOString(),
        count: i === 0 ? MANY : 2,
        listRoot: roots.get(row.group),
        lateSeconds: 0,
        method: 'slot-overwritten',
        by: 'agreement',
      });
      expect(await house.store.read.erasures.get(row.group)).toMatchObject({
        doneAt: NOW,
        parts: i === 0 ? MANY : 2,
        listRoot: roots.get(row.group),
      });
    }
    expect(await startOf(house)).toBe(0);
  });

  it('V36 leaves the log of the database empty', async () => {
    const { house } = await scene();
    expect(statSync(join(house.dir, 'collector.db-wal')).size).toBeGreaterThan(0);
    await startOf(house);
    expect(statSync(join(house.dir, 'collector.db-wal')).size).toBe(0);
  });

  it('V37 deletes a large group in slices, and others have their turn in between', async () => {
    const { house, points, dying } = await scene();
    const turns: number[] = [];
    const left = async () =>
      turns.push((await house.store.read.partsUnder(dying[0]!.group, null, 100_000)).length);
    const hit = points.hit.bind(points);
    const faults: FaultSeam = {
      hit(point) {
        hit(point);
        if (point === 'erasing.slice') void house.store.write(async () => void (await left()));
      },
    };
    await startOf(house, faults);
    await house.store.write(async () => {});
    expect(turns).toContain(MANY - PARTS);
  });

  it('V38 what is not due any more in the transaction that begins is left alone', async () => {
    const { house, dying, living, before } = await scene(undefined, 3);
    const due = dying.map(({ group }) => ({
      group,
      by: 'policy' as const,
      policy: null,
      version: null,
      dueAt: NOW,
    }));
    const none = await eraseAll(house, due, async () => false);
    expect(none).toEqual({ count: 0, complete: true });
    expect(await eventsOf(house, 'erasure.started')).toEqual([]);
    expect(await dumpOf(house, living)).toBe(before);
    expect(await house.store.read.partsUnder(dying[0]!.group, null, 10)).toHaveLength(3);
  });

  it('V20 V34 stays begun while the second copy of the keys is away, and is finished when it is back', async () => {
    const it = await scene(undefined, 3);
    const { house } = it;
    await house.close();
    const second = join(house.dir, 'two');
    renameSync(second, `${second}-away`);
    mkdirSync(second);
    const alone = await openHouse({ dir: house.dir });
    expect(await startOf(alone)).toBe(3);
    for (const { group } of it.dying) {
      expect((await alone.store.read.groups.get(group))?.state).toBe('erasing');
      expect((await alone.store.read.partsUnder(group, null, 10)).length).toBeGreaterThan(0);
    }
    expect(await eventsOf(alone, 'erasure.done')).toEqual([]);
    await alone.close();
    rmSync(second, { recursive: true });
    renameSync(`${second}-away`, second);
    const both = await openHouse({ dir: house.dir });
    onTestFinished(() => both.close());
    await startOf(both);
    await expectGone(both, it);
  });
});

describe('a policy of twelve months inside a living agreement', () => {
  it('D5 V38 erases the month that is due, and nothing else', async () => {
    const house = await newHouse();
    const { agreement } = await inForce(house);
    const months = await monthsOf(house, agreement, 15);
    const dump = await dumpOf(house, months.slice(3));
    // The first one began twelve months and some days ago; two months later two more are due.
    house.clock.wall = Date.UTC(2026, 10, 1);
    expect(await startOf(house)).toBe(3);
    const states = await Promise.all(months.map(({ group }) => house.store.read.groups.get(group)));
    expect(states.map((row) => row?.state)).toEqual([...Array(3).fill('erased'), ...Array(12).fill('live')]);
    expect(states.slice(3).map((row) => row?.dueAt)).toEqual(
      Array.from({ length: 12 }, (_, i) => Date.UTC(2026, 11 + i, 1)),
    );
    const undated = (text: string) => text.replace(/"dueAt":\d+/g, '"dueAt":null');
    expect(undated(await dumpOf(house, months.slice(3)))).toBe(dump);
    // In the log the name of a policy that is no pack is its author's text; the certificate has it.
    const erasure = await house.store.read.erasures.get(months[0]!.group);
    expect(erasure).toMatchObject({ policy: 'twelve-months', version: 3 });
    const done = await eventsOf(house, 'erasure.done');
    expect(done).toMatchObject(
      [Date.UTC(2026, 8, 1), Date.UTC(2026, 9, 1), Date.UTC(2026, 10, 1)].map((dueAt) => ({
        by: 'policy',
        policy: 'twelve-months',
        version: 3,
        dueAt: new Date(dueAt).toISOString(),
        lateSeconds: (Date.UTC(2026, 10, 1) - dueAt) / 1000,
      })),
    );
  });
});

/** A policy of twelve months for sessions, and an agreement without an end. */
async function inForce(house: House) {
  const row = agreementRow();
  const rules = [
    { class: 'session', trigger: 'event', keepAtMost: 'P12M', keepAtLeast: null, action: 'erase' },
  ];
  const policy = { name: 'twelve-months', version: 3, author: 'test', zone: 'UTC', rules };
  const record = { v: 1, pack: null, person: null, setAt: new Date(NOW).toISOString(), policy };
  await house.store.write(async (tx) => {
    await tx.agreements.put([row]);
    await tx.setMeta('policy.record', JSON.stringify(record));
  });
  return row;
}

/** Groups of as many months from September 2025 on, with parts in each. */
async function monthsOf(house: House, agreement: AgreementId, count: number): Promise<GroupRow[]> {
  const rows: GroupRow[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = utcMs(Date.UTC(2025, 8 + i, 15));
    const prepared = await house.groups.prepare([{ agreement, class: 'session', kind: 'span', at }]);
    await house.store.write((tx) => prepared.commit(tx));
    await partsUnder(house, prepared.groups[0]!, 2);
    rows.push(prepared.groups[0]!);
  }
  return rows;
}

describe('a crash', () => {
  it('V20 V34 S3 at every named point of an erasure is finished by the next start', async () => {
    const whole = await scene();
    await startOf(whole.house, whole.points);
    const reached = [...whole.points.seen];
    for (const point of [
      'erasing.begun',
      'keyring.copy-1',
      'keyring.copy-2',
      'keyring.erased',
      'erasing.keys-gone',
      'erasing.counted',
      'erasing.slice',
      'erasing.rows-gone',
      'erasing.log-empty',
      'store.commit',
      'store.committed',
    ]) {
      expect(reached).toContain(point);
    }
    for (const [i, point] of reached.entries()) {
      const it = await scene();
      it.points.stopAt = i;
      await expect(startOf(it.house, it.points), `${i} ${point}`).rejects.toThrow(point);
      await it.house.close();
      const after = await openHouse({ dir: it.house.dir });
      await startOf(after);
      await expectGone(after, it);
      for (const { group } of it.dying) {
        const { parts } = (await after.store.read.erasures.get(group)) as { parts: number };
        expect(parts, `${i} ${point}`).toBe(group === it.dying[0]!.group ? MANY : 2);
      }
      await after.close();
    }
  }, 300_000);

  it.each([
    'erasing.begun',
    'keyring.copy-1',
    'erasing.keys-gone',
    'erasing.counted',
    'erasing.slice',
    'erasing.rows-gone',
  ])('V34 S3 survives kill -9 at %s', async (point) => {
    const dir = scratch();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'erasing-child.ts'), dir, point], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const [, signal] = await once(child, 'close');
    expect(signal).toBe('SIGKILL');
    const told = JSON.parse(said) as Filled & { before: string; keys: Record<string, string> };
    const keys = Object.fromEntries(
      Object.entries(told.keys).map(([id, hex]) => [id, Buffer.from(hex, 'hex')]),
    );
    const after = await openHouse({ dir });
    onTestFinished(() => after.close());
    await startOf(after);
    await expectGone(after, { ...told, keys });
  });
});

describe('a database that was put back', () => {
  it('V40 does not open an agreement again that has ended since, and erases what it has of it', async () => {
    const it = await scene(undefined, 3);
    const { house, over } = it;
    await startOf(house);
    // As a copy from before the order has it.
    await house.store.write(async (tx) => {
      await tx.agreements.put([{ ...over, endsAt: null, coolingUntil: null, orderedAt: null }]);
      const rows = await Promise.all(it.dying.map(({ group }) => tx.groups.get(group)));
      await tx.groups.put(rows.map((row): GroupRow => ({ ...(row as GroupRow), state: 'live' })));
    });
    await house.close();
    const after = await openHouse({ dir: house.dir });
    onTestFinished(() => after.close());
    await startOf(after);
    expect((await after.store.read.agreements.get(over.agreement))?.state).toBe('ended');
    for (const { group } of it.dying) {
      expect((await after.store.read.groups.get(group))?.state).toBe('erased');
    }
    expect(await eventsOf(after, 'agreement.ending')).toMatchObject([
      { agreement: over.agreement, person: null },
    ]);
    expect(await dumpOf(after, it.living)).toBe(it.before);
  });

  it('V40 an end that a crash cut off between tombstone and row is finished by the start', async () => {
    const it = await scene(undefined, 3);
    const { house, other } = it;
    await house.keyring.bury([other.agreement]);
    await recover(house);
    expect(await settleEnds(house)).toEqual([other.agreement]);
    expect(await settleEnds(house)).toEqual([]);
    expect((await house.store.read.agreements.get(other.agreement))?.state).toBe('ended');
  });
});
