/** One-off sessions at the agent: what is sealed, with which key, and what is left on the disk when they are over. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { Draft } from '../../agent/types.ts';
import { type GroupId, newId, type SessionId } from '../../protocol/ids.ts';
import { openPart } from '../../protocol/seal.ts';
import { beat, ended, group, identity, LIMITS, started, type World, world } from './support.ts';

const oneOff = () => world({ identity: identity('one-off') });
const source = (w: World) => w.journal.sourceId('a source');
const log = (w: World) => w.journal.logs().find((one) => one.open)!.log;
const frame = (w: World, after = 0) => w.journal.outgoing(log(w), after, LIMITS);

/** A session of this mode on whatever machine. */
function start(
  w: World,
  mode: 'managed' | 'one-off' = 'one-off',
  personal: object | null = { peerId: 'peer-1' },
) {
  const draft = started(source(w), { personal: personal as never });
  draft.data.mode = mode;
  return draft;
}

const updated = (session: string): Draft<'session.updated'> => ({
  type: 'session.updated',
  data: {
    session: session as SessionId,
    auth: null,
    failedAttempts: null,
    files: null,
    confirmedBy: ['logfile'],
  },
  personal: { localUser: 'user-marker' },
});

/** Every byte of the state directory; the database's own files as they lie there now. */
function disk(w: World): Buffer {
  return Buffer.concat(readdirSync(w.dir).map((name) => readFileSync(join(w.dir, name))));
}

function partsIn(w: World): number {
  const db = new Sqlite(join(w.dir, 'agent.db'), { readonly: true });
  const { n } = db.prepare('SELECT count(*) AS n FROM parts').get() as { n: number };
  db.close();
  return n;
}

it('K5 O1 a live one-off session lies under a group of its own, whose key is in memory only', () => {
  const w = oneOff();
  const one = start(w);
  const other = start(w);
  w.journal.append([one, other]);
  w.journal.append([updated(one.data.session)]);
  const out = frame(w)!;
  expect(out.wraps).toEqual([]);
  expect(out.parts.map(({ wrap }) => wrap)).toEqual([null, null, null]);
  const [a, b] = [out.parts[0]!.group, out.parts[1]!.group];
  expect(a).not.toBe(b);
  expect(out.parts[2]!.group).toBe(a);
  expect(new Set(out.keys.map((key) => key.group))).toEqual(new Set([a, b]));
  for (const part of out.parts) {
    const key = Buffer.from(out.keys.find((one) => one.group === part.group)!.key, 'base64url');
    const { pii } = JSON.parse(out.events[part.seq - 1]!) as { pii: { group: string; c: string }[] };
    const place = { log: out.log, seq: part.seq, group: part.group, under: part.group };
    expect(openPart(key, place, pii[0]!.c, Buffer.from(part.body, 'base64url'))?.p).toBeDefined();
    for (const form of [key, key.toString('base64url'), key.toString('hex')]) {
      expect(disk(w).includes(form)).toBe(false);
    }
  }
});

it('O1 its end deletes the parts, zeroes the key and puts the group on the erase lane, in one transaction', () => {
  const w = oneOff();
  const one = start(w);
  w.journal.append([one]);
  const [part] = frame(w)!.parts;
  const body = Buffer.from(part!.body, 'base64url');
  expect(disk(w).includes(body)).toBe(true);
  w.journal.append([ended(one.data.session)]);
  expect(w.journal.erasedHere()).toEqual([part!.group]);
  expect(w.journal.oneoffKeys()).toEqual([]);
  expect(w.journal.heldGroups()).toEqual([]);
  expect(frame(w)).toMatchObject({ parts: [], keys: [], lastSeq: 2 });
  // Also out of the WAL: not a byte of the sealed part is left.
  expect(disk(w).includes(body)).toBe(false);
  w.journal.erasedConfirmed([part!.group]);
  expect(w.reopen().journal.erasedHere()).toEqual([]);
});

