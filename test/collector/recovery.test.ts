import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KEEP_ORPHANS_MS } from '../../collector/orphans.ts';
import { judge, type Recovery, recover } from '../../collector/recovery.ts';
import { encodeSlot, SlotFile } from '../../collector/slots.ts';
import { quarantineStore } from '../../collector/store/sqlite.ts';
import type { GroupRow } from '../../collector/store/types.ts';
import type { FaultSeam, GroupWish } from '../../collector/types.ts';
import type { AgreementId, GroupId, SessionId } from '../../protocol/ids.ts';
import { makeWrap } from '../../protocol/seal.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { type House, NOW, newHex, newHouse, openHouse, random, scratch } from './house.ts';

const agreement = newHex<AgreementId>();
const span: GroupWish = { agreement, class: 'session', kind: 'span', at: NOW };

/** A live group with a part, a wrap and an origin under it. */
async function filled(house: House): Promise<GroupRow> {
  const prepared = await house.groups.prepare([span]);
  const row = prepared.groups[0]!;
  await house.store.write(async (tx) => {
    await prepared.commit(tx);
    const [pos] = await house.own.append(tx, [
      { type: 'collector.started', data: { version: '1.0.0', reason: 'start' } },
    ]);
    const log = house.own.current();
    const { id, body } = makeWrap(row.key!, log, row.group, random(32), random);
    await tx.addWraps([{ wrap: id, log, group: row.group, body }]);
    await tx.addParts([{ pos: pos!, group: row.group, under: row.group, wrap: id, body: random(284) }]);
    await tx.putOrigins([{ group: row.group, origin: ORIGIN, session: newHex<SessionId>() }]);
  });
  return row;
}
const ORIGIN = Buffer.alloc(32, 4);

/** First transaction of an erasure. */
async function begun(house: House, row: GroupRow): Promise<GroupRow> {
  const erasing: GroupRow = { ...row, state: 'erasing', dueAt: utcMs(NOW - DAY_MS), erasedBy: 'policy' };
  await house.store.write((tx) => tx.groups.put([erasing]));
  house.groups.committed([erasing]);
  return erasing;
}

async function restarted(dir: string, faults: FaultSeam = {}): Promise<House & { found: Recovery }> {
  const house = await openHouse({ dir, faults });
  onTestFinished(() => house.close().catch(() => {}));
  return { ...house, found: await recover(house) };
}
const codes = (found: Recovery) => found.findings.map((finding) => finding.code);

/** The group is dead in every sense, the key nowhere, and the log says so once. */
async function expectErased(house: House, row: GroupRow, by: string, method: string): Promise<void> {
  const { read } = house.store;
  expect(await read.groups.get(row.group)).toMatchObject({ state: 'erased', erasedBy: by, erasedAt: NOW });
  expect(house.groups.dead([row.group])).toEqual([row.group]);
  expect(house.keyring.stateOf(row.group)).toBe('erased');
  expect(house.opener.originKey(row.group)).toBeNull();
  expect(await read.origins(row.group, [ORIGIN])).toEqual([]);
  expect((await read.counts()).parts).toBe(0);
  const events = await read.leaves({ types: ['erasure.done'], limit: 9 });
  expect(events.map((leaf) => JSON.parse(leaf.bytes).data)).toMatchObject([
    { group: row.group, count: 1, method },
  ]);
}

