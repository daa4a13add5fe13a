/** An old log, read by an agent that was enrolled after an earlier agreement of its site had ended. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { silentLog } from '../../../agent/log.ts';
import type { PumpChain } from '../../../agent/pump-chain.ts';
import { chainOf } from '../../../agent/sessions/chains.ts';
import { MINUTE_MS, type UtcMs, utcMs } from '../../../protocol/time.ts';
import { records, row } from '../../fixtures/teamviewer.ts';
import { group, LIMITS, openAll, world } from '../support.ts';
import {
  at,
  ENROLLED,
  failed,
  login,
  logout,
  type SshdRig,
  type SshdRigOptions,
  sshdRig,
} from './sshd-world.ts';

/** When the earlier agreement ended. */
const END = at('2026-10-15T12:00:00.000Z');
const OLD = at('2026-10-14T10:00:00.000Z');
const NEW = at('2026-10-20T10:00:00.000Z');

const chains: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of chains.splice(0)) await one.stop();
});

function open(o: SshdRigOptions = {}): SshdRig {
  const rig = sshdRig({ readFrom: () => END, ...o });
  chains.push({ stop: () => rig.chain.stop() });
  return rig;
}
const passed = (r: Pick<SshdRig, 'ofType'>) =>
  r.ofType('source.skipped').filter(({ reason }) => reason === 'before-agreement');

const pair = (from: number, pid: number) => login(from, pid) + logout(from + MINUTE_MS, pid);

it('B14, U19 what ended before is not told: sessions and refusals are counted once, also over a restart', async () => {
  const old = Array.from({ length: 300 }, (_, i) => pair(OLD + i * 2 * MINUTE_MS, 100 + i)).join('');
  const r = open({ content: old + failed(OLD, 90) + pair(NEW, 9_000) });
  await r.chain.turn();
  await r.chain.turn();
  await r.restart();
  await r.drain();
  expect(r.ofType('session.started')).toMatchObject([{ startedAt: '2026-10-20T10:00:00.000Z' }]);
  expect(r.ofType('session.rejected')).toEqual([]);
  expect(passed(r)).toMatchObject([{ count: 301, reason: 'before-agreement', offset: 0 }]);
  expect(r.chain.status()[0]).toMatchObject({ skipped: 301, rows: 1 });
});

it('B14 who was there when it ended is told, whether they left since or not', async () => {
  const r = open({ content: login(END - MINUTE_MS, 1) + login(END - MINUTE_MS, 2) + logout(END, 1) });
  await r.drain();
  expect(r.ofType('session.started')).toHaveLength(2);
  expect(r.ofType('session.ended')).toMatchObject([{ endedAt: '2026-10-15T12:00:00.000Z' }]);
  expect(passed(r)).toEqual([]);
});

it('B14 what is put back into the log later is passed over too, and counted with the step that read it', async () => {
  const r = open({ content: pair(NEW, 1) });
  await r.drain();
  r.write(pair(OLD, 2) + pair(OLD + 5 * MINUTE_MS, 3));
  await r.drain();
  await r.restart();
  await r.drain();
  expect(r.ofType('session.started')).toHaveLength(1);
  expect(passed(r)).toMatchObject([{ count: 2, offset: null }]);
});

it('B14 beside B6: each is counted under its own name', async () => {
  const r = open({ content: pair(OLD, 1) + pair(NEW, 2) + pair(ENROLLED + MINUTE_MS, 3), startFrom: 'now' });
  await r.drain();
  expect(r.ofType('session.started')).toHaveLength(1);
  expect(r.ofType('source.skipped').map(({ reason, count }) => [reason, count])).toEqual([
    ['before-enrolment', 1],
    ['before-agreement', 1],
  ]);
});

it('B14 a bound that comes while a session is open does not unsay it', async () => {
  let bound: UtcMs | null = null;
  const r = open({ content: login(OLD, 1), readFrom: () => bound });
  await r.drain();
  bound = END;
  await r.restart();
  r.write(logout(OLD + MINUTE_MS, 1));
  await r.drain();
  expect(r.ofType('session.ended')).toMatchObject([{ session: r.ofType('session.started')[0]?.session }]);
  expect(passed(r)).toEqual([]);
});