it('O1 while somebody reads the database the WAL cannot be emptied, and is a second later', () => {
  const w = oneOff();
  const one = start(w);
  w.journal.append([one]);
  const body = Buffer.from(frame(w)!.parts[0]!.body, 'base64url');
  const reader = new Sqlite(join(w.dir, 'agent.db'), { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM parts').get();
  w.journal.append([ended(one.data.session)]);
  expect(disk(w).includes(body)).toBe(true);
  reader.close();
  w.clock.advance(1_000);
  expect(disk(w).includes(body)).toBe(false);
});

it('K5 the mode belongs to the session: on a managed machine later events follow it, also when its group is dead', () => {
  const w = world();
  w.journal.addGroups([group('span').signed, group('late').signed]);
  const managed = start(w, 'managed');
  // Nothing personal is known of it at first: it is bound all the same.
  const one = start(w, 'one-off', null);
  w.journal.append([managed, one]);
  w.journal.append([updated(one.data.session)]);
  const out = frame(w)!;
  expect(out.parts.map(({ seq, wrap }) => [seq, wrap === null])).toEqual([
    [1, false],
    [3, true],
  ]);
  w.journal.deadGroups([out.parts[1]!.group]);
  w.journal.append([updated(one.data.session), ended(one.data.session)]);
  expect(frame(w)!.parts.map(({ seq }) => seq)).toEqual([1]);
});

it('K5 what is first seen after its end, or never seen to begin, has an empty pii', () => {
  const w = oneOff();
  const over = start(w);
  w.journal.append([over, updated(over.data.session), ended(over.data.session)]);
  w.journal.append([updated(newId(randomBytes)), beat]);
  const out = frame(w)!;
  expect(out.parts).toEqual([]);
  expect(out.events.every((text) => text.includes('"pii":[]'))).toBe(true);
  expect(w.journal.erasedHere()).toEqual([]);
});

it('O1 a new process ends what the one before knew, and keeps nothing more of a session that goes on', () => {
  const w = oneOff();
  const one = start(w);
  w.journal.append([one]);
  const body = Buffer.from(frame(w)!.parts[0]!.body, 'base64url');
  const dead = frame(w)!.parts[0]!.group;
  const again = w.reopen();
  expect(again.journal.erasedHere()).toEqual([dead]);
  expect(disk(again).includes(body)).toBe(false);
  again.journal.append([updated(one.data.session)]);
  expect(frame(again)).toMatchObject({ parts: [], keys: [] });
  expect(again.journal.heldGroups()).toEqual([]);
});

it('O1 an orderly stop ends them at once', () => {
  const w = oneOff();
  w.journal.append([start(w), start(w)]);
  let told = 0;
  w.journal.onAppend(() => {
    told += 1;
  });
  w.journal.endOneOffs();
  expect(w.journal.erasedHere()).toHaveLength(2);
  expect([partsIn(w), told, w.journal.oneoffKeys().length]).toEqual([0, 1, 0]);
});

it('O1 a successor log ends the groups of sessions that are told anew, and no others', () => {
  const w = oneOff();
  const [kept, lost] = [start(w), start(w)];
  w.journal.append([kept]);
  w.journal.append([lost]);
  const [a, b] = frame(w)!.parts.map((part) => part.group);
  w.journal.acked(log(w), 1);
  w.journal.succeed(log(w), 'restored', { size: 1, head: null });
  expect(w.journal.erasedHere()).toEqual([b]);
  expect(w.journal.oneoffKeys().map((key) => key.group)).toEqual([a]);
});

it('S5 a collector of another generation is told again what died here', () => {
  const w = oneOff();
  const one = start(w);
  w.journal.append([one, beat]);
  const dead = frame(w)!.parts[0]!.group;
  w.journal.append([ended(one.data.session)]);
  w.journal.erasedConfirmed([dead]);
  expect(w.journal.erasedHere()).toEqual([]);
  w.journal.adoptGeneration(newId(randomBytes));
  expect(w.journal.erasedHere()).toEqual([dead]);
});

it('K3 a transaction that fails leaves neither group nor key', () => {
  let crash = true;
  const w = world({
    identity: identity('one-off'),
    faults: {
      hit: (point) => {
        if (crash && point === 'agent.append.before-commit') throw new Error('crash');
      },
    },
  });
  const one = start(w);
  expect(() => w.journal.append([one])).toThrow();
  expect([w.journal.oneoffKeys(), w.journal.heldGroups()]).toEqual([[], []]);
  crash = false;
  w.journal.append([one]);
  const [part] = frame(w)!.parts;
  expect(w.journal.heldGroups().map((held) => held.group as GroupId)).toEqual([part!.group]);
  crash = true;
  // An end that was not stored ends nothing.
  expect(() => w.journal.append([ended(one.data.session)])).toThrow();
  expect(w.journal.oneoffKeys().map((key) => key.group)).toEqual([part!.group]);
  expect(frame(w)!.parts).toHaveLength(1);
});
