import { describe, expect, it, onTestFinished } from 'vitest';
import { assemble, Commits, openDatabase } from '../../collector/assemble.ts';
import { readConfig } from '../../collector/config.ts';
import { createOwnLog } from '../../collector/journal.ts';
import { Keyring } from '../../collector/keyring.ts';
import type { GroupRow, LeafRow } from '../../collector/store/types.ts';
import type { OwnDraft } from '../../collector/types.ts';
import { birthHash, verifyBirth } from '../../protocol/birth.ts';
import { isRecognised } from '../../protocol/event.ts';
import type { Id } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { CONTENT_KEY_MS, CONTENT_KEY_PARTS } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { utcMs } from '../../protocol/time.ts';
import { type House, identity, NOW, newHex, newHouse, openHouse, random, TestClock } from './house.ts';
import { makePlace, silent } from './running.ts';

const person = newHex();
const reading = (count: number): OwnDraft => ({
  type: 'reading',
  data: { person, verb: 'session.list', count },
  personal: { filter: { peer: '1660360496' }, address: '203.0.113.7' },
});
const started: OwnDraft = { type: 'collector.started', data: { version: '1.0.0', reason: 'start' } };

const append = (house: House, ...drafts: OwnDraft[]) =>
  house.store.write((tx) => house.own.append(tx, drafts));

/** Checks a whole log as a verifier would; returns its leaves. */
async function verified(house: House): Promise<LeafRow[]> {
  const log = house.own.current();
  const [row] = await house.store.read.logs([log]);
  const leaves = await house.store.read.leavesOf(log, 1, 1_000_000);
  expect(verifyBirth(row!.birth)).toBe(true);
  let prev = birthHash(row!.birth);
  for (const [i, stored] of leaves.entries()) {
    const leaf = readLeaf(stored.bytes);
    if (typeof leaf === 'string') throw new Error(leaf);
    expect([leaf.seq, leaf.log, leaf.prev]).toEqual([i + 1, log, prev.toString('base64url')]);
    expect(isRecognised(leaf.type, leaf.data)).toBe(true);
    prev = stored.hash;
  }
  expect([row!.through, row!.head]).toEqual([leaves.length, prev]);
  return leaves;
}

