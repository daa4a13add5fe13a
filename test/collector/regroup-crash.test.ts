import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SLICE } from '../../collector/regroup/gather.ts';
import { takeOut } from '../../collector/regroup/take-out.ts';
import { takesOf } from '../../collector/regroup/takes.ts';
import type { GroupRow, SessionRow } from '../../collector/store/types.ts';
import type { FaultSeam } from '../../collector/types.ts';
import type {
  AgentId,
  CustomerId,
  GroupId,
  PersonId,
  SessionId,
  SiteId,
  SourceId,
} from '../../protocol/ids.ts';
import { utcMs } from '../../protocol/time.ts';
import { keysIn, leftovers } from '../support/leftovers.ts';
import { agreementRow, startOf } from './erasing-scene.ts';
import { type House, NOW, newHex, newHouse, openHouse, scratch } from './house.ts';

/** More than one transaction moves. */
const MANY = SLICE + 50;

class Points implements FaultSeam {
  readonly seen: string[] = [];
  stopAt = Number.POSITIVE_INFINITY;
  hit(point: string): void {
    this.seen.push(point);
    if (this.seen.length > this.stopAt) throw new Error(`stopped at ${point}`);
  }
}

interface Scene {
  house: House;
  points: Points;
  mine: SessionId;
  other: SessionId;
  span: GroupRow;
  before: string;
}

/** Two sessions of one span, with parts that the collector itself wrote of them. */
async function scene(): Promise<Scene> {
  const points = new Points();
  const house = await newHouse({ dir: scratch(), faults: points });
  const agreement = agreementRow();
  const wish = { agreement: agreement.agreement, class: 'session', kind: 'span', at: NOW } as const;
  const prepared = await house.groups.prepare([wish]);
  const span = prepared.groups[0]!;
  const [mine, other] = [newHex<SessionId>(), newHex<SessionId>()];
  await house.store.write(async (tx) => {
    await tx.agreements.put([agreement]);
    await prepared.commit(tx);
    await tx.putSessions([mine, other].map((session) => sessionRow(session, span)));
  });
  await explain(house, span, mine, MANY);
  await explain(house, span, other, 3);
  const before = await partsOf(house, other);
  points.seen.length = 0;
  return { house, points, mine, other, span, before };
}

function sessionRow(session: SessionId, { agreement }: GroupRow): SessionRow {
  return {
    ...{ session, agent: newHex<AgentId>(), customer: newHex<CustomerId>(), site: newHex<SiteId>() },
    ...{
      agreement: agreement!,
      source: newHex<SourceId>(),
      tool: 'sshd',
      direction: 'incoming',
      kind: 'shell',
    },
    ...{ mode: 'managed', state: 'ended', startedAt: NOW, startBasis: 'file-utc', occurrence: 0 },
    ...{ endedAt: utcMs(NOW + 1), endBasis: 'file-utc', endReason: 'completed', durationSeconds: 0 },
    ...{ auth: null, failedAttempts: null, files: null, confirmedBy: [], log: newHex<SessionRow['log']>() },
    ...{
      firstSeq: 1,
      lastSeq: 1,
      startedPos: 1,
      partPos: [],
      mergedInto: null,
      explainedPos: null,
      connection: null,
      connectionAt: null,
    },
  };
}

async function explain(house: House, span: GroupRow, session: SessionId, count: number): Promise<void> {
  await house.store.write(async (tx) => {
    const data = { session, person: newHex<PersonId>(), reason: 'asked' as const };
    const drafts = Array.from({ length: count }, (_, i) => ({
      ...{ type: 'session.explained' as const, data, under: span.group },
      personal: { ticket: `SPECIMEN-${i}` },
    }));
    await house.own.append(tx, drafts);
  });
}

/** Of one session, wherever they lie. */
async function partsOf({ store }: House, session: SessionId): Promise<string> {
  const leaves = await store.read.leaves({ types: ['session.explained'], limit: 1_000 });
  const mine = leaves.filter(({ bytes }) => bytes.includes(session)).map(({ pos }) => pos);
  return JSON.stringify(await store.read.parts(mine));
}

