/** Metrics and health of an agent, over real sockets. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { enrol, type Handle, run } from '../../agent/main.ts';
import { watchAgent } from '../../agent/metrics.ts';
import { tokenText } from '../../protocol/enrolment.ts';
import { type DataClass, type GroupKind, signGroup } from '../../protocol/group.ts';
import { newId } from '../../protocol/ids.ts';
import { x25519Private } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { HOUR_MS, MINUTE_MS, systemClock, utcMs } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { parseExposition, type Read, valueIn } from '../support/exposition.ts';
import { stateDir, world } from './support.ts';

let collector: CollectorDouble;
const running: Handle[] = [];
beforeEach(async () => {
  collector = await CollectorDouble.start();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((handle) => handle.stop()));
  await collector.stop();
});

const ROW =
  '123456789\tmarker-peer\t22-11-2030 07:00:00\t22-11-2030 07:10:00\tmarker-user\tRemoteControl\t{A}\t';

async function started(metrics?: string): Promise<{ handle: Handle; file: string; state: string }> {
  const state = stateDir();
  const token = collector.token();
  const make = (kind: GroupKind, cls: DataClass) =>
    signGroup(collector.identityKey, {
      group: newId<'group'>(randomBytes),
      kind,
      agreement: token.agreement as never,
      class: cls,
      from: null,
      to: null,
      key: publicText(x25519Private(randomBytes(32))),
    });
  collector.groups = [make('late', 'session'), make('whole', 'host.name')];
  await enrol({ state, token: tokenText(token) });
  const file = join(dirname(state), 'Connections_incoming.txt');
  const config = join(dirname(state), 'agent.yaml');
  writeFileSync(file, '');
  writeFileSync(config, JSON.stringify({ sources: [{ type: 'teamviewer', connectionsIncoming: file }] }));
  const handle = await run({ state, config, signals: false, log: silentLog, metrics });
  running.push(handle);
  return { handle, file, state };
}

/** Waits until `look` is true, for what happens a moment after its cause. */
async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const told = async (handle: Handle): Promise<Read[]> =>
  parseExposition(await (await fetch(`http://${handle.metrics}/metrics`)).text());

test('X11 what was acked, what waits and how the link is; nothing of what was read', async () => {
  const { handle, file } = await started('127.0.0.1:0');
  appendFileSync(file, `\n${ROW}`);
  const value = async (name: string) => valueIn(await told(handle), `tilsyn_agent_${name}`);
  await until(async () => (await value('acked')) > 3 && (await value('spool_rows')) === 0);
  const read = await told(handle);
  const now = (name: string) => valueIn(read, `tilsyn_agent_${name}`);
  expect([now('link_up'), now('reconnects_total'), now('gaps_total')]).toEqual([1, 0, 0]);
  expect(now('oldest_unacked_seconds')).toBe(0);
  expect(now('memory_bytes')).toBeGreaterThan(10_000_000);
  expect(Math.abs(now('skew_seconds'))).toBeLessThan(60);
  expect(now('sources')).toBe(1);
  const text = JSON.stringify(read);
  for (const word of ['marker', '123456789', dirname(file), handle.status().agent])
    expect(text).not.toContain(word);
  const health = await fetch(`http://${handle.metrics}/health`);
  expect([health.status, await health.json()]).toMatchObject([
    200,
    { ok: true, checks: { link: { ok: true }, spool: { ok: true }, sources: { ok: true, troubled: 0 } } },
  ]);
});

test('without a collector the link is down, what waits has an age, and after a while the agent is not well', async () => {
  const { handle, file } = await started('127.0.0.1:0');
  await until(() => handle.status().collector.state === 'live');
  await collector.stop();
  appendFileSync(file, `\n${ROW}`);
  const value = async (name: string) => valueIn(await told(handle), `tilsyn_agent_${name}`);
  await until(async () => (await value('link_up')) === 0 && (await value('spool_rows')) > 0);
  expect((await fetch(`http://${handle.metrics}/health`)).status).toBe(200);
  const now = systemClock.now();
  const looks = {
    clock: { ...systemClock, now: () => now },
    status: () => handle.status(),
    waitingSince: () => null,
    gaps: () => 2,
    pulse: () => ({ lives: 3, downMs: null }),
    memory: () => 1,
  };
  const well = await watchAgent(looks).health();
  expect(well.ok).toBe(true);
  const down = await watchAgent({ ...looks, pulse: () => ({ lives: 3, downMs: 16 * MINUTE_MS }) }).health();
  expect(down).toMatchObject({ ok: false, checks: { link: { ok: false, downSeconds: 960 } } });
  const waits = await watchAgent({ ...looks, waitingSince: () => utcMs(now - 2 * HOUR_MS) }).health();
  expect(waits).toMatchObject({ ok: false, checks: { spool: { ok: false, oldestUnackedSeconds: 7200 } } });
  const metrics = await watchAgent(looks).metrics();
  expect(metrics.find(({ name }) => name === 'tilsyn_agent_reconnects_total')?.value).toBe(2);
});

test('a loss is counted where it was told, and not where that could not be stored', () => {
  let broken = false;
  const faults = {
    hit: (point: string) => {
      if (broken && point === 'agent.append.before-commit') throw new Error('broken on purpose');
    },
  };
  const { journal } = world({ faults });
  const data = {
    source: null,
    log: journal.openLog() ?? '',
    from: 1,
    to: 2,
    count: 1,
    reason: 'database-lost' as const,
    fromAt: null,
    toAt: null,
  };
  journal.append([{ type: 'journal.gap', data }]);
  broken = true;
  expect(() => journal.append([{ type: 'journal.gap', data }])).toThrow();
  broken = false;
  expect(journal.gaps()).toBe(1);
});

test('X12 off by default, refused beyond loopback, and gone with the agent', async () => {
  const { handle } = await started();
  expect(handle.metrics).toBeNull();
  await expect(started('192.0.2.1:9464')).rejects.toMatchObject({ code: 'metrics.address' });
  const other = await started('127.0.0.1:0');
  await other.handle.stop();
  await expect(fetch(`http://${other.handle.metrics}/health`)).rejects.toThrow();
});