describe('the own log', () => {
  it('V16 is born once, signed by the collector, of no agreement and no site', async () => {
    const house = await newHouse();
    const [row] = await house.store.read.logsOf(null);
    expect(row?.birth).toMatchObject({ agreement: null, site: null, reason: 'enrolled', predecessor: null });
    expect(row?.birth.key).toBe(publicText(identity));
    await house.close();
    const again = await openHouse({ dir: house.dir });
    expect((await again.store.read.logsOf(null)).map((log) => log.log)).toEqual([row!.log]);
    expect(again.own.current()).toBe(row!.log);
    await again.close();
  });

  it('V16 L1 L2 chains its leaves over transactions, rollbacks and restarts', async () => {
    const house = await newHouse();
    expect(await append(house, started, reading(1))).toEqual([1, 2]);
    const failing = house.store.write(async (tx) => {
      await house.own.append(tx, [reading(2)]);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow();
    await house.store.write(async (tx) => {
      await house.own.append(tx, [reading(3)]);
      await house.own.append(tx, [started]);
    });
    expect(await append(house)).toEqual([]);
    await house.close();
    const again = await openHouse({ dir: house.dir });
    await append(again, reading(4));
    expect((await verified(again)).map((leaf) => leaf.type)).toEqual([
      'collector.started',
      'reading',
      'reading',
      'collector.started',
      'reading',
    ]);
    await again.close();
  });

  it('P1 seals what is personal under the house group, and gives it back to a reader', async () => {
    const house = await newHouse();
    const [first, second] = await append(house, reading(1), started);
    const opened = await house.opener.open(house.store.read, [first!, second!, 99]);
    expect([...opened]).toEqual([[first, { filter: { peer: '1660360496' }, address: '203.0.113.7' }]]);
    const [leaf] = await house.store.read.leavesAt([first!]);
    expect(leaf?.bytes).not.toContain('203.0.113.7');
    const [part] = await house.store.read.parts([first!]);
    const group = house.groups.byId(part!.group);
    expect(group).toMatchObject({ kind: 'house', class: 'audit.reading', agreement: null });
  });

  it('opens after a restart too, and a wrap that was rolled back is stored with the next part', async () => {
    const house = await newHouse();
    const failing = house.store.write(async (tx) => {
      await house.own.append(tx, [reading(1)]);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow();
    const [pos] = await append(house, reading(2));
    await house.close();
    const again = await openHouse({ dir: house.dir });
    expect((await again.opener.open(again.store.read, [pos!])).size).toBe(1);
    await again.close();
  });

  it('V17 makes the house groups of this month and the next ahead, once', async () => {
    const house = await newHouse();
    const rows = await house.store.read.groups.list({ kind: 'house' });
    expect(rows.map((row) => [row.class, row.from && new Date(row.from).getUTCMonth()])).toEqual([
      ['audit.event', 10],
      ['audit.event', 11],
      ['audit.reading', 10],
      ['audit.reading', 11],
    ]);
    await house.own.ensureHouse(NOW);
    expect(await house.store.read.groups.list({ kind: 'house' })).toHaveLength(4);
  });

  it('G3 each person has a house group of their own, for all that is said of them, without a span', async () => {
    const house = await newHouse();
    const [one, two] = [newHex(), newHex()];
    const added = (who: string, name: string): OwnDraft => ({
      type: 'person.added',
      data: { person: who, role: 'auditor' },
      personal: { name },
    });
    const positions = await append(house, added(one, 'One'), added(two, 'Two'));
    house.clock.wall = Date.UTC(2029, 1, 1);
    const revoked: OwnDraft = {
      type: 'person.revoked',
      data: { person: one, by: null, reason: 'asked' },
      personal: { reason: 'left' },
    };
    positions.push(...(await append(house, revoked)));
    const parts = await house.store.read.parts(positions);
    const [ofOne, ofTwo, later] = parts.map(({ group }) => house.groups.byId(group)!);
    expect(ofOne).toMatchObject({
      kind: 'house',
      class: 'person.account',
      subject: one,
      from: null,
      to: null,
    });
    expect(ofTwo).toMatchObject({
      kind: 'house',
      class: 'person.account',
      subject: two,
      from: null,
      to: null,
    });
    expect(later).toEqual(ofOne);
    expect(ofOne!.record).not.toHaveProperty('subject');
    await house.keyring.erase([ofOne!]);
    const dead: GroupRow = { ...ofOne!, state: 'erased' };
    await house.store.write((tx) => tx.groups.put([dead]));
    house.groups.committed([dead]);
    expect([...(await house.opener.open(house.store.read, positions))]).toEqual([
      [positions[1], { name: 'Two' }],
    ]);
    // V18: what is said of them after that is kept without its personal part, and no new group is made.
    const [after] = await append(house, revoked);
    expect(await house.store.read.parts([after!])).toEqual([]);
  });

  it('G3 names of a customer and its sites outlive the month that they were told in', async () => {
    const house = await newHouse();
    const [customer, other] = [newHex(), newHex()];
    const named = (whose: string, site: string | null): OwnDraft => ({
      type: 'customer.named',
      data: { customer: whose, site },
      personal: { name: 'Acme' },
    });
    const positions = await append(
      house,
      named(customer, null),
      named(customer, newHex()),
      named(other, null),
    );
    const groups = (await house.store.read.parts(positions)).map(({ group }) => house.groups.byId(group)!);
    expect(groups[0]).toMatchObject({ class: 'customer.name', subject: customer, from: null, to: null });
    expect(groups.map(({ subject }) => subject)).toEqual([customer, customer, other]);
    expect(new Set(groups.map(({ group }) => group)).size).toBe(2);
    await house.close();
    const again = await openHouse({ dir: house.dir });
    const [pos] = await append(again, named(customer, newHex()));
    expect((await again.store.read.parts([pos!]))[0]?.group).toBe(groups[0]!.group);
    await again.close();
  });

  it('V17 never refuses an event for want of a group, wherever the clock jumps', async () => {
    const house = await newHouse();
    house.clock.wall = Date.UTC(2031, 4, 1);
    const [pos] = await append(house, reading(1));
    const opened = await house.opener.open(house.store.read, [pos!]);
    expect(opened.size).toBe(1);
    const [part] = await house.store.read.parts([pos!]);
    expect(house.groups.byId(part!.group)?.from).toBe(utcMs(Date.UTC(2031, 4, 1)));
  });

  it('V18 keeps the event without its personal part where the house group is dead', async () => {
    const house = await newHouse();
    const row = house.groups.find(null, 'audit.reading', 'house', NOW)!;
    house.groups.committed([{ ...row, state: 'erased' }]);
    const [pos] = await append(house, reading(1));
    expect(await house.store.read.parts([pos!])).toEqual([]);
    expect((await verified(house))[0]?.bytes).toContain('"pii":[]');
  });

  it('V10 holds no key of a group from the moment its erasure begins', async () => {
    const { dir } = await makePlace();
    const drawn: Buffer[] = [];
    const draw = (size: number) => {
      const bytes = random(size);
      drawn.push(bytes);
      return bytes;
    };
    const commits = new Commits();
    const store = await openDatabase(dir, {}, commits);
    const keyring = await Keyring.open({ dir, second: null, random });
    onTestFinished(() => Promise.all([store.close(), keyring.close()]).then(() => {}));
    const around = { clock: new TestClock(), random: draw, log: silent, faults: {} };
    const parts = { ...around, dir, config: readConfig(dir), store, keyring, commits };
    const { own, ctx } = await assemble({ ...parts, generation: newHex<Id<'generation'>>() });
    drawn.length = 0;
    await store.write((tx) => own.append(tx, [reading(1)]));
    const isZero = (bytes: Buffer) => bytes.every((byte) => byte === 0);
    expect(drawn.filter(isZero)).toEqual([]);
    const row = ctx.groups.find(null, 'audit.reading', 'house', NOW)!;
    await keyring.erase([row]);
    expect(drawn.filter(isZero)).toHaveLength(1);
  });

  it('takes a new content key after an hour and after 10,000 parts', async () => {
    const house = await newHouse();
    const wrapOf = async (pos: number | undefined) => (await house.store.read.parts([pos!]))[0]?.wrap;
    const [a, b] = await append(house, reading(1), reading(2));
    expect(await wrapOf(a)).toBe(await wrapOf(b));
    house.clock.advance(CONTENT_KEY_MS);
    const many = await append(house, ...Array.from({ length: CONTENT_KEY_PARTS + 1 }, (_, i) => reading(i)));
    expect(await wrapOf(many[0])).not.toBe(await wrapOf(a));
    expect(await wrapOf(many[CONTENT_KEY_PARTS - 1])).toBe(await wrapOf(many[0]));
    expect(await wrapOf(many[CONTENT_KEY_PARTS])).not.toBe(await wrapOf(many[0]));
  });

  it('E2 refuses a personal field that is not on the list, names it, and quotes nothing', async () => {
    const house = await newHouse();
    const draft = { ...reading(1), personal: { filter: {}, address: 'x'.repeat(65) } } as OwnDraft;
    const error = await append(house, draft).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'event.invalid' });
    expect(String(error)).toContain('address');
    expect(String(error)).not.toContain('xxx');
    expect(await verified(house)).toEqual([]);
  });

  it('B1 opens a successor that names what was before; a rollback leaves the old one open', async () => {
    const house = await newHouse();
    await append(house, started);
    const old = house.own.current();
    const failing = house.store.write(async (tx) => {
      await house.own.succeed(tx, 'restored');
      await house.own.append(tx, [started]);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow();
    expect(house.own.current()).toBe(old);
    await append(house, started);
    const log = await house.store.write(async (tx) => {
      const next = await house.own.succeed(tx, 'restored');
      await house.own.append(tx, [reading(1)]);
      return next;
    });
    expect(house.own.current()).toBe(log);
    const [before, after] = await house.store.read.logsOf(null);
    const head = before!.head.toString('base64url');
    expect(before).toMatchObject({ log: old, state: 'closed', through: 2 });
    expect(after?.birth).toMatchObject({ reason: 'restored', predecessor: { log: old, size: 2, head } });
    expect(after?.birth.agent).toBe(before?.birth.agent);
    expect(await verified(house)).toHaveLength(1);
    const again = await createOwnLog({ ...house, identity, random });
    expect(again.current()).toBe(log);
  });
});
