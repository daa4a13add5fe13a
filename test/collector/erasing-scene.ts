/** A house with an agreement that is over and another that is not; free of the test runner, for children too. */

import { join } from 'node:path';
import { settleEnds } from '../../collector/erasing/ends.ts';
import { emptyLog, PARTS } from '../../collector/erasing/erase.ts';
import { eraseDue } from '../../collector/erasing/eraser.ts';
import { recover } from '../../collector/recovery.ts';
import { settleRequests } from '../../collector/regroup/take-out.ts';
import { openTelemetry } from '../../collector/store/telemetry.ts';
import type { AgreementRow, GroupRow } from '../../collector/store/types.ts';
import type { FaultSeam, GroupWish } from '../../collector/types.ts';
import type { AgreementId, CustomerId, SessionId } from '../../protocol/ids.ts';
import { makeWrap, sealPart } from '../../protocol/seal.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { type House, NOW, newHex, random } from './rooms.ts';

/** Stands in sealed parts only. */
export const CANARY = 'Canary Sørensen 7731';
/** More than one transaction deletes. */
export const MANY = PARTS + 200;

export function agreementRow(change: Partial<AgreementRow> = {}): AgreementRow {
  return {
    agreement: newHex<AgreementId>(),
    customer: newHex<CustomerId>(),
    mode: 'managed',
    state: 'open',
    isDefault: false,
    startsAt: utcMs(NOW - 300 * DAY_MS),
    endsAt: null,
    createdAt: utcMs(NOW - 300 * DAY_MS),
    coolingUntil: null,
    orderedAt: null,
    orderedBy: null,
    endedAt: null,
    ...change,
  };
}

export interface Filled {
  over: AgreementRow;
  other: AgreementRow;
  /** Groups of `over`, the first one with `MANY` parts. */
  dying: GroupRow[];
  /** Groups of `other`. */
  living: GroupRow[];
}

/** Two agreements with sealed parts under three groups each; the end of the first is due. */
export async function fill(house: House, many = MANY): Promise<Filled> {
  const due = utcMs(NOW - 1);
  const over = agreementRow({ endsAt: due, coolingUntil: due, orderedAt: due });
  const other = agreementRow();
  await house.store.write((tx) => tx.agreements.put([over, other]));
  const [dying, living] = [
    await groupsOf(house, over.agreement, many),
    await groupsOf(house, other.agreement, 3),
  ];
  return { over, other, dying, living };
}

async function groupsOf(house: House, agreement: AgreementId, many: number): Promise<GroupRow[]> {
  const wishes: GroupWish[] = [
    { agreement, class: 'session', kind: 'span', at: NOW },
    { agreement, class: 'session', kind: 'late', at: NOW },
    { agreement, class: 'host.name', kind: 'whole', at: NOW },
  ];
  const prepared = await house.groups.prepare(wishes);
  await house.store.write((tx) => prepared.commit(tx));
  for (const [i, row] of prepared.groups.entries()) await partsUnder(house, row, i === 0 ? many : 2);
  return prepared.groups;
}

export async function partsUnder(house: House, row: GroupRow, count: number): Promise<void> {
  const log = house.own.current();
  const key = random(32);
  const { id, body } = makeWrap(row.key ?? '', log, row.group, key, random);
  await house.store.write(async (tx) => {
    await tx.addWraps([{ wrap: id, log, group: row.group, body }]);
    const positions = await house.own.append(
      tx,
      Array.from({ length: count }, () => ({
        type: 'collector.started' as const,
        data: { version: '1.0.0', reason: 'start' },
      })),
    );
    const place = { log, seq: 1, group: row.group, under: row.group };
    await tx.addParts(
      positions.map((pos) => ({
        ...{ pos, group: row.group, under: row.group, wrap: id },
        body: sealPart(key, place, { peerId: CANARY }, random).body,
      })),
    );
    await tx.putOrigins([{ group: row.group, origin: random(32), session: newHex<SessionId>() }]);
  });
}

/** What a start does before the port opens. */
export async function startOf(house: House, faults: FaultSeam = {}): Promise<number> {
  const telemetry = openTelemetry({ dir: join(house.dir, 'telemetry') });
  try {
    const around = { ...house, faults, telemetry, random, bury: (ids: never) => house.keyring.bury(ids) };
    await recover(around);
    await settleEnds(around);
    await settleRequests(around, house.keyring.tombstones());
    const { erased } = await eraseDue(around);
    await emptyLog(around);
    return erased;
  } finally {
    await telemetry.close();
  }
}

/** Everything that a customer could see change: their groups, parts, wraps, origins. */
export async function dumpOf(house: House, rows: readonly GroupRow[]): Promise<string> {
  const { read } = house.store;
  const parts: unknown[] = [];
  for (const { group } of rows) {
    const places = await read.partsUnder(group, null, 100_000);
    parts.push(
      await read.groups.get(group),
      places,
      await read.parts(places.map(({ pos }) => pos)),
      house.keyring.publicKey(group),
    );
  }
  return JSON.stringify(parts);
}
