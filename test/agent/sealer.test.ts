/** What is sealed, under which group, with which key. Parts are opened as the collector opens them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Draft } from '../../agent/types.ts';
import { CONTENT_KEY_MS } from '../../protocol/seal.ts';
import { utcMs } from '../../protocol/time.ts';
import {
  beat,
  ended,
  group,
  identity,
  LIMITS,
  openAll,
  started,
  type TestGroup,
  type World,
  world,
} from './support.ts';

const MARKERS = ['1660360496', 'peer-marker', 'user-marker', 'hunter2'];

function sealed(w: World, groups: TestGroup[]) {
  const { log } = w.journal.logs().find((one) => one.open)!;
  const known = new Map<string, Buffer>();
  const out = [];
  for (let after = 0; ; ) {
    const frame = w.journal.outgoing(log, after, LIMITS);
    if (frame === null) return { parts: out, wraps: known.size };
    out.push(...openAll(frame, groups, known));
    after = frame.lastSeq;
  }
}

const source = (w: World) => w.journal.sourceId('a source');

const updated = (session: string, groupAt: number): Draft<'session.updated'> => ({
  type: 'session.updated',
  data: { session, auth: null, failedAttempts: null, files: null, confirmedBy: ['logfile'] },
  personal: { localUser: 'user-marker' },
  groupAt: utcMs(groupAt),
});

it('K1 nothing personal and no key lies on the disk in clear; the collector opens every part', () => {
  const w = world();
  const span = group('span');
  w.journal.addGroups([span.signed]);
  const personal = {
    peerId: '1660360496',
    peerNames: ['peer-marker password=hunter2'],
    localUser: 'user-marker',
  };
  const start = started(source(w), { personal });
  w.journal.append([start, ended(start.data.session)]);
  const [part] = sealed(w, [span]).parts;
  expect(part?.p).toMatchObject({ peerId: '1660360496', localUser: 'user-marker' });
  expect(JSON.stringify(part?.p)).not.toContain('hunter2');
  for (const name of readdirSync(w.dir)) {
    const bytes = readFileSync(join(w.dir, name));
    for (const marker of MARKERS) expect(bytes.includes(marker)).toBe(false);
  }
});

it('K4 secrets are dropped before sealing, and counted', () => {
  const w = world();
  w.journal.addGroups([group('late').signed]);
  w.journal.append([started(source(w), { personal: { peerNames: ['password=hunter2', 'no secret'] } })]);
  expect(w.journal.counted('secrets-dropped')).toBe(1);
  expect(w.reopen().journal.counted('secrets-dropped')).toBe(1);
});

it('K4 the mark of a dropped secret never makes a field longer than its allow-list says', () => {
  const w = world();
  w.journal.addGroups([group('late').signed]);
  const long = `${'n'.repeat(500)} pwd=abc1234`.slice(0, 512);
  w.journal.append([started(source(w), { personal: { peerNames: [long] } })]);
  expect(w.journal.backlog()).toBe(1);
});

it('K5 a one-off machine keeps nothing personal of a session that is over, and needs no group', () => {
  const w = world({ identity: identity('one-off') });
  const start = started(source(w));
  w.journal.append([start, ended(start.data.session)]);
  const { log } = w.journal.logs()[0]!;
  const out = w.journal.outgoing(log, 0, LIMITS)!;
  expect(out.parts).toEqual([]);
  expect(JSON.parse(out.events[0] ?? '').pii).toEqual([]);
});

it('without a group for its class an event waits, and nothing is stored', () => {
  const w = world();
  w.journal.addGroups([group('late', 'host.name').signed]);
  expect(() => w.journal.append([beat, started(source(w))])).toThrow(
    expect.objectContaining({ code: 'seal.no-group', retryable: true }),
  );
  expect(w.journal.backlog()).toBe(0);
});

it('G1 the span of the start is used; another span falls to the newest late group', () => {
  const w = world();
  const [span, oldLate, late] = [group('span'), group('late'), group('late')];
  w.journal.addGroups([span.signed, oldLate.signed]);
  w.journal.addGroups([late.signed]);
  w.journal.append([started(source(w)), started(source(w), { groupAt: utcMs(Date.UTC(2026, 8, 1)) })]);
  const { parts } = sealed(w, [span, oldLate, late]);
  expect(parts.map((part) => part.group)).toEqual([span.id, late.id]);
});

it('host names lie under the group of the whole agreement', () => {
  const w = world();
  const [whole, span] = [group('whole', 'host.name'), group('span')];
  w.journal.addGroups([whole.signed, span.signed]);
  w.journal.append([{ type: 'host.named', data: {}, personal: { name: 'host-marker' } } as Draft]);
  expect(sealed(w, [whole, span]).parts).toMatchObject([{ group: whole.id, p: { name: 'host-marker' } }]);
});

it('K2 all events of a session use the group of its first one, also after a restart', () => {
  const first = world();
  const [span, late] = [group('span'), group('late')];
  first.journal.addGroups([late.signed, span.signed]);
  const start = started(source(first));
  const { session } = start.data;
  const other = Date.UTC(2027, 0, 1);
  first.journal.append([start, updated(session, other)]);
  const w = first.reopen();
  w.journal.append([updated(session, other)]);
  w.journal.append([ended(session)]);
  w.journal.append([updated(session, other)]);
  const used = sealed(w, [span, late]).parts.map((part) => part.group);
  expect(used).toEqual([span.id, span.id, span.id, late.id]);
});

it('K2 once that group is dead, the session falls to its span or late', () => {
  const w = world();
  const [span, late] = [group('span'), group('late')];
  w.journal.addGroups([late.signed, span.signed]);
  const start = started(source(w));
  w.journal.append([start]);
  w.journal.deadGroups([span.id]);
  w.journal.append([updated(start.data.session, Date.UTC(2026, 10, 22))]);
  expect(sealed(w, [late]).parts.map((part) => part.group)).toEqual([late.id]);
});

it('a content key serves one hour, then another one is made', () => {
  const w = world();
  const late = group('late');
  w.journal.addGroups([late.signed]);
  w.journal.append([started(source(w))]);
  w.clock.advance(CONTENT_KEY_MS - 1);
  w.journal.append([started(source(w))]);
  expect(sealed(w, [late]).wraps).toBe(1);
  w.clock.advance(1);
  w.journal.append([started(source(w))]);
  expect(sealed(w, [late])).toMatchObject({ wraps: 2, parts: [{ seq: 1 }, { seq: 2 }, { seq: 3 }] });
});

it('K3 a key whose wrap was rolled back is never used again', () => {
  let crash = true;
  const faults = {
    hit(point: string) {
      if (crash && point === 'agent.append.before-commit') throw new Error('crash');
    },
  };
  const w = world({ faults });
  const late = group('late');
  w.journal.addGroups([late.signed]);
  expect(() => w.journal.append([started(source(w))])).toThrow();
  crash = false;
  w.journal.append([started(source(w))]);
  expect(sealed(w, [late])).toMatchObject({ wraps: 1, parts: [{ seq: 1 }] });
});

it('E2 a field that is not on the allow-list is refused', () => {
  const w = world();
  w.journal.addGroups([group('late').signed]);
  const personal = { peerId: '1', rawLine: 'x' } as never;
  expect(() => w.journal.append([started(source(w), { personal })])).toThrow(
    expect.objectContaining({ code: 'event.invalid' }),
  );
});

it('S3 after a group is erased no byte of its parts and wraps is in any file', () => {
  const w = world();
  const [dying, late] = [group('span'), group('late')];
  w.journal.addGroups([dying.signed, late.signed]);
  for (let n = 0; n < 30; n += 1) {
    w.journal.append([started(source(w)), started(source(w), { groupAt: utcMs(Date.UTC(2026, 8, 1)) })]);
  }
  const { log } = w.journal.logs()[0]!;
  const frame = w.journal.outgoing(log, 0, LIMITS)!;
  const bodies = [...frame.parts, ...frame.wraps]
    .filter((one) => one.group === dying.id)
    .map((one) => Buffer.from(one.body, 'base64url'));
  expect(bodies).toHaveLength(31);
  w.journal.deadGroups([dying.id]);
  for (const name of readdirSync(w.dir)) {
    const bytes = readFileSync(join(w.dir, name));
    for (const body of bodies) expect(bytes.includes(body.subarray(12, 60))).toBe(false);
  }
  expect(w.journal.outgoing(log, 0, LIMITS)?.parts).toHaveLength(30);
});

it('seals under the newest group of a span: the key of the one before was lost', () => {
  const w = world();
  const [lost, span] = [group('span'), group('span')];
  w.journal.addGroups([lost.signed]);
  w.journal.addGroups([span.signed]);
  w.journal.append([started(source(w), { personal: { localUser: 'user-marker' } })]);
  expect(sealed(w, [span]).parts.map(({ p }) => p)).toMatchObject([{ localUser: 'user-marker' }]);
});