async function undersOf(house: House, session: SessionId): Promise<Map<GroupId, number>> {
  const rows = JSON.parse(await partsOf(house, session)) as { under: GroupId }[];
  return new Map([...Map.groupBy(rows, ({ under }) => under)].map(([under, list]) => [under, list.length]));
}

const say = ({ house, mine }: Pick<Scene, 'house' | 'mine'>, why: 'request' | 'kept') =>
  house.store.write((tx) =>
    takeOut({ ...house, bury: (ids) => house.keyring.bury(ids) }, tx, {
      sessions: [mine],
      why,
      approval: null,
    }),
  );

async function reopened({ house }: Scene): Promise<House> {
  await house.close();
  return openHouse({ dir: house.dir });
}

const open: { why: 'request' | 'kept'; expected: string[] }[] = [
  {
    why: 'request',
    expected: [
      ...['regroup.slice', 'regroup.gathered', 'erasing.begun', 'keyring.copy-1', 'erasing.keys-gone'],
      ...['erasing.rows-gone', 'erasing.log-empty', 'store.commit', 'store.committed'],
    ],
  },
  { why: 'kept', expected: ['regroup.slice', 'regroup.gathered', 'store.commit', 'store.committed'] },
];

it.each(open)(
  'V55 V20 S3 a crash at every named point of a session that is taken out ($why) is finished by the next start',
  async ({ why, expected }) => {
    const whole = await scene();
    await say(whole, why);
    whole.points.seen.length = 0;
    await startOf(whole.house, whole.points);
    const reached = [...whole.points.seen];
    for (const point of expected) expect(reached).toContain(point);
    for (const [i, point] of reached.entries()) {
      const it = await scene();
      const [{ group }] = (await say(it, why)) as [GroupRow];
      const key = keysIn(join(it.house.dir, 'keys.slots')).get(group) ?? Buffer.alloc(0);
      it.points.seen.length = 0;
      it.points.stopAt = i;
      await expect(startOf(it.house, it.points), `${i} ${point}`).rejects.toThrow(point);
      const after = await reopened(it);
      await startOf(after);
      const row = await after.store.read.groups.get(group);
      expect(await partsOf(after, it.other), `${i} ${point}`).toBe(it.before);
      if (why === 'request') {
        expect(await undersOf(after, it.mine), `${i} ${point}`).toEqual(new Map());
        expect(row, `${i} ${point}`).toMatchObject({ state: 'erased', erasedBy: 'request' });
        expect((await after.store.read.erasures.get(group))?.parts, `${i} ${point}`).toBe(MANY);
        expect(leftovers([after.dir], { [group]: key })).toEqual([]);
      } else {
        expect(await undersOf(after, it.mine), `${i} ${point}`).toEqual(new Map([[group, MANY]]));
        expect(row?.state).toBe('live');
      }
      expect((await after.store.read.groups.get(it.span.group))?.state).toBe('live');
      await after.close();
    }
  },
  300_000,
);

it('V54 a crash while a request is said leaves it unsaid and whole, or said and gone after the next start', async () => {
  const whole = await scene();
  await say(whole, 'request');
  const reached = [...whole.points.seen];
  expect(reached).toContain('store.commit');
  const left = new Set<number>();
  for (const [i, point] of reached.entries()) {
    const it = await scene();
    it.points.stopAt = i;
    await expect(say(it, 'request'), `${i} ${point}`).rejects.toThrow(point);
    const after = await reopened(it);
    const buried = after.keyring.isBuried(it.mine);
    await startOf(after);
    const count = [...(await undersOf(after, it.mine)).values()].reduce((sum, n) => sum + n, 0);
    expect(count, `${i} ${point}`).toBe(buried ? 0 : MANY);
    expect(takesOf(after.groups.takenOut(it.mine) ?? it.span) !== null).toBe(buried);
    expect(await partsOf(after, it.other)).toBe(it.before);
    left.add(count);
    await after.close();
  }
  expect(left).toContain(0);
});
