/**
 * Erasing at the collector: groups a second, with both copies of the keys on the disk, and how long a transaction of
 * somebody else waits meanwhile. Beside it: the same rows deleted in one transaction by plain SQL, keys and all events
 * left out.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { eraseAll } from '../collector/erasing/erase.ts';
import type { GroupRow, PartRow } from '../collector/store/types.ts';
import { signGroup } from '../protocol/group.ts';
import type { AgreementId } from '../protocol/ids.ts';
import { makeWrap } from '../protocol/seal.ts';
import { type House, identity, NOW, newHex, openHouse, random } from '../test/collector/rooms.ts';
import type { BenchResult } from './result.ts';

export interface ErasingPlan {
  /** Key groups that fall due at once. */
  groups: number;
}

/** Sessions of a small site in a month, each of two events with a sealed part. */
const PARTS = 20;
const BODY_BYTES = 284;
const SLICE = 250;
/** How often somebody else writes. */
const EVERY_MS = 5;

export async function erasingBench({ groups: count }: ErasingPlan): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-bench-erasing-'));
  const house = await openHouse({ dir }, true);
  try {
    const rows = await fill(house, count);
    await house.store.settle();
    const plain = plainDelete(dir, rows);
    const beside = besides(house);
    const began = performance.now();
    const dues = rows.map(({ group }) => ({
      ...{ group, by: 'policy' as const, policy: 'none', version: 1, dueAt: NOW },
    }));
    const done = await eraseAll(house, dues);
    const seconds = (performance.now() - began) / 1000;
    const waits = await beside();
    if (done.count !== count || !done.complete) throw new Error('not everything was erased');
    return [
      {
        name: `erasing, ${count} groups of ${PARTS} parts`,
        value: count / seconds,
        unit: 'groups/s',
        against: { name: 'plain DELETE, no keys, no events', value: plain },
      },
      { name: 'erasing, all of them', value: seconds, unit: 's' },
      { name: 'another transaction meanwhile, p99', value: at(waits, 0.99), unit: 'ms', target: '100 ms' },
      { name: 'another transaction meanwhile, longest', value: at(waits, 1), unit: 'ms' },
    ];
  } finally {
    await house.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function fill(house: House, count: number): Promise<GroupRow[]> {
  const all: GroupRow[] = [];
  for (let from = 0; from < count; from += SLICE) {
    const made = await house.keyring.create(
      Array.from({ length: Math.min(SLICE, count - from) }, () => newHex()),
    );
    const rows = made.map(({ group, slot, key }): GroupRow => {
      const agreement = newHex<AgreementId>();
      const spec = { group, kind: 'single', agreement, class: 'session', from: null, to: null, key } as const;
      const record = signGroup(identity, spec);
      const live = { state: 'live', dueAt: null, erasedAt: null, erasedBy: null } as const;
      return { ...spec, subject: null, record, slot, ...live, createdAt: NOW };
    });
    await house.store.write(async (tx) => {
      await tx.groups.put(rows);
      const heartbeat = { type: 'collector.started' as const, data: { version: '1.0.0', reason: 'start' } };
      const positions = await house.own.append(
        tx,
        Array.from({ length: rows.length * PARTS }, () => heartbeat),
      );
      const log = house.own.current();
      const parts: PartRow[] = [];
      for (const [i, { group, key }] of rows.entries()) {
        const wrap = makeWrap(key ?? '', log, group, random(32), random);
        await tx.addWraps([{ wrap: wrap.id, log, group, body: wrap.body }]);
        for (const pos of positions.slice(i * PARTS, (i + 1) * PARTS)) {
          parts.push({ pos, group, under: group, wrap: wrap.id, body: random(BODY_BYTES) });
        }
      }
      await tx.addParts(parts);
      tx.afterCommit(() => house.groups.committed(rows));
    });
    all.push(...rows);
  }
  return all;
}

/** Groups a second that SQLite deletes from a copy, all in one transaction. */
function plainDelete(dir: string, rows: readonly GroupRow[]): number {
  const source = new Sqlite(join(dir, 'collector.db'), { readonly: true });
  const path = join(dir, 'plain.db');
  source.exec(`VACUUM INTO '${path}'`);
  source.close();
  const db = new Sqlite(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('secure_delete = ON');
  const ids = db.prepare<[string], { id: number }>('SELECT id FROM key_groups WHERE grp = ?');
  const drops = ['sealed', 'wraps', 'origins'].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE grp = ?`),
  );
  const began = performance.now();
  db.transaction(() => {
    for (const { group } of rows) for (const drop of drops) drop.run(ids.get(group)?.id);
  })();
  const seconds = (performance.now() - began) / 1000;
  db.close();
  return rows.length / seconds;
}

/** Writes again and again beside what is measured; how long each had to wait, in order of length. */
function besides({ store }: House): () => Promise<number[]> {
  const waits: number[] = [];
  let over = false;
  const writing = (async () => {
    for (let n = 0; !over; n += 1) {
      const began = performance.now();
      await store.write((tx) => tx.setMeta('bench', String(n)));
      waits.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return async () => {
    over = true;
    await writing;
    return waits.sort((a, b) => a - b);
  };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
