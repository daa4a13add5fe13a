import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { migrations } from '../../collector/store/connection.ts';
import { openStore, quarantineStore, type StoreOptions } from '../../collector/store/sqlite.ts';
import { storeContract } from '../contract/store.ts';
import { group, leaf, logRow, part, put } from '../contract/store-rows.ts';
import { scratch } from './house.ts';

storeContract('SQLite', async () => {
  const path = join(scratch(), 'collector.db');
  let store = await openStore(path);
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await openStore(path);
      return store;
    },
    destroy: () => store.close(),
  };
});

async function opened(path: string, options: StoreOptions = {}) {
  const store = await openStore(path, options);
  onTestFinished(() => store.close());
  return store;
}

const pragma = (path: string, text: string) => {
  const db = new Sqlite(path);
  try {
    return db.pragma(text, { simple: true });
  } finally {
    db.close();
  }
};

describe('SQLite: durability and damage', () => {
  it('K1 survives SIGKILL after each resolved write, and keeps nothing of the one that was running', async () => {
    const path = join(scratch(), 'collector.db');
    const child = spawn(process.execPath, [join(import.meta.dirname, 'store-child.ts'), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
      if (said.split('\n').length > 20) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acked = Number(said.trimEnd().split('\n').at(-1));
    const store = await opened(path);
    const last = await store.read.lastPos();
    expect(last).toBeGreaterThanOrEqual(acked);
    // Three leaves a transaction: never a part of one.
    expect(last % 3).toBe(0);
    expect((await store.read.logsOf(null))[0]?.through).toBe(last);
  });

  it('K1 K3 reports a failure before the commit as not stored, after it as stored', async () => {
    let point = '';
    const faults = {
      hit(at: string) {
        if (at === point) throw new Error(`stopped at ${at}`);
      },
    };
    const store = await opened(join(scratch(), 'collector.db'), { faults });
    point = 'store.commit';
    await expect(store.write((tx) => tx.setMeta('a', '1'))).rejects.toThrow('store.commit');
    expect(await store.read.meta('a')).toBeNull();
    point = 'store.committed';
    await expect(store.write((tx) => tx.setMeta('a', '1'))).rejects.toThrow('store.committed');
    expect(await store.read.meta('a')).toBe('1');
  });

  it('tells of appended leaves after the commit only', async () => {
    const told: number[] = [];
    const store = await opened(join(scratch(), 'collector.db'), {
      appended: (through) => told.push(through),
    });
    await put(store, [1, 2]);
    await expect(store.write((tx) => tx.appendLeaves([leaf(2)]))).rejects.toThrow();
    await store.write((tx) => tx.setMeta('a', '1'));
    expect(told).toEqual([2]);
  });

  it('leaves no byte of a dropped part in any file (secure_delete)', async () => {
    const path = join(scratch(), 'collector.db');
    const store = await openStore(path);
    await put(store, [1, 2, 3], [group]);
    const body = Buffer.from('M4RK'.repeat(71));
    await store.write((tx) => tx.addParts([1, 2, 3].map((pos) => part(pos, { wrap: null, body }))));
    await store.write((tx) => tx.dropGroups([group]));
    await store.close();
    const found = readdirSync(join(path, '..')).filter((name) =>
      readFileSync(join(path, '..', name)).includes('M4RKM4RK'),
    );
    expect(found).toEqual([]);
  });

  it('keeps the files to their owner', async () => {
    const path = join(scratch(), 'collector.db');
    await opened(path);
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
  });

  it('keeps the WAL small however much is written', async () => {
    const path = join(scratch(), 'collector.db');
    const store = await opened(path);
    await store.write((tx) => tx.putLogs([logRow()]));
    for (let seq = 0; seq < 300_000; seq += 1_000) {
      await store.write((tx) => tx.appendLeaves(Array.from({ length: 1_000 }, (_, i) => leaf(seq + i + 1))));
    }
    expect(statSync(`${path}-wal`).size).toBeLessThanOrEqual(66 * 1024 * 1024);
  });

  it('K5 says store.corrupt for damaged bytes, and quarantine keeps them', async () => {
    const path = join(scratch(), 'collector.db');
    const store = await openStore(path);
    await put(store, [1, 2, 3]);
    await store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4096, 12_288);
    writeFileSync(path, bytes);
    await expect(openStore(path)).rejects.toMatchObject({ code: 'store.corrupt', exit: 'integrity' });
    const kept = quarantineStore(path);
    expect(kept).toBe(`${path}.quarantined-1`);
    expect(readFileSync(kept).equals(bytes)).toBe(true);
    const fresh = await opened(path);
    expect(await fresh.read.lastPos()).toBe(0);
    expect(readdirSync(join(path, '..')).filter((name) => name.includes('quarantined'))).toHaveLength(1);
  });

  it('K5 says store.corrupt for a file that is no database', async () => {
    const path = join(scratch(), 'collector.db');
    writeFileSync(path, 'not a database, not by a long way'.repeat(300));
    await expect(openStore(path)).rejects.toMatchObject({ code: 'store.corrupt' });
  });

  it('K5 finishes a quarantine that a crash interrupted, under the same number', async () => {
    const path = join(scratch(), 'collector.db');
    await (await openStore(path)).close();
    writeFileSync(`${path}.quarantined-1-wal`, 'moved already');
    await expect(openStore(path)).rejects.toMatchObject({ code: 'store.corrupt' });
    expect(quarantineStore(path)).toBe(`${path}.quarantined-1`);
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(`${path}.quarantined-1-wal`, 'utf8')).toBe('moved already');
  });

  it('K3 says store.full, to be tried again, keeps what was there, and stores once there is room', async () => {
    const path = join(scratch(), 'collector.db');
    // A limit of pages on the writing connection: what SQLite does on a full disk, without one.
    const limit = { version: 998, sql: 'PRAGMA max_page_count = 120' };
    const store = await openStore(path, { steps: [...migrations(), limit] });
    await put(store, [1]);
    const many = Array.from({ length: 5_000 }, (_, i) => leaf(i + 2));
    const failed = store.write((tx) => tx.appendLeaves(many));
    await expect(failed).rejects.toMatchObject({ code: 'store.full', retryable: true });
    expect(await store.read.lastPos()).toBe(1);
    await store.write((tx) => tx.setMeta('a', '1'));
    await store.close();
    const again = await opened(path);
    expect((await again.write((tx) => tx.appendLeaves(many))).at(-1)).toBe(5_001);
  });

  it('K6 opens the database of a newer version and keeps what it does not know', async () => {
    const path = join(scratch(), 'collector.db');
    const later = 'ALTER TABLE agents ADD COLUMN later INTEGER; CREATE TABLE later (a ANY) STRICT';
    const first = await openStore(path, { steps: [...migrations(), { version: 999, sql: later }] });
    await put(first, [1]);
    await first.close();
    const store = await openStore(path);
    await store.write((tx) => tx.appendLeaves([leaf(2)]));
    expect(await store.read.lastPos()).toBe(2);
    await store.close();
    expect(pragma(path, 'user_version')).toBe(999);
  });

  it('leaves the version before it where a migration fails', async () => {
    const path = join(scratch(), 'collector.db');
    const newest = migrations().at(-1)?.version ?? 0;
    const bad = [
      ...migrations(),
      { version: newest + 1, sql: 'CREATE TABLE half (a ANY) STRICT; CREATE NONSENSE' },
    ];
    await expect(openStore(path, { steps: bad })).rejects.toMatchObject({ code: 'store.failed' });
    expect(pragma(path, 'user_version')).toBe(newest);
    expect(pragma(path, 'table_info(half)')).toBeUndefined();
  });

  it('refuses to write after close, and closes twice', async () => {
    const store = await openStore(join(scratch(), 'collector.db'));
    await store.close();
    await store.close();
    await expect(store.write(async () => 1)).rejects.toMatchObject({ code: 'store.closed' });
  });
});
