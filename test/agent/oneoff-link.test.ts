/** Keys of one-off sessions on the link: handed over once on each connection, and erasures before everything else. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { Link } from '../../agent/uplink/link.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { FRAME_KEYS } from '../../protocol/frame.ts';
import { newSigningKey } from '../../protocol/sign.ts';
import { systemClock, utcMs } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { beat, ended, identity as plainIdentity, started, type World, world } from './support.ts';

let collector: CollectorDouble;
const links: Link[] = [];

beforeEach(async () => {
  collector = await CollectorDouble.start();
});
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.stop()));
  await collector.stop();
});

function oneOffAgent() {
  const { url, name: collectorName, identity } = collector;
  const mode = plainIdentity('one-off');
  const own = { ...mode, url, collectorName, identity, ca: collector.ca.ca };
  const w = world({ identity: own, key: newSigningKey() });
  const link = new Link({
    ...{ identity: own, key: w.options.key, journal: w.journal, clock: systemClock, random: randomBytes },
    jitter: () => 0,
    software: { version: '0.1.0', platform: 'test', node: '26' },
    ...{ proxy: null, faults: {}, log: silentLog, doers: {} },
    readThrough: () => utcMs(1_000_000),
    statusBody: () => ({ sources: [] }),
    changed: () => {},
  });
  links.push(link);
  return { w, link };
}

const session = (w: World) => started(w.journal.sourceId('a source'));
const keysIn = (t: 'status' | 'batch') =>
  collector.frame(t).flatMap((frame) => ('keys' in frame ? (frame.keys ?? []) : []));

test('K5: a key travels with the first batch that names its group, and not with the next', async () => {
  const { w, link } = oneOffAgent();
  link.start();
  await expect.poll(() => link.status().state).toBe('live');
  const one = session(w);
  w.journal.append([one]);
  await expect.poll(() => w.journal.backlog()).toBe(0);
  const data = { session: one.data.session, auth: null, failedAttempts: null, files: null, confirmedBy: [] };
  w.journal.append([{ type: 'session.updated', data, personal: { localUser: 'someone' } }]);
  await expect.poll(() => w.journal.backlog()).toBe(0);
  expect(keysIn('batch')).toEqual(w.journal.oneoffKeys());
  expect(keysIn('status')).toEqual([]);
  const offered = collector.frame('proof').flatMap(({ offer }) => offer ?? []);
  expect(offered.filter(({ kind }) => kind === 'oneoff')).toEqual([]);
});

test('X14: on each new connection all that live are handed over, also where no batch names them', async () => {
  const { w, link } = oneOffAgent();
  w.journal.append(Array.from({ length: FRAME_KEYS + 3 }, () => session(w)));
  link.start();
  await expect.poll(() => w.journal.backlog()).toBe(0);
  expect(keysIn('status')).toEqual(w.journal.oneoffKeys());
  expect(collector.frame('status').map(({ keys }) => keys?.length)).toEqual([FRAME_KEYS, 3]);
  expect(keysIn('batch')).toEqual([]);
  collector.frames.length = 0;
  collector.lines.at(-1)?.socket.close(CLOSE.outOfOrder);
  await collector.until(() => collector.frame('status').length >= 2);
  expect(keysIn('status')).toEqual(w.journal.oneoffKeys());
  const [hello] = collector.frame('hello');
  expect(hello?.groups.length).toBe(FRAME_KEYS + 3);
});

test('X14 U6: more new sessions at once than a frame holds keys: the rest goes before the batch', async () => {
  const { w, link } = oneOffAgent();
  link.start();
  await expect.poll(() => link.status().state).toBe('live');
  collector.frames.length = 0;
  w.journal.append(Array.from({ length: 2 * FRAME_KEYS }, () => session(w)));
  await expect.poll(() => w.journal.backlog()).toBe(0);
  const all = [...keysIn('status'), ...keysIn('batch')].map(({ group }) => group);
  expect(new Set(all)).toEqual(new Set(w.journal.oneoffKeys().map(({ group }) => group)));
  expect(all.length).toBe(2 * FRAME_KEYS);
  const known = new Set<string>();
  for (const frame of collector.frames) {
    if (frame.t === 'status' || frame.t === 'batch')
      for (const { group } of frame.keys ?? []) known.add(group);
    if (frame.t === 'batch') expect(frame.parts.every(({ group }) => known.has(group))).toBe(true);
  }
});

test('U6 S1: what ends is told of before all that waits, without credits, and until it is confirmed', async () => {
  const { w, link } = oneOffAgent();
  const one = session(w);
  w.journal.append([one]);
  link.start();
  await expect.poll(() => w.journal.backlog()).toBe(0);
  const group = w.journal.oneoffKeys()[0]?.group ?? '';
  collector.script.acks = false;
  w.journal.append(Array.from({ length: 3_000 }, () => beat));
  await collector.until(() => collector.frame('batch').length > 1);
  w.journal.append([ended(one.data.session)]);
  await collector.until(() => collector.frame('erase').length > 0);
  expect(collector.frame('erase')).toEqual([{ t: 'erase', groups: [group] }]);
  await expect.poll(() => w.journal.erasedHere()).toEqual([]);
  expect(w.journal.backlog()).toBeGreaterThan(2_000);
});
