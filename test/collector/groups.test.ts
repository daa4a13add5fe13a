import { describe, expect, it } from 'vitest';
import { createGroups, wishesOf } from '../../collector/groups.ts';
import { SlotFile } from '../../collector/slots.ts';
import type { GroupRow } from '../../collector/store/types.ts';
import type { GroupWish, PreparedGroups } from '../../collector/types.ts';
import { signGroup, spanOf, verifyGroup } from '../../protocol/group.ts';
import type { AgreementId, GroupId } from '../../protocol/ids.ts';
import { packNamed } from '../../protocol/packs.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { DAY_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { type House, identity, NOW, newHex, newHouse, openHouse, random } from './house.ts';

const spans = packNamed('none');
const agreement = newHex<AgreementId>();
const month = (n: number) => utcMs(Date.UTC(2026, 10 + n, 15));
const wish = (kind: GroupWish['kind'], at: UtcMs = NOW, cls: GroupWish['class'] = 'session'): GroupWish => ({
  agreement,
  class: cls,
  kind,
  at,
});

const commit = (house: House, prepared: PreparedGroups) => house.store.write((tx) => prepared.commit(tx));

async function made(house: House, ...wishes: GroupWish[]): Promise<GroupRow[]> {
  const prepared = await house.groups.prepare(wishes);
  await commit(house, prepared);
  return prepared.groups;
}

/** Erases as the start would see it done: slot, then row. */
async function kill(house: House, row: GroupRow): Promise<void> {
  await house.keyring.erase([row]);
  const dead: GroupRow = { ...row, state: 'erased', erasedAt: house.clock.now(), erasedBy: 'policy' };
  await house.store.write((tx) => tx.groups.put([dead]));
  house.groups.committed([dead]);
}