describe('the start brings rows and slots together', () => {
  it.each<[string, GroupRow['kind'], GroupRow['state'], 'live' | 'erased' | null, string]>([
    ['live, with its key', 'span', 'live', 'live', 'nothing'],
    ['V21 live, with a tombstone', 'span', 'live', 'erased', 'tombstone'],
    ['V22 live, with no readable slot', 'span', 'live', null, 'damaged'],
    ['V20 erasing, key still there', 'span', 'erasing', 'live', 'finish'],
    ['V20 erasing, tombstone already', 'span', 'erasing', 'erased', 'finish'],
    ['V20 erasing, no readable slot', 'span', 'erasing', null, 'finish'],
    ['erased, with its tombstone', 'span', 'erased', 'erased', 'nothing'],
    ['V21 erased, key back from a backup', 'span', 'erased', 'live', 'erase-again'],
    ['erased, slot gone', 'span', 'erased', null, 'nothing'],
    ['a live one-off, which has no slot', 'oneoff', 'live', null, 'nothing'],
    ['V20 a one-off that is erasing', 'oneoff', 'erasing', null, 'finish'],
  ])('%s', (_name, kind, state, slot, step) => {
    expect(judge({ kind, state }, slot)).toBe(step);
  });

  it('finds nothing to do in a sound state', async () => {
    const house = await newHouse();
    await filled(house);
    await house.close();
    const { found, store } = await restarted(house.dir);
    expect(found).toEqual({ findings: [], drafts: [], orphans: [] });
    expect(await store.read.lastPos()).toBe(1);
  });

  it.each(['keyring.copy-1', 'keyring.copy-2', 'keyring.created'])(
    'V19 keeps an orphan where a create stopped at %s, and takes the group back when it is offered',
    async (point) => {
      const house = await newHouse();
      const before = house.keyring.groups().length;
      await house.close();
      const stopping = await doomed(house.dir, point);
      await expect(stopping.groups.prepare([span])).rejects.toThrow(point);
      await stopping.close();
      const { found, keyring } = await restarted(house.dir);
      expect(found.orphans).toEqual([{ group: expect.any(String), slot: before + 1 }]);
      expect(codes(found)).toContain('keyring.orphans');
      expect(keyring.publicKey(found.orphans[0]!.group)).not.toBeNull();
      await keyring.close();
      const bytes = ['', 'two/'].map((folder) => readFileSync(`${house.dir}/${folder}keys.slots`));
      expect(bytes[0]?.equals(bytes[1]!)).toBe(true);
    },
  );

  it.each([
    'nothing',
    'keyring.copy-1',
    'keyring.copy-2',
    'keyring.erased',
    'store.commit',
    'store.committed',
  ])('V20 finishes an erasure that stopped at %s', async (point) => {
    const house = await newHouse();
    const row = await begun(house, await filled(house));
    await house.close();
    if (point !== 'nothing') {
      const stopping = await doomed(house.dir, point);
      await expect(recover(stopping)).rejects.toThrow(point);
      await stopping.close();
    }
    const after = await restarted(house.dir);
    await expectErased(after, row, 'policy', 'slot-overwritten');
    expect(codes(after.found).filter((code) => code !== 'keyring.repaired')).toEqual([]);
    await after.close();
    const again = await restarted(house.dir);
    await expectErased(again, row, 'policy', 'slot-overwritten');
    await again.close();
  });

  it('V20 says how late the erasure was', async () => {
    const house = await newHouse();
    await begun(house, await filled(house));
    await recover(house);
    const [event] = await house.store.read.leaves({ types: ['erasure.done'], limit: 1 });
    expect(JSON.parse(event!.bytes).data).toMatchObject({ lateSeconds: 86_400, class: 'session' });
  });

  it('V20 leaves it erasing while the second copy is away, and finishes it when it is back', async () => {
    const house = await newHouse();
    const row = await begun(house, await filled(house));
    await house.close();
    const second = join(house.dir, 'two');
    renameSync(second, `${second}-away`);
    mkdirSync(second);
    const alone = await restarted(house.dir);
    expect(codes(alone.found)).toEqual(['keyring.second-absent', 'erasure.second-absent']);
    expect(alone.found.findings.at(-1)?.groups).toEqual([row.group]);
    expect(await alone.store.read.groups.get(row.group)).toMatchObject({ state: 'erasing', erasedAt: null });
    expect((await alone.store.read.counts()).parts).toBe(1);
    expect(await alone.store.read.leaves({ types: ['erasure.done'], limit: 1 })).toEqual([]);
    await alone.close();
    rmSync(second, { recursive: true });
    renameSync(`${second}-away`, second);
    const both = await restarted(house.dir);
    await expectErased(both, row, 'policy', 'slot-overwritten');
  });

  it('V21 a tombstone kills a row that a restored database shows live', async () => {
    const house = await newHouse();
    const row = await filled(house);
    await house.keyring.erase([row]);
    await house.close();
    const after = await restarted(house.dir);
    await expectErased(after, row, 'tombstone', 'tombstone');
  });

  it('V21 a key that came back from a backup dies again, without a second event', async () => {
    const house = await newHouse();
    const row = await begun(house, await filled(house));
    const files = ['keys.slots', 'two/keys.slots'].map((name) => join(house.dir, name));
    const live = files.map((path) => readFileSync(path));
    await recover(house);
    await house.close();
    for (const [i, path] of files.entries()) {
      const file = SlotFile.open(path);
      file?.write(row.slot!, live[i]!.subarray(row.slot! * 64, row.slot! * 64 + 64));
      file?.close();
    }
    const after = await restarted(house.dir);
    await expectErased(after, row, 'policy', 'slot-overwritten');
    const key = live[0]!.subarray(row.slot! * 64 + 24, row.slot! * 64 + 56);
    for (const path of files) expect(readFileSync(path).includes(key)).toBe(false);
  });

  it('V22 reports a damaged slot of a live group, and erases nothing', async () => {
    const house = await newHouse();
    const row = await filled(house);
    await house.close();
    for (const name of ['keys.slots', 'two/keys.slots']) {
      const file = SlotFile.open(join(house.dir, name));
      file?.write(row.slot!, Buffer.alloc(64, 0x5a));
      file?.close();
    }
    const after = await restarted(house.dir);
    expect(after.found.drafts).toEqual([
      { type: 'keyring.damaged', data: { group: row.group, reason: 'slot-unreadable' } },
    ]);
    expect(after.found.findings.at(-1)).toMatchObject({ code: 'keyring.damaged', groups: [row.group] });
    expect((await after.store.read.groups.get(row.group))?.state).toBe('live');
    expect((await after.store.read.counts()).parts).toBe(1);
    const appended = await after.store.write((tx) => after.own.append(tx, after.found.drafts));
    expect(appended).toHaveLength(1);
    const later = await recover(after);
    expect(later.drafts).toEqual([]);
    expect(codes(later)).toContain('keyring.damaged');
  });

  it('V19 keeps every slot where the database was quarantined', async () => {
    const house = await newHouse();
    const row = await filled(house);
    const slots = house.keyring.groups().length;
    await house.close();
    quarantineStore(join(house.dir, 'collector.db'));
    const after = await restarted(house.dir);
    expect(after.found.orphans).toHaveLength(slots);
    expect(after.found.orphans.map((orphan) => orphan.group)).toContain(row.group);
    const [back] = after.groups.adoptable([row.record]);
    expect(back).toMatchObject({ group: row.group, slot: row.slot, state: 'live' });
  });

  it('V23 an orphan ends a day after the last agent forgot its group, with an event and a finding', async () => {
    const house = await newHouse();
    await house.groups.prepare([span]);
    const first = await recover(house);
    const [orphan] = first.orphans;
    expect(codes(first)).toEqual(['keyring.orphans']);
    house.clock.advance(KEEP_ORPHANS_MS - 1);
    expect((await recover(house)).orphans).toEqual([orphan]);
    house.clock.advance(1);
    const last = await recover(house);
    expect(last.orphans).toEqual([]);
    expect(last.findings.map(({ code, groups }) => [code, groups])).toEqual([
      ['keyring.orphans-ended', [orphan!.group]],
    ]);
    expect(house.keyring.stateOf(orphan!.group)).toBe('erased');
    const events = () => house.store.read.leaves({ types: ['keyring.orphan-ended'], limit: 9 });
    expect((await events()).map(({ bytes }) => JSON.parse(bytes).data)).toEqual([
      { group: orphan!.group, reason: 'expired' },
    ]);
    expect((await recover(house)).findings).toEqual([]);
    expect(await events()).toHaveLength(1);
    expect(await house.store.read.orphans.list()).toEqual([]);
  });

  it('V23 an orphan whose group was taken back in time lives on', async () => {
    const house = await newHouse();
    const prepared = await house.groups.prepare([span]);
    await recover(house);
    await house.store.write((tx) => prepared.commit(tx));
    house.clock.advance(KEEP_ORPHANS_MS);
    expect((await recover(house)).findings).toEqual([]);
    expect(house.keyring.stateOf(prepared.groups[0]!.group)).toBe('live');
  });

  it.each(['keyring.copy-1', 'keyring.erased', 'store.commit'])(
    'V23 an end of an orphan that stopped at %s is finished and told of, once',
    async (point) => {
      const house = await newHouse();
      await house.groups.prepare([span]);
      await recover(house);
      await house.close();
      const stopping = await doomed(house.dir, point);
      stopping.clock.advance(KEEP_ORPHANS_MS);
      await expect(recover(stopping)).rejects.toThrow(point);
      await stopping.close();
      const after = await restarted(house.dir);
      expect(after.found.orphans).toEqual([]);
      await recover(after);
      const events = await after.store.read.leaves({ types: ['keyring.orphan-ended'], limit: 9 });
      expect(events).toHaveLength(1);
    },
  );

  it('V21 V23 nothing counts as erased while the second copy is away', async () => {
    const house = await newHouse();
    const row = await filled(house);
    await house.groups.prepare([{ ...span, kind: 'late' }]);
    await recover(house);
    await house.close();
    const second = join(house.dir, 'two');
    renameSync(second, `${second}-away`);
    mkdirSync(second);
    const first = SlotFile.open(join(house.dir, 'keys.slots'));
    first?.write(row.slot!, encodeSlot({ state: 'erased', group: row.group }));
    first?.close();
    const alone = await openHouse({ dir: house.dir });
    alone.clock.advance(KEEP_ORPHANS_MS);
    const found = await recover(alone);
    expect(codes(found)).toEqual(['keyring.second-absent', 'erasure.second-absent', 'erasure.second-absent']);
    expect(found.findings[1]?.groups).toEqual([row.group]);
    expect(await alone.store.read.groups.get(row.group)).toMatchObject({
      state: 'erasing',
      erasedBy: 'tombstone',
      erasedAt: null,
    });
    expect(alone.groups.dead([row.group])).toEqual([row.group]);
    expect(
      await alone.store.read.leaves({ types: ['erasure.done', 'keyring.orphan-ended'], limit: 9 }),
    ).toEqual([]);
    await alone.close();
    rmSync(second, { recursive: true });
    renameSync(`${second}-away`, second);
    const both = await restarted(house.dir);
    await expectErased(both, row, 'tombstone', 'slot-overwritten');
    const ended = await both.store.read.leaves({ types: ['keyring.orphan-ended'], limit: 9 });
    expect(ended).toHaveLength(1);
  });

  it('V20 erases one-off groups that an end of the process caught, without a slot', async () => {
    const house = await newHouse();
    const row = await filled(house);
    const oneoff: GroupRow = {
      ...row,
      group: newHex<GroupId>(),
      kind: 'oneoff',
      key: null,
      slot: null,
      state: 'erasing',
      erasedBy: 'lane',
    };
    await house.store.write((tx) => tx.groups.put([oneoff]));
    await recover(house);
    expect(await house.store.read.groups.get(oneoff.group)).toMatchObject({
      state: 'erased',
      erasedBy: 'lane',
    });
    expect((await house.store.read.groups.get(row.group))?.state).toBe('live');
  });

  it.each([
    ['create', 'keyring.copy-1'],
    ['create', 'keyring.created'],
    ['create', 'store.commit'],
    ['erase', 'keyring.copy-1'],
    ['erase', 'keyring.erased'],
    ['erase', 'store.commit'],
    ['erase', 'store.committed'],
  ])('V19 V20 survives kill -9 during %s at %s', async (act, point) => {
    const dir = scratch();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'recovery-child.ts'), dir, act, point], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const [, signal] = await once(child, 'close');
    expect(signal).toBe('SIGKILL');
    const group = said.trim() as GroupId;
    const house = await restarted(dir);
    const { found } = house;
    const row = await house.store.read.groups.get(group);
    if (act === 'create') {
      expect(found.orphans).toHaveLength(1);
      expect(await house.store.read.groups.list({ kind: 'span' })).toEqual([]);
    } else {
      expect(row).toMatchObject({ state: 'erased' });
      expect(house.keyring.stateOf(group)).toBe('erased');
      expect(await house.store.read.leaves({ types: ['erasure.done'], limit: 9 })).toHaveLength(1);
    }
    expect((await recover(house)).drafts).toEqual([]);
  });
});

/** Once armed, stops at this point as a crash would: nothing after it happens. */
function stopAt(point: string): FaultSeam & { armed: boolean } {
  const faults = {
    armed: false,
    hit(at: string) {
      if (faults.armed && at === point) throw new Error(`stopped at ${at}`);
    },
  };
  return faults;
}

/** Opens what lies in `dir` and arms the fault. */
async function doomed(dir: string, point: string): Promise<House> {
  const faults = stopAt(point);
  const house = await openHouse({ dir, faults });
  faults.armed = true;
  return house;
}
