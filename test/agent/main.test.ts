/** The whole agent, from enrolment to a session at a scripted collector, through what `main.ts` exports. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askAgent } from '../../agent/control-client.ts';
import { silentLog } from '../../agent/log.ts';
import { check, enrol, type Handle, run, status, stop } from '../../agent/main.ts';
import { tokenText } from '../../protocol/enrolment.ts';
import { type DataClass, type GroupKind, signGroup } from '../../protocol/group.ts';
import { newId } from '../../protocol/ids.ts';
import { x25519Private } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { systemClock, utcMs } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { stateDir } from './support.ts';

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

interface Place {
  state: string;
  config: string;
  file: string;
}

async function enrolled(): Promise<Place> {
  const state = stateDir();
  const token = collector.token();
  const key = () => publicText(x25519Private(randomBytes(32)));
  const make = (kind: GroupKind, cls: DataClass) =>
    signGroup(collector.identityKey, {
      group: newId<'group'>(randomBytes),
      kind,
      agreement: token.agreement as never,
      class: cls,
      from: null,
      to: null,
      key: key(),
    });
  collector.groups = [make('late', 'session'), make('whole', 'host.name')];
  await enrol({ state, token: tokenText(token) });
  const file = join(dirname(state), 'Connections_incoming.txt');
  const config = join(dirname(state), 'agent.yaml');
  writeFileSync(file, '');
  const source = { type: 'teamviewer', connectionsIncoming: file };
  writeFileSync(config, JSON.stringify({ sources: [source] }));
  return { state, config, file };
}

async function start({ state, config }: Place): Promise<Handle> {
  const handle = await run({ state, config, signals: false, log: silentLog });
  running.push(handle);
  return handle;
}

const types = () =>
  [...collector.logs.values()].flatMap(({ events }) => events.map((text) => JSON.parse(text).type as string));
const leaves = () =>
  [...collector.logs.values()].flatMap(({ events }) => events.map((text) => JSON.parse(text)));

test('a session in the file arrives sealed at the collector, and coverage follows', async () => {
  const place = await enrolled();
  const handle = await start(place);
  await collector.until(() => types().includes('host.named'));
  appendFileSync(place.file, `\n${ROW}`);
  await collector.until(() => types().includes('session.ended'));
  const ended = leaves().find(({ type }) => type === 'session.ended');
  await collector.until(() => collector.frame('beat').some(({ next }) => next > ended.seq));
  expect(types()).toEqual(
    expect.arrayContaining(['agent.started', 'source.added', 'session.started', 'session.ended']),
  );
  const wire = JSON.stringify(collector.frames);
  for (const personal of ['marker-peer', 'marker-user', '123456789']) expect(wire).not.toContain(personal);
  expect(handle.status()).toMatchObject({
    running: true,
    collector: { state: 'live', problem: null },
    sources: [{ type: 'teamviewer', state: 'caught-up', rows: 1, file: place.file }],
  });
});

test('every source of the configuration stands in the status, also without its file, or a reader', async () => {
  const place = await enrolled();
  const absent = `${place.file}.absent`;
  const sources = [
    { type: 'recordings', root: '/srv/nvr', layout: 'frigate' },
    { type: 'sshd', match: 'all', path: absent },
    { type: 'declared', spec: 'x11vnc', path: `${absent}.too` },
    { type: 'teamviewer', connectionsIncoming: place.file },
  ];
  writeFileSync(place.config, JSON.stringify({ sources }));
  const handle = await start(place);
  await expect.poll(() => handle.status().sources.map(({ state }) => state)).toContain('caught-up');
  expect(handle.status().sources.map(({ type, state }) => [type, state])).toEqual([
    ['sshd', 'no-file'],
    ['declared', 'no-file'],
    ['teamviewer', 'caught-up'],
    ['recordings', 'not-accepted'],
  ]);
});

test('R70 a source that lists nobody is a finding: told once, shown in the status and by the check', async () => {
  const place = await enrolled();
  const sshd = { type: 'sshd', path: join(dirname(place.state), 'auth.log') };
  const listed = { accounts: [], keys: [], networks: [] };
  writeFileSync(sshd.path, '');
  const write = (source: object) =>
    writeFileSync(place.config, JSON.stringify({ sources: [{ ...sshd, ...source }] }));
  write({ match: 'listed', listed });
  const told = () => leaves().filter(({ data }) => data.check === 'nobody-listed');
  for (let n = 0; n < 2; n += 1) {
    const handle = await start(place);
    await collector.until(() => told().length > 0);
    await collector.until(() => collector.frame('beat').length > 0);
    expect(handle.status().sources).toMatchObject([
      { type: 'sshd', problem: expect.stringContaining('nobody') },
    ]);
    const { findings } = await check({ state: place.state });
    expect(findings).toContainEqual({ check: 'source', code: 'source.nobody-listed', count: 1 });
    await handle.stop();
  }
  expect(told().map(({ data }) => data)).toMatchObject([{ check: 'nobody-listed', tool: 'sshd', count: 1 }]);
  // Without an agent that runs it is read where it is named.
  const codes = async () => (await check(place)).findings.map(({ code }) => code);
  expect(await codes()).toContain('source.nobody-listed');
  write({ match: 'listed', listed: { ...listed, accounts: ['support'] } });
  expect(await codes()).not.toContain('source.nobody-listed');
});

test('the host is named once in a log, not at each start', async () => {
  const place = await enrolled();
  await (await start(place)).stop();
  const handle = await start(place);
  await collector.until(() => types().filter((type) => type === 'agent.started').length === 2);
  await handle.stop();
  expect(types().filter((type) => type === 'host.named').length).toBe(1);
  expect(types().filter((type) => type === 'source.added').length).toBe(1);
});

test('a stop says so, sends it, and gives everything back', async () => {
  const place = await enrolled();
  const handle = await start(place);
  await expect.poll(() => handle.status().collector.state).toBe('live');
  await handle.stop();
  await handle.stopped;
  expect(types().at(-1)).toBe('agent.stopped');
  expect(existsSync(join(place.state, 'control.sock'))).toBe(false);
  await (await start(place)).stop();
});

test('the control socket answers status, check, rescan and stop', async () => {
  const place = await enrolled();
  const handle = await start(place);
  expect(await status(place)).toMatchObject({ running: true, agent: handle.status().agent });
  expect(await check(place)).toHaveProperty('findings');
  expect(await askAgent(place.state, 'rescan')).toEqual({ sources: 1 });
  await stop(place);
  await handle.stopped;
  expect(await status(place)).toMatchObject({ running: false, enrolled: true, agent: handle.status().agent });
  expect(await check(place)).toHaveProperty('findings');
});

test('without enrolment, or with another agent running, the start says so', async () => {
  const bare = join(stateDir(), 'none');
  const refused = await run({ state: bare, signals: false, log: silentLog }).catch((error) => error);
  expect(refused).toMatchObject({ code: 'agent.not-enrolled' });
  expect(refused.hint).toContain('tilsyn agent enrol');
  const place = await enrolled();
  await start(place);
  const second = await run({ state: place.state, signals: false, log: silentLog }).catch((error) => error);
  expect(second).toMatchObject({ code: 'state.locked', exit: 'conflict' });
});

test('a configuration that is not there, or not right, is a usage error before anything starts', async () => {
  const place = await enrolled();
  const missing = await run({ ...place, config: join(place.state, 'no.yaml'), signals: false }).catch(
    (e) => e,
  );
  expect(missing).toMatchObject({ code: 'config.missing', exit: 'usage' });
  writeFileSync(place.config, 'sorces: []\n');
  const wrong = await run({ ...place, signals: false, log: silentLog }).catch((e) => e);
  expect(wrong.code).toBe('config.invalid');
  await expect(status(place)).resolves.toMatchObject({ running: false });
});

test('a start that fails half-way gives the lock back', async () => {
  const place = await enrolled();
  const blocked = join(place.state, 'control.sock');
  mkdirSync(blocked);
  const failed = await run({ ...place, signals: false, log: silentLog }).catch((e) => e);
  expect(failed.code).toMatch(/^state\./);
  const again = await run({ ...place, signals: false, log: silentLog }).catch((e) => e);
  expect(again.code).toBe(failed.code);
});

test('a signal stops it in order and the process ends by itself; a kill leaves nothing in the way', async () => {
  const place = await enrolled();
  const code = `const { run } = await import(${JSON.stringify(new URL('../../agent/main.ts', import.meta.url).href)});
    await run(${JSON.stringify({ state: place.state, config: place.config })}); process.stdout.write('ready');`;
  const begin = async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    return child;
  };
  const killed = await begin();
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  const child = await begin();
  child.kill('SIGTERM');
  const [exit] = await once(child, 'exit');
  expect(exit).toBe(0);
  await (await start(place)).stop();
  expect(types().filter((type) => type === 'agent.started').length).toBe(3);
  expect(types().filter((type) => type === 'agent.stopped').length).toBe(2);
});

test('selftest and source.rescan are carried out; nothing else is', async () => {
  const place = await enrolled();
  const handle = await start(place);
  const line = await collector.proven();
  await expect.poll(() => handle.status().collector.state).toBe('live');
  for (const [i, verb] of ['selftest', 'source.rescan', 'agreement.end'].entries()) {
    line.send(collector.command(i + 1, verb));
  }
  await collector.until(() => collector.frame('result').length === 3);
  expect(collector.frame('result').map(({ ok }) => ok)).toEqual([true, true, false]);
});

test('M1 S2 after the effective date nothing is read, measured or told of the machine, also by the next start', async () => {
  const place = await enrolled();
  const clock = { ...systemClock };
  const begin = async () => {
    const handle = await run({ ...place, signals: false, log: silentLog, clock });
    running.push(handle);
    return handle;
  };
  const first = await begin();
  await collector.until(() => types().includes('host.named'));
  appendFileSync(place.file, `\n${ROW}`);
  await collector.until(() => types().includes('session.ended'));
  await expect.poll(() => first.status().telemetry.kept).toBeGreaterThan(0);
  // The date comes unseen by any timer, as over a machine that slept.
  const agreement = first.status().agreement as string;
  const line = await collector.proven();
  const soon = Date.now() + 3_600_000;
  line.send(collector.command(1, 'agreement.end', {}, { agreement, effectiveAt: soon }));
  await collector.until(() => collector.frame('result').length === 1);
  clock.now = () => utcMs(Date.now() + 4_000_000);
  const kept = first.status().telemetry.kept;
  const before = types().length;
  appendFileSync(place.file, ROW.replace('{A}', '{B}'));
  expect(await askAgent(place.state, 'rescan')).toEqual({ sources: 0 });
  await first.stop();
  const lines = collector.lines.length;
  const second = await begin();
  const next = await collector.proven(lines);
  expect(await askAgent(place.state, 'rescan')).toEqual({ sources: 0 });
  next.send(collector.command(2, 'agreement.erase', {}, { agreement }));
  await collector.until(() => collector.frame('result').length === 2);
  expect(collector.frame('result').map(({ ok }) => ok)).toEqual([true, true]);
  expect(kept).toBeGreaterThan(0);
  expect(second.status().telemetry).toMatchObject({ kept: 0, unsent: 0, last: null });
  await second.stop();
  // What it says of itself: that it stopped and started, and what it was ordered to do.
  const own = ['agent.stopped', 'agent.started', 'command.applied'];
  expect(
    types()
      .slice(before)
      .filter((type) => !own.includes(type)),
  ).toEqual([]);
  expect(
    types()
      .slice(before)
      .filter((type) => type === 'command.applied').length,
  ).toBe(1);
  const third = await begin();
  expect([third.status().telemetry.kept, third.status().sources]).toEqual([0, []]);
});
