/** The door to the agent's own files, and what becomes of a database that is damaged. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDatabase, unhurried } from '../../agent/db.ts';
import {
  ensureStateDir,
  preallocate,
  removeQuarantined,
  requireStateDir,
  writeAtomic,
} from '../../agent/files.ts';
import { readEnrolment } from '../../agent/identity.ts';
import { lockState } from '../../agent/lock.ts';
import { verifyBirth } from '../../protocol/birth.ts';
import { beat, LIMITS, mountTmpfs, stateDir, type World, world } from './support.ts';

const open = (w: World) => w.journal.logs().find((log) => log.open)!;
const firstEvents = (w: World) =>
  w.journal.outgoing(open(w).log, 0, LIMITS)!.events.map((text) => JSON.parse(text));

it('W1 a file is replaced as a whole, left with mode 0600, and no temporary remains', () => {
  const dir = stateDir();
  ensureStateDir(dir);
  const path = join(dir, 'some.json');
  writeAtomic(path, 'one');
  chmodSync(path, 0o644);
  writeFileSync(`${path}.tmp`, 'of an earlier crash');
  writeAtomic(path, 'two');
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(['some.json']);
});

it('W2 the state directory and everything in it is private', () => {
  const w = world();
  w.journal.append([beat]);
  expect(statSync(w.dir).mode & 0o777).toBe(0o700);
  const names = readdirSync(w.dir);
  expect(names).toEqual(expect.arrayContaining(['agent.db', 'agent.db-wal', 'ballast', 'log.json']));
  for (const name of names) expect([name, statSync(join(w.dir, name)).mode & 0o777]).toEqual([name, 0o600]);
});

it('a preallocated file really occupies its bytes', () => {
  const dir = stateDir();
  ensureStateDir(dir);
  preallocate(join(dir, 'ballast'), 100_000, randomBytes);
  const { size, blocks } = statSync(join(dir, 'ballast'));
  expect(size).toBe(100_000);
  expect(blocks * 512).toBeGreaterThanOrEqual(100_000);
});

const DAMAGE: Record<string, (path: string) => void> = {
  'not a database': (path) => writeFileSync(path, Buffer.alloc(40_000, 0x41)),
  'all zero': (path) => writeFileSync(path, Buffer.alloc(40_000)),
  'cut short': (path) => truncateSync(path, 20_000),
  'a page overwritten': (path) => {
    const bytes = readFileSync(path);
    bytes.fill(0xff, 4096 * 3, 4096 * 12);
    writeFileSync(path, bytes);
  },
};

for (const [name, damage] of Object.entries(DAMAGE)) {
  it(`W3 B1 a damaged database (${name}) is set aside and a successor says what was lost`, () => {
    const w = world();
    for (let n = 0; n < 50; n += 1) w.journal.append([beat, beat]);
    const lost = open(w);
    w.journal.close();
    damage(join(w.dir, 'agent.db'));
    const again = world(w.options);
    expect(again.quarantined).toBe(1);
    expect(existsSync(join(w.dir, 'agent.db.quarantined-1'))).toBe(true);
    const { birth } = open(again);
    expect(verifyBirth(birth)).toBe(true);
    expect(birth).toMatchObject({
      agent: lost.birth.agent,
      key: lost.birth.key,
      reason: 'quarantined',
      predecessor: { log: lost.log, size: 0, head: null },
    });
    const events = firstEvents(again);
    expect(events.map((event) => event.type)).toEqual(['agent.restored', 'journal.gap']);
    expect(events[1].data).toMatchObject({ log: lost.log, reason: 'database-lost', count: null });
    again.journal.close();
    damage(join(w.dir, 'agent.db'));
    expect(world(w.options).quarantined).toBe(2);
  });
}

it('W3 a quarantine that was interrupted between two renames is finished', () => {
  const w = world();
  w.journal.append([beat]);
  w.journal.close();
  writeFileSync(join(w.dir, 'agent.db-wal'), 'the rest of it');
  renameSync(join(w.dir, 'agent.db-wal'), join(w.dir, 'agent.db-wal.quarantined-1'));
  const again = world(w.options);
  expect(again.quarantined).toBe(1);
  expect(existsSync(join(w.dir, 'agent.db.quarantined-1'))).toBe(true);
  expect(open(again).birth.reason).toBe('quarantined');
});

it('B1 a database that is simply gone is a loss too, and the enrolled birth is not used twice', () => {
  const w = world();
  w.journal.append([beat]);
  const lost = open(w);
  w.journal.close();
  for (const name of readdirSync(w.dir).filter((one) => one.startsWith('agent.db'))) {
    renameSync(join(w.dir, name), join(w.dir, `taken-${name}`));
  }
  const again = world({ ...w.options, birth: lost.birth });
  expect(open(again).log).not.toBe(lost.log);
  expect(open(again).birth).toMatchObject({ reason: 'quarantined', predecessor: { log: lost.log } });
});

it('B1 log.json that names nothing still tells a loss from a first start', () => {
  const w = world();
  w.journal.close();
  writeFileSync(join(w.dir, 'log.json'), '\0\0\0\0');
  const healed = world(w.options);
  expect(open(healed).birth.reason).toBe('enrolled');
  healed.journal.close();
  writeFileSync(join(w.dir, 'log.json'), '\0\0\0\0');
  for (const name of readdirSync(w.dir).filter((one) => one.startsWith('agent.db'))) {
    renameSync(join(w.dir, name), join(w.dir, `taken-${name}`));
  }
  expect(open(world(w.options)).birth).toMatchObject({ reason: 'quarantined', predecessor: null });
});

it('an enrolled birth is the first log, and openJournal is safe to repeat with it', () => {
  const first = world();
  const { birth } = open(first);
  const w = world({ identity: first.options.identity, birth });
  expect(open(w).birth).toEqual(birth);
  w.journal.append([beat]);
  expect(open(w.reopen()).log).toBe(birth.log);
});

it('Q2 a database of a newer version is opened as it is', () => {
  const w = world();
  w.journal.append([beat]);
  w.journal.close();
  const path = join(w.dir, 'agent.db');
  const db = openDatabase(path);
  db.exec('ALTER TABLE leaves ADD COLUMN of_later TEXT; CREATE TABLE of_later (id INTEGER PRIMARY KEY)');
  db.pragma('user_version = 99');
  db.close();
  const again = world(w.options);
  expect(again.quarantined).toBeNull();
  again.journal.append([beat]);
  expect(again.journal.backlog()).toBe(2);
});

it('Q4 only what can be read again does not wait for the disk, and only until it is done', () => {
  const dir = stateDir();
  ensureStateDir(dir);
  const db = openDatabase(join(dir, 'agent.db'));
  const level = () => db.pragma('synchronous', { simple: true });
  expect(unhurried(db, level)).toBe(1);
  expect(level()).toBe(2);
  const failing = () => {
    throw new Error('inside');
  };
  expect(() => unhurried(db, failing)).toThrow('inside');
  expect(level()).toBe(2);
  db.close();
});

it('Q1 synchronous is FULL, secure_delete on; the fault seam alone can weaken it', () => {
  const dir = stateDir();
  ensureStateDir(dir);
  const db = openDatabase(join(dir, 'agent.db'));
  expect(db.pragma('synchronous', { simple: true })).toBe(2);
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(db.pragma('secure_delete', { simple: true })).toBe(1);
  expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  db.close();
  const weak = openDatabase(join(dir, 'agent.db'), { broken: (law) => law === 'synchronous-off' });
  expect(weak.pragma('synchronous', { simple: true })).toBe(0);
  weak.close();
});

it('a read-only state directory is named as such, with a hint', (context) => {
  const dir = stateDir();
  mountTmpfs(context, dir, 'size=8m,mode=0700');
  const w = world({ dir });
  w.journal.close();
  expect(spawnSync('mount', ['-o', 'remount,ro', dir]).status).toBe(0);
  expect(() => world(w.options)).toThrow(
    expect.objectContaining({ code: 'state.read-only', hint: expect.stringContaining('--state') }),
  );
});

it('W4 a read-only state directory is refused before anything is tried in it, whatever lies there', (context) => {
  for (const [n, before] of [() => {}, (dir: string) => lockState(dir).release()].entries()) {
    const dir = join(stateDir(), String(n));
    mountTmpfs(context, dir, 'size=8m,mode=0700');
    before(dir);
    expect(spawnSync('mount', ['-o', 'remount,ro', dir]).status).toBe(0);
    const refused = expect.objectContaining({ code: 'state.read-only', exit: 'failed' });
    expect(() => ensureStateDir(dir)).toThrow(refused);
    expect(() => lockState(dir)).toThrow(refused);
  }
});

it('W4 a file where the state directory should be is named as such', () => {
  const dir = stateDir();
  ensureStateDir(dir);
  writeFileSync(join(dir, 'file'), '');
  const refused = expect.objectContaining({ code: 'state.not-a-folder', exit: 'usage' });
  for (const path of [join(dir, 'file'), join(dir, 'file', 'below')]) {
    expect(() => ensureStateDir(path)).toThrow(refused);
    expect(() => lockState(path)).toThrow(refused);
    expect(() => readEnrolment(path)).toThrow(refused);
  }
  expect(() => requireStateDir(join(dir, 'file'), 'looking')).toThrow(refused);
  expect(() => requireStateDir(join(dir, 'none'), 'looking')).toThrow(
    expect.objectContaining({ code: 'state.missing', exit: 'notFound' }),
  );
});

it('a state directory of someone else is named as such, with a hint', () => {
  const w = world();
  w.journal.close();
  if (process.getuid?.() !== 0) {
    // Nobody but root can become someone else; what a person may not enter looks the same.
    chmodSync(w.dir, 0);
    const denied = expect.objectContaining({
      code: 'state.denied',
      hint: expect.stringMatching(/^Run the agent as the user/),
    });
    expect(() => openDatabase(join(w.dir, 'agent.db'))).toThrow(denied);
    chmodSync(w.dir, 0o700);
    return;
  }
  const script = `
    import { openDatabase } from ${JSON.stringify(new URL('../../agent/db.ts', import.meta.url).href)};
    // The driver is loaded first: the other user may not be allowed to enter this checkout.
    openDatabase(${JSON.stringify(join(w.dir, 'other.db'))}).close();
    process.setegid(65534); process.seteuid(65534);
    try { openDatabase(${JSON.stringify(join(w.dir, 'agent.db'))}); }
    catch (error) { process.stdout.write(error.code + ' ' + error.hint); }`;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(done.stdout).toMatch(/^state\.denied Run the agent as the user/);
});

it('W3 T31 what was set aside goes with its agreement, and nothing else', () => {
  const w = world();
  w.journal.close();
  writeFileSync(join(w.dir, 'agent.db'), 'no database');
  const again = world(w.options);
  writeFileSync(join(w.dir, 'agent.db-wal.quarantined-3'), 'the rest of another');
  const before = readdirSync(w.dir).filter((name) => !name.includes('.quarantined-'));
  expect(again.quarantined).toBe(1);
  removeQuarantined(join(w.dir, 'agent.db'));
  expect(readdirSync(w.dir).sort()).toEqual(before.sort());
  removeQuarantined(join(w.dir, 'agent.db'));
});
