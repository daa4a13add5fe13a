import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createOpener } from '../../collector/opener.ts';
import { naturalKeyOf, originOf } from '../../collector/origin.ts';
import type { GroupRow, WrapRow } from '../../collector/store/types.ts';
import type { AgreementId, GroupId, Id, LogId } from '../../protocol/ids.ts';
import { makeWrap } from '../../protocol/seal.ts';
import { type House, NOW, newHex, newHouse, random } from './house.ts';

const agreement = newHex<AgreementId>();
const log = newHex<LogId>();

async function spanGroup(house: House): Promise<GroupRow> {
  const prepared = await house.groups.prepare([{ agreement, class: 'session', kind: 'span', at: NOW }]);
  await house.store.write((tx) => prepared.commit(tx));
  return prepared.groups[0]!;
}
function wrapFor(row: GroupRow): { content: Buffer; wrap: WrapRow } {
  const content = random(32);
  const { id, body } = makeWrap(row.key!, log, row.group, content, random);
  return { content, wrap: { wrap: id, log, group: row.group, body } };
}
const zero = Buffer.alloc(32);

describe('the opener', () => {
  it('V14 opens wraps of live groups only', async () => {
    const house = await newHouse();
    const row = await spanGroup(house);
    const { content, wrap } = wrapFor(row);
    expect(house.opener.contentKey(row.group, wrap)?.equals(content)).toBe(true);
    expect(house.opener.contentKey(newHex(), wrap)).toBeNull();
    expect(house.opener.contentKey(row.group, { ...wrap, wrap: newHex(), body: random(92) })).toBeNull();
    house.groups.committed([{ ...row, state: 'erasing' }]);
    expect(house.opener.contentKey(row.group, wrap)).toBeNull();
    expect(house.opener.originKey(row.group)).toBeNull();
  });

  it('V14 zeroes what it holds of a group as its erasure begins', async () => {
    const house = await newHouse();
    const row = await spanGroup(house);
    const { wrap } = wrapFor(row);
    const lent = [house.opener.contentKey(row.group, wrap)!, house.opener.originKey(row.group)!];
    await house.keyring.erase([row]);
    expect(lent.every((key) => key.equals(zero))).toBe(true);
    expect(house.opener.contentKey(row.group, wrap)).toBeNull();
    expect(house.opener.originKey(row.group)).toBeNull();
  });

  it('keeps a bounded number of content keys, the last used ones, and zeroes the others', async () => {
    const house = await newHouse();
    const row = await spanGroup(house);
    const opener = createOpener(house.keyring, house.groups, 2);
    const [a, b, c] = [wrapFor(row), wrapFor(row), wrapFor(row)];
    const first = opener.contentKey(row.group, a.wrap)!;
    const second = opener.contentKey(row.group, b.wrap)!;
    expect(opener.contentKey(row.group, a.wrap)).toBe(first);
    opener.contentKey(row.group, c.wrap);
    expect(second.equals(zero)).toBe(true);
    expect(first.equals(a.content)).toBe(true);
    expect(opener.contentKey(row.group, b.wrap)?.equals(b.content)).toBe(true);
  });

  it('V15 leaves out parts that cannot be opened', async () => {
    const house = await newHouse();
    const draft = { type: 'token.created', data: { token: newHex(), person: null } } as const;
    const drafts = [1, 2].map((n) => ({ ...draft, personal: { address: `203.0.113.${n}` } }));
    const [one, two] = await house.store.write((tx) => house.own.append(tx, drafts));
    const [part] = await house.store.read.parts([one!]);
    await house.store.write(async (tx) => {
      await tx.dropParts([{ pos: one!, group: part!.group }]);
      await tx.addParts([{ ...part!, body: random(part!.body.length) }]);
    });
    const opened = await house.opener.open(house.store.read, [one!, two!]);
    expect([...opened.keys()]).toEqual([two]);
  });

  it('holds keys of one-off sessions by the process that gave them, and drops them', async () => {
    const house = await newHouse();
    const { oneoff } = house.opener;
    const [here, gone] = [newHex<Id<'instance'>>(), newHex<Id<'instance'>>()];
    const [a, b, c] = [newHex<GroupId>(), newHex<GroupId>(), newHex<GroupId>()];
    const given = random(32);
    oneoff.put(a, here, given);
    oneoff.put(b, gone, random(32));
    oneoff.put(c, gone, random(32));
    expect(oneoff.get(a)?.equals(given)).toBe(true);
    const lent = oneoff.get(b)!;
    oneoff.drop([b]);
    expect(lent.equals(zero)).toBe(true);
    expect(oneoff.dropInstance(gone)).toEqual([c]);
    expect([oneoff.get(a) !== null, oneoff.get(b), oneoff.get(c)]).toEqual([true, null, null]);
  });
});

describe('origins', () => {
  const data = {
    session: newHex<string>(),
    source: newHex<string>(),
    tool: 'teamviewer',
    direction: 'incoming',
    mode: 'managed',
    kind: 'remote-control',
    startedAt: '2026-11-22T06:12:00.000Z',
    startBasis: 'file-utc',
    occurrence: 0,
  } as const;

  it('are the HMAC of tool, 0 and the canonical natural key', () => {
    const key = random(32);
    const natural = naturalKeyOf(data, { peerId: '1660360496', localUser: 'IEUser', toolSessionId: '{a}' });
    const text =
      'teamviewer\0{"direction":"incoming","kind":"remote-control","localUser":"IEUser","occurrence":0,' +
      '"peerId":"1660360496","startedAt":"2026-11-22T06:12:00.000Z","toolSessionId":"{a}"}';
    const expected = createHmac('sha256', key).update(text).digest();
    expect(originOf(key, 'teamviewer', natural).equals(expected)).toBe(true);
  });

  it('O2 take absent for null, and tell rows apart by the occurrence number only where they are equal', () => {
    const key = random(32);
    const origin = (over: object, p: object | null) =>
      originOf(key, 'teamviewer', naturalKeyOf({ ...data, ...over }, p as null)).toString('hex');
    expect(origin({}, {})).toBe(origin({}, null));
    expect(origin({ session: newHex(), startBasis: 'observed' }, null)).toBe(origin({}, null));
    expect(origin({ occurrence: 1 }, null)).not.toBe(origin({}, null));
    expect(origin({}, { peerId: '1' })).not.toBe(origin({}, null));
  });
});