describe('groups', () => {
  it('makes one group per wish, signed, with the public half of its slot', async () => {
    const house = await newHouse();
    const [span, whole] = await made(house, wish('span'), wish('whole', NOW, 'host.name'));
    expect(span).toMatchObject({ kind: 'span', agreement, class: 'session', ...spanOf(NOW, 'month') });
    expect(whole).toMatchObject({ kind: 'whole', class: 'host.name', from: null, to: null });
    for (const row of [span, whole]) {
      expect(verifyGroup(publicText(identity), row!.record)).toBe(true);
      expect(house.keyring.publicKey(row!.group)).toBe(row!.key);
      expect(row!.record.key).toBe(row!.key);
      expect(house.groups.byId(row!.group)).toEqual(row);
      expect(await house.store.read.groups.get(row!.group)).toEqual(row);
    }
  });

  it('G1 finds the group of the span that holds a time, and no other', async () => {
    const house = await newHouse();
    const [row] = await made(house, wish('span'));
    const find = (at: UtcMs) => house.groups.find(agreement, 'session', 'span', at);
    const { from, to } = spanOf(NOW, 'month');
    expect(find(from)).toEqual(row);
    expect(find(utcMs(to - 1))).toEqual(row);
    expect(find(to)).toBeNull();
    expect(find(utcMs(from - 1))).toBeNull();
    expect(house.groups.find(newHex(), 'session', 'span', NOW)).toBeNull();
  });

  it('uses days where the policy says days', async () => {
    const house = await newHouse();
    const groups = await createGroups({ ...house, identity, spans: { ...spans, session: 'day' }, random });
    const prepared = await groups.prepare([wish('span'), wish('span', utcMs(NOW + DAY_MS))]);
    expect(prepared.groups.map((row) => row.from)).toEqual([
      spanOf(NOW, 'day').from,
      spanOf(utcMs(NOW + DAY_MS), 'day').from,
    ]);
  });

  it('V11 makes one group for one wish, however many ask at once', async () => {
    const house = await newHouse();
    const before = house.keyring.groups().length;
    const all = await Promise.all(
      Array.from({ length: 8 }, () => house.groups.prepare([wish('span'), wish('span')])),
    );
    expect(new Set(all.flatMap(({ groups }) => groups.map((row) => row.group))).size).toBe(1);
    expect(house.keyring.groups()).toHaveLength(before + 1);
    await Promise.all(all.map((prepared) => commit(house, prepared)));
    expect(await house.store.read.groups.list({ kind: 'span' })).toHaveLength(1);
  });

  it('V12 shows no group before its row is committed, and uses the slot of a rolled-back one', async () => {
    const house = await newHouse();
    const prepared = await house.groups.prepare([wish('span')]);
    const [row] = prepared.groups;
    expect(house.keyring.stateOf(row!.group)).toBe('live');
    const failing = house.store.write(async (tx) => {
      await prepared.commit(tx);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow();
    expect(house.groups.byId(row!.group)).toBeNull();
    expect(house.groups.find(agreement, 'session', 'span', NOW)).toBeNull();
    expect((await made(house, wish('span')))[0]?.group).toBe(row!.group);
    expect(house.groups.byId(row!.group)).toEqual(row);
  });

  it('V13 gives back a dead span and whole, and makes a new late', async () => {
    const house = await newHouse();
    const wishes = [wish('span'), wish('whole', NOW, 'host.name'), wish('late')];
    const before = await made(house, ...wishes);
    for (const row of before) await kill(house, row);
    const after = await made(house, ...wishes);
    expect(after.map((row) => row.state)).toEqual(['erased', 'erased', 'live']);
    expect(after.slice(0, 2).map((row) => row.group)).toEqual(before.slice(0, 2).map((row) => row.group));
    expect(house.groups.dead(after.map((row) => row.group))).toEqual(
      after.slice(0, 2).map((row) => row.group),
    );
    expect(house.groups.dead([newHex()])).toEqual([]);
  });

  it('makes a late group each month, and never ahead of time', async () => {
    const house = await newHouse();
    const [first] = await made(house, wish('late'));
    expect((await made(house, wish('late'), wish('late', month(1)))).map((row) => row.group)).toEqual([
      first!.group,
      first!.group,
    ]);
    house.clock.wall = month(1);
    const [second] = await made(house, wish('late', month(1)));
    expect(second?.group).not.toBe(first!.group);
    expect(house.groups.find(agreement, 'session', 'late', NOW)?.group).toBe(second?.group);
  });

  it('hands an agent present and next span, the newest late and the whole, live ones only', async () => {
    const house = await newHouse();
    const rows = await made(
      house,
      ...wishesOf(agreement, NOW, spans),
      wish('span', month(2)),
      wish('span', month(-1)),
    );
    const given = house.groups.forAgreement(agreement, NOW).map((group) => group.group);
    expect(given).toEqual(rows.slice(0, 4).map((row) => row.group));
    await kill(house, rows[0]!);
    expect(house.groups.forAgreement(agreement, NOW)).toHaveLength(3);
    expect(house.groups.forAgreement(newHex(), NOW)).toEqual([]);
  });

  it('knows everything again after a restart', async () => {
    const house = await newHouse();
    const rows = await made(house, ...wishesOf(agreement, NOW, spans));
    const given = house.groups.forAgreement(agreement, NOW);
    await house.close();
    const again = await openHouse({ dir: house.dir });
    expect(again.groups.forAgreement(agreement, NOW)).toEqual(given);
    expect((await again.groups.prepare(wishesOf(agreement, NOW, spans))).groups).toEqual(rows);
    await again.close();
  });

  it('takes back its own groups with a live slot, and no others', async () => {
    const house = await newHouse();
    const [kept] = await made(house, wish('late'));
    const lost = await house.groups.prepare([wish('span'), wish('span', month(1)), wish('span', month(2))]);
    const [good, dead, foreign] = lost.groups;
    await house.keyring.erase([dead!]);
    const forged = signGroup(newSigningKey(), { ...foreign! });
    const swapped = signGroup(identity, { ...foreign!, key: kept!.key });
    const unknown = signGroup(identity, { ...good!, group: newHex<GroupId>() });
    const offer = [good!.record, good!.record, dead!.record, kept!.record, forged, swapped, unknown];
    // Another index over the same keyring: the database that lost these rows.
    const groups = await createGroups({ ...house, identity, spans, random });
    const rows = groups.adoptable(offer);
    expect(rows).toEqual([{ ...good!, createdAt: NOW }]);
    await house.store.write((tx) => tx.groups.put(rows));
    groups.committed(rows);
    expect(groups.find(agreement, 'session', 'span', NOW)?.group).toBe(good!.group);
    expect(groups.adoptable(offer)).toEqual([]);
  });

  it('V13 replaces a group whose key was lost without an erasure, and hands it out no longer', async () => {
    const house = await newHouse();
    const [row] = await made(house, wish('span'));
    await house.close();
    for (const folder of ['', 'two/']) {
      const file = SlotFile.open(`${house.dir}/${folder}keys.slots`);
      file?.write(row!.slot!, Buffer.alloc(64, 0x5a));
      file?.close();
    }
    const again = await openHouse({ dir: house.dir });
    expect(again.groups.forAgreement(agreement, NOW)).toEqual([]);
    // Ingest asks by this what to move late parts to: not to a key that nobody has.
    expect(again.groups.find(agreement, 'session', 'span', NOW)).toBeNull();
    const [fresh] = await made(again, wish('span'));
    expect(fresh?.group).not.toBe(row!.group);
    expect(again.groups.forAgreement(agreement, NOW)).toEqual([fresh?.record]);
    expect(again.groups.find(agreement, 'session', 'span', NOW)?.group).toBe(fresh?.group);
    expect(again.groups.byId(row!.group)?.state).toBe('live');
    await again.close();
  });
});