it('B14, U2 every session is told or counted, whatever the log and wherever the bound lies', async () => {
  const minute = fc.integer({ min: 0, max: 60 });
  const spans = fc.array(fc.tuple(minute, fc.integer({ min: 0, max: 30 })), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(spans, minute, fc.boolean(), async (found, bound, stops) => {
      const from = utcMs(OLD + bound * MINUTE_MS);
      const lines = found.flatMap(([start, length], i) => [
        { at: start, text: login(OLD + start * MINUTE_MS, i + 1) },
        { at: start + length, text: logout(OLD + (start + length) * MINUTE_MS, i + 1) },
      ]);
      const text = lines.sort((a, b) => a.at - b.at).map((one) => one.text);
      const r = open({ content: text.slice(0, text.length / 2).join(''), readFrom: () => from });
      await r.drain();
      if (stops) await r.restart();
      r.write(text.slice(text.length / 2).join(''));
      await r.drain();
      await r.chain.stop();
      const ended = r.ofType('session.ended').map(({ endedAt }) => Date.parse(String(endedAt)));
      const count = passed(r).reduce((sum, one) => sum + Number(one.count), 0);
      expect(r.ofType('session.started').length + count).toBe(found.length);
      // What was open at the end of the file is told, however it goes on.
      const openThen = found.filter(([start, length]) => start + length < bound).length - count;
      expect(ended.filter((one) => one < from).length).toBe(openThen);
    }),
    { numRuns: 25 },
  );
});

function rowsRig(content: string, readFrom: UtcMs | null, sealFrom: UtcMs | null = null) {
  const w = world({ sealFrom: () => sealFrom });
  const path = join(dirname(w.dir), 'Connections_incoming.txt');
  writeFileSync(path, content);
  const late = group('late');
  w.journal.addGroups([late.signed]);
  const { journal, clock } = w;
  const source = journal.sourceId(`teamviewer:${path}`);
  const chain: PumpChain = chainOf(
    {
      ...{ journal, clock, log: silentLog, random: randomBytes, mode: 'managed', enrolledAt: ENROLLED },
      ...{ digestKey: w.options.digestKey, found() {}, readFrom: () => readFrom },
      machine: { zone: 'UTC', ownIps: [], uptimeMs: () => 1e12 },
    },
    {
      ...{ type: 'teamviewer', startFrom: 'beginning', matches: null, logs: [] },
      rows: [{ source, path, word: 'connections', direction: 'incoming' }],
    },
  );
  chains.push(chain);
  return {
    path,
    late,
    async drain() {
      while ((await chain.turn()) === 'more');
    },
    out() {
      const open = journal.logs().find((one) => one.open);
      const frame = open === undefined ? null : journal.outgoing(open.log, 0, LIMITS);
      const events = (frame?.events ?? []).map((text) => JSON.parse(text));
      return { events, parts: frame === null ? [] : openAll(frame, [late], new Map()) };
    },
  };
}
const dated = (day: number) => ({ start: `${day}-10-2026 10:00:00`, end: `${day}-10-2026 10:05:00` });

it('B15, U19 rows that ended before are counted; the others keep their occurrence', async () => {
  const text = records([14, 14, 20, 20].map((day) => row({ peerId: '123456789', ...dated(day) })));
  const r = rowsRig(text, END);
  await r.drain();
  appendFileSync(r.path, records([row({ peerId: '987654321', ...dated(13) })]));
  await r.drain();
  const { events } = r.out();
  const told = events.filter(({ type }) => type === 'session.started').map(({ data }) => data);
  expect(told).toMatchObject([{ occurrence: 0 }, { occurrence: 1 }]);
  const skips = events.filter(({ type }) => type === 'source.skipped').map(({ data }) => data.count);
  expect(skips).toEqual([2, 1]);
});

it('K6 what began in a span that was erased is told, and nothing of it is sealed', async () => {
  const text = records([14, 20].map((day) => row({ peerId: '123456789', ...dated(day) })));
  const r = rowsRig(text, null, END);
  await r.drain();
  const { events, parts } = r.out();
  const started = events.filter(({ type }) => type === 'session.started');
  expect(started.map(({ pii }) => pii.length)).toEqual([0, 1]);
  expect(parts.map(({ p }) => p)).toMatchObject([{ peerId: '123456789' }]);
});
