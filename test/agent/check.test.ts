/** `agent check` on state that is whole, and on state that is broken in one way at a time. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkState } from '../../agent/check.ts';
import { openDatabase } from '../../agent/db.ts';
import { ensureStateDir } from '../../agent/files.ts';
import { ensureAgentKey } from '../../agent/keys.ts';
import { lockState } from '../../agent/lock.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { beat, ended, group, started, stateDir, type World, world } from './support.ts';

function filled(): World {
  const w = world();
  w.journal.addGroups([group('late').signed]);
  const source = w.journal.sourceId('a source');
  for (let n = 0; n < 10; n += 1) {
    const row = started(source);
    w.journal.append([beat, row, ended(row.data.session)], [{ source, state: `{"n":${n}}` }]);
  }
  return w;
}

const codes = async (w: World) => (await checkState(w.dir)).findings.map(({ code, count }) => [code, count]);

/** Changes the database behind the agent's back. */
function tamper(w: World, sql: string): void {
  w.journal.close();
  const db = openDatabase(join(w.dir, 'agent.db'));
  db.pragma('foreign_keys = OFF');
  db.exec(sql);
  db.close();
  for (const suffix of ['', '-wal', '-shm']) rmMode(join(w.dir, `agent.db${suffix}`));
}

function rmMode(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch {
    // Not there after a clean close.
  }
}

it('finds nothing wrong beside a running agent, after a restart, and after pruning', async () => {
  const w = filled();
  const lock = lockState(w.dir);
  expect(await checkState(w.dir)).toEqual({
    schema: 1,
    ok: true,
    running: true,
    neverRun: false,
    findings: [],
  });
  lock.release();
  const { log } = w.journal.logs()[0]!;
  w.journal.acked(log, 20);
  w.clock.advance(31 * DAY_MS);
  w.journal.prune();
  expect(await codes(w)).toEqual([]);
  w.journal.succeed(log, 'restored', { size: 20, head: null });
  expect(await codes(w)).toEqual([]);
  w.journal.close();
  expect(await checkState(w.dir)).toMatchObject({ ok: true, running: false });
});

const UTF8 = 'UPDATE leaves SET bytes =';
const BROKEN: [string, string, [string, number][]][] = [
  ['a leaf that was changed', `${UTF8} replace(bytes, 'tick', 'tack') WHERE seq = 4`, [['chain.hash', 1]]],
  ['a leaf that is not canonical', `${UTF8} bytes || ' ' WHERE seq = 4`, [['chain.not-canonical', 1]]],
  ['a leaf that is gone', 'DELETE FROM leaves WHERE seq = 4', [['chain.hole', 1]]],
  ['the newest leaf gone', 'DELETE FROM leaves WHERE seq = 30', [['chain.end', 1]]],
  ['a head that is not the last hash', 'UPDATE logs SET head = zeroblob(32)', [['chain.head', 1]]],
  [
    'an unacked beginning gone',
    'DELETE FROM parts WHERE seq < 4; DELETE FROM leaves WHERE seq < 4',
    [['chain.hole', 3]],
  ],
  [
    'a birth that was changed',
    `UPDATE logs SET birth = replace(birth, 'enrolled', 'moved')`,
    [['log.birth-signature', 1]],
  ],
  ['a part without its wrap', 'DELETE FROM wraps', [['part.without-wrap', 10]]],
  ['a part beside no leaf', 'UPDATE parts SET seq = 900 WHERE seq = 2', [['part.without-leaf', 1]]],
  ['a part of another event', 'UPDATE parts SET seq = 1 WHERE seq = 2', [['part.not-in-leaf', 1]]],
  [
    'parts of a dead group',
    `UPDATE groups SET state = 'dead'`,
    [
      ['part.of-dead-group', 10],
      ['wrap.of-dead-group', 1],
    ],
  ],
  ['a reading position that says nothing', `UPDATE sources SET cursor = '{'`, [['source.cursor', 1]]],
];

for (const [name, sql, expected] of BROKEN) {
  it(`A1 finds ${name}`, async () => {
    const w = filled();
    tamper(w, sql);
    expect(await codes(w)).toEqual(expected);
  });
}

it('A1 finds a damaged and a missing database, and says so as a finding', async () => {
  const w = filled();
  w.journal.close();
  writeFileSync(join(w.dir, 'agent.db'), Buffer.alloc(20_000, 0x41), { mode: 0o600 });
  expect(await codes(w)).toEqual([['database.corrupt', 1]]);
  rmSync(join(w.dir, 'agent.db'));
  expect(await codes(w)).toEqual([['database.missing', 1]]);
});

it('A1 finds open modes, a missing ballast, foreign keys and a log.json of another log', async () => {
  const w = filled();
  w.journal.close();
  chmodSync(join(w.dir, 'agent.key'), 0o644);
  rmSync(join(w.dir, 'ballast'));
  writeFileSync(join(w.dir, 'log.json'), '{}');
  rmSync(join(w.dir, 'digest.key'));
  expect((await codes(w)).sort()).toEqual([
    ['file.mode', 1],
    ['file.no-ballast', 1],
    ['key.digest', 1],
    ['log.file', 1],
  ]);
});

/** What `agent enrol` leaves, and `agent run` has not seen yet. */
function enrolled(): string {
  const dir = stateDir();
  ensureStateDir(dir);
  ensureAgentKey(dir);
  lockState(dir).release();
  writeFileSync(join(dir, 'agent.json'), '{}', { mode: 0o600 });
  return dir;
}

it('A4 enrolled and never run: no finding, and it says so', async () => {
  expect(await checkState(enrolled())).toEqual({
    schema: 1,
    ok: true,
    running: false,
    neverRun: true,
    findings: [],
  });
});

it.each(['ballast', 'log.json', 'digest.key', 'agent.db-wal', 'agent.db.quarantined-1'])(
  'A4 with %s it has run: what is lost is missed',
  async (name) => {
    const dir = enrolled();
    writeFileSync(join(dir, name), '{}', { mode: 0o600 });
    const report = await checkState(dir);
    expect(report).toMatchObject({ ok: false, neverRun: false });
    expect(report.findings.map(({ code }) => code)).toContain('database.missing');
  },
);

it('A1 never run is no excuse for an open mode or a lost key', async () => {
  const dir = enrolled();
  chmodSync(join(dir, 'agent.json'), 0o644);
  rmSync(join(dir, 'agent.key'));
  const { neverRun, findings } = await checkState(dir);
  expect([neverRun, findings.map(({ code }) => code)]).toEqual([true, ['file.mode', 'key.agent']]);
});
