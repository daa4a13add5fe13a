/** The link on real sockets and real TLS, against a scripted collector and the agent's real journal. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import type { AgentIdentity } from '../../agent/types.ts';
import type { Doer } from '../../agent/uplink/commands.ts';
import type { LinkDeps } from '../../agent/uplink/conversation.ts';
import { Link } from '../../agent/uplink/link.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { signGroup } from '../../protocol/group.ts';
import { type GroupId, newId } from '../../protocol/ids.ts';
import { x25519Private } from '../../protocol/seal.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { systemClock, utcMs } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { beat, identity as plainIdentity, type World, world } from './support.ts';

let collector: CollectorDouble;
const links: Link[] = [];

beforeEach(async () => {
  collector = await CollectorDouble.start();
});
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.stop()));
  await collector.stop();
});

function identityFor(change: Partial<AgentIdentity> = {}): AgentIdentity {
  return {
    ...plainIdentity(),
    url: collector.url,
    collectorName: collector.name,
    identity: collector.identity,
    ca: collector.ca.ca,
    ...change,
  };
}

/** An agent's journal and its link; `world.reopen()` stands for a restart. */
function agentOf(change: Partial<AgentIdentity> = {}, more: Partial<LinkDeps> = {}, from?: World) {
  const w = from ?? world({ identity: identityFor(change), key: newSigningKey() });
  const link = new Link({
    identity: w.options.identity,
    key: w.options.key,
    journal: w.journal,
    clock: systemClock,
    random: randomBytes,
    jitter: () => 0,
    software: { version: '0.1.0', platform: 'test', node: '26' },
    proxy: null,
    faults: {},
    log: silentLog,
    readThrough: () => utcMs(1_000_000),
    statusBody: () => ({ sources: [] }),
    doers: {},
    changed: () => {},
    ...more,
  });
  links.push(link);
  return { w, link };
}

const beats = (count: number) => Array.from({ length: count }, () => beat);
const stored = (log: string) => (collector.logs.get(log)?.hashes.length ?? 1) - 1;
const openLog = (w: World) => w.journal.logs().find((log) => log.open)?.log ?? '';

test('U1 U3: everything that was waiting arrives once, in order, and is acked', async () => {
  const { w, link } = agentOf();
  w.journal.append(beats(1200));
  link.start();
  const log = openLog(w);
  await collector.until(() => stored(log) === 1200);
  await expect.poll(() => w.journal.backlog()).toBe(0);
  expect(collector.frames[0]?.t).toBe('hello');
  expect(collector.frames[1]?.t).toBe('proof');
  expect(collector.peak.events).toBeLessThanOrEqual(1000);
  expect(link.status()).toMatchObject({ state: 'live', problem: null, attempts: 0 });
  expect(Math.abs(link.status().skewMs ?? Number.NaN)).toBeLessThan(86_400_000);
});

test('a lone event goes at once, and the beat that follows covers it', async () => {
  const { w, link } = agentOf();
  link.start();
  await expect.poll(() => link.status().state).toBe('live');
  w.journal.append([beat]);
  await collector.until(() => stored(openLog(w)) === 1);
  link.caughtUp();
  const covering = await collector.until(() => collector.frame('beat').find(({ next }) => next === 2));
  expect(covering.readThrough).toBe('1970-01-01T00:16:40.000Z');
});

test('U2: no more than the window is ever in flight', async () => {
  collector.script = { acks: false, credits: { events: 7, bytes: 5_000 } };
  const { w, link } = agentOf();
  w.journal.append(beats(100));
  link.start();
  await collector.until(() => stored(openLog(w)) === 7);
  expect(w.journal.backlog()).toBe(100);
  const line = collector.lines[0];
  collector.script = {};
  if (line !== undefined) {
    line.inFlight = { events: 0, bytes: 0 };
    line.send({ t: 'ack', log: openLog(w), through: 7 });
  }
  await collector.until(() => stored(openLog(w)) === 100);
  expect(collector.peak.events).toBeLessThanOrEqual(7);
  expect(collector.peak.bytes).toBeLessThanOrEqual(5_000);
});

test('T1: an impostor with a good certificate gets nothing but hello', async () => {
  collector.script = { impostor: newSigningKey() };
  const { w, link } = agentOf();
  w.journal.append(beats(3));
  link.start();
  await collector.until(() => collector.closes.includes(CLOSE.notProven));
  expect(new Set(collector.frames.map(({ t }) => t))).toEqual(new Set(['hello']));
  expect(link.status().problem).toMatchObject({ code: 'collector.not-proven' });
  expect(link.status().problem?.hint).toContain('enrol');
});

test('T1: the right key under another name gets nothing but hello', async () => {
  collector.script = { challengeName: 'other.example' };
  const { link } = agentOf();
  link.start();
  await collector.until(() => collector.closes.includes(CLOSE.notProven));
  expect(collector.frame('proof')).toEqual([]);
});

test('another CA, or a certificate for another host, is not accepted', async () => {
  const other = await CollectorDouble.start({ ip: ['127.0.0.9'] });
  const wrongCa = agentOf({ ca: other.ca.ca });
  const wrongName = agentOf({ url: other.url, ca: other.ca.ca });
  wrongCa.link.start();
  wrongName.link.start();
  await expect.poll(() => wrongCa.link.status().problem?.code).toBe('collector.certificate');
  await expect.poll(() => wrongName.link.status().problem?.code).toBe('collector.certificate');
  expect(collector.lines).toEqual([]);
  expect(other.lines).toEqual([]);
  await Promise.all([wrongCa.link.stop(), wrongName.link.stop()]);
  await other.stop();
});

test('a plain ws:// address is refused, loopback included', async () => {
  const { link } = agentOf({ url: collector.url.replace('wss:', 'ws:') });
  link.start();
  await expect.poll(() => link.status().problem?.code).toBe('collector.url');
  expect(collector.lines).toEqual([]);
});

test('U7: a broken link comes back by itself and goes on where the collector is', async () => {
  const { w, link } = agentOf();
  w.journal.append(beats(10));
  link.start();
  await collector.until(() => stored(openLog(w)) === 10);
  collector.lines[0]?.socket.terminate();
  w.journal.append(beats(5));
  await collector.until(() => stored(openLog(w)) === 15);
  expect(collector.lines.length).toBeGreaterThan(1);
  expect(collector.logs.size).toBe(1);
});

test('U7: a collector that is not there is asked again until it is', async () => {
  const port = collector.port;
  const { w, link } = agentOf();
  await collector.stop();
  w.journal.append(beats(2));
  link.start();
  await expect.poll(() => link.status().problem?.code).toBe('collector.unreachable');
  expect(link.status().problem?.hint).toContain('firewall');
  collector = await CollectorDouble.start({ port });
  // Another collector on the old port is no collector of ours.
  await expect.poll(() => link.status().problem?.code).toBe('collector.certificate');
});

test('a refusal is shown with its own words, and asked again', async () => {
  let refusals = 0;
  collector.script = {
    onHello(line) {
      refusals += 1;
      if (refusals > 1) return false;
      line.send({
        t: 'refuse',
        code: 'agent.waiting',
        message: 'not approved',
        hint: 'approve',
        retryAfter: 0,
      });
      line.socket.close(CLOSE.tryLater);
      return true;
    },
  };
  const { link } = agentOf();
  link.start();
  await collector.proven();
  expect(link.status().problem).toMatchObject({ code: 'agent.waiting', hint: 'approve' });
});

test('U14: an agent that was rolled back opens a successor that names its predecessor', async () => {
  const first = agentOf();
  first.w.journal.append(beats(4));
  first.link.start();
  const old = openLog(first.w);
  await collector.until(() => stored(old) === 4);
  // The collector has two leaves more: this state directory is an older copy.
  const log = collector.logs.get(old);
  log?.hashes.push('A'.repeat(43), 'B'.repeat(43));
  first.w.journal.append([beat]);
  collector.lines.at(-1)?.socket.terminate();
  await collector.until(() => collector.logs.size === 2);
  const successor = [...collector.logs.values()].at(-1)?.birth;
  expect(successor).toMatchObject({
    reason: 'restored',
    predecessor: { log: old, size: 6, head: 'B'.repeat(43) },
  });
  await collector.until(() => stored(successor?.log ?? '') > 0);
});

test('U15: a collector that was restored is filled up again', async () => {
  const { w, link } = agentOf();
  w.journal.append(beats(6));
  link.start();
  const log = openLog(w);
  await expect.poll(() => w.journal.backlog()).toBe(0);
  const kept = collector.logs.get(log);
  kept?.hashes.splice(3);
  collector.generation = newId(randomBytes);
  collector.lines.at(-1)?.socket.close(CLOSE.generationChanged);
  await collector.until(() => stored(log) === 6);
  expect(collector.frame('proof').at(-1)?.offer).toEqual([]);
  await expect.poll(() => link.status().generation).toBe(collector.generation);
});

test('U14: a quarantined log is ended and a new one begun', async () => {
  const { w, link } = agentOf();
  w.journal.append(beats(2));
  link.start();
  const old = openLog(w);
  const log = await collector.until(() => stored(old) === 2 && collector.logs.get(old));
  log.state = 'quarantined';
  collector.lines.at(-1)?.socket.close(CLOSE.logRefused);
  await collector.until(() => collector.logs.size === 2);
  expect([...collector.logs.values()].at(-1)?.birth.reason).toBe('quarantined');
});

test('groups are taken only with the signature of the identity key', async () => {
  const { w, link } = agentOf();
  const spec = {
    group: newId<'group'>(randomBytes),
    kind: 'late' as const,
    agreement: w.options.identity.agreement,
    class: 'session' as const,
    from: null,
    to: null,
    key: publicText(x25519Private(randomBytes(32))),
  };
  collector.groups = [signGroup(collector.identityKey, spec)];
  link.start();
  await expect.poll(() => w.journal.heldGroups().map(({ group }) => group)).toEqual([spec.group]);
  const forged = signGroup(newSigningKey(), { ...spec, group: newId<'group'>(randomBytes) });
  collector.lines.at(-1)?.send({ t: 'groups', add: [forged], dead: [] });
  await collector.until(() => collector.closes.includes(CLOSE.badFrame));
  await collector.until(() => collector.lines.length === 2);
  collector.lines.at(-1)?.send({ t: 'groups', add: [], dead: [spec.group] });
  await collector.until(() => collector.lines.length > 0);
  expect(w.journal.heldGroups().some(({ group }) => group === (forged.group as GroupId))).toBe(false);
});

test('U11 U12: commands take effect once, in order, whatever is repeated', async () => {
  let selftests = 0;
  const selftest: Doer = async () => {
    selftests += 1;
    return { outcome: 'done', body: { findings: 0 } };
  };
  const { w, link } = agentOf({}, { doers: { selftest } });
  link.start();
  const line = await collector.proven();
  await expect.poll(() => link.status().state).toBe('live');
  line.send(collector.command(1, 'selftest'));
  line.send(collector.command(1, 'selftest'));
  line.send(collector.command(2, 'hold.place'));
  line.send({ t: 'query', id: newId(randomBytes), verb: 'recording.query', body: {} });
  await collector.until(() => collector.frame('result').length === 4);
  const answers = collector.frame('result').filter(({ n }) => n !== null);
  expect(answers.map(({ n, ok, body }) => [n, ok, body.outcome])).toEqual([
    [1, true, 'done'],
    [1, true, 'applied-before'],
    [2, false, 'unsupported'],
  ]);
  expect(selftests).toBe(1);
  expect(w.journal.applied()).toEqual({ generation: collector.generation, n: 2 });
  await collector.until(() => stored(openLog(w)) === 2);
});

test('U11: a hole, a foreign agent and a wrong signature are closed, never carried out', async () => {
  const { w, link } = agentOf();
  link.start();
  const bad = [
    () => collector.command(3, 'selftest'),
    () => collector.command(1, 'selftest', { agent: newId(randomBytes) }),
    () => collector.command(1, 'selftest', { verb: 'source.rescan' }),
  ];
  for (const [at, make] of bad.entries()) {
    const line = await collector.proven(at);
    await expect.poll(() => link.status().state).toBe('live');
    line.send(make());
    await collector.until(() => collector.closes.length > at);
  }
  expect(collector.closes.slice(0, 3)).toEqual([CLOSE.outOfOrder, CLOSE.notProven, CLOSE.notProven]);
  expect(w.journal.applied().n).toBe(0);
});

test('frames that are none, or have no place, end the connection with their own code', async () => {
  const { link } = agentOf();
  link.start();
  const bad: [string, number][] = [
    ['{', CLOSE.badFrame],
    ['{"t":"nonsense"}', CLOSE.unknownFrame],
    [JSON.stringify({ t: 'ack', log: newId(randomBytes), through: 5 }), CLOSE.badFrame],
  ];
  for (const [at, [text, code]] of bad.entries()) {
    const line = await collector.proven(at);
    await expect.poll(() => link.status().state).toBe('live');
    line.socket.send(text);
    await collector.until(() => collector.closes.length > at);
    expect(collector.closes[at]).toBe(code);
  }
});

test('U10: after stop nothing leaves, and the collector sees a close on purpose', async () => {
  const { w, link } = agentOf();
  w.journal.append([beat]);
  link.start();
  await expect.poll(() => w.journal.backlog()).toBe(0);
  await link.stop();
  const before = collector.frames.length;
  w.journal.append([beat]);
  await collector.until(() => collector.closes.includes(CLOSE.goingAway));
  expect(link.status().state).toBe('stopped');
  expect(collector.frames.length).toBe(before);
});

test('a stop while nobody answers gives the socket up at once', async () => {
  const mute = createTcpServer();
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const met = once(mute, 'connection');
  const { link } = agentOf({ url: `wss://127.0.0.1:${(mute.address() as AddressInfo).port}` });
  link.start();
  const [socket] = (await met) as [Socket];
  const gone = once(socket.resume(), 'close');
  await link.stop();
  await gone;
  await new Promise((resolve) => mute.close(resolve));
});

test('U15: a closed log that a restored collector lost a part of is filled up too', async () => {
  const { w, link } = agentOf();
  w.journal.append(beats(4));
  link.start();
  const old = openLog(w);
  const log = await collector.until(() => stored(old) === 4 && collector.logs.get(old));
  await expect.poll(() => w.journal.backlog()).toBe(0);
  log.state = 'quarantined';
  collector.lines.at(-1)?.socket.close(CLOSE.logRefused);
  await collector.until(() => collector.logs.size === 2);
  await expect.poll(() => w.journal.backlog()).toBe(0);
  log.state = 'open';
  log.hashes.splice(2);
  collector.generation = newId(randomBytes);
  collector.lines.at(-1)?.socket.close(CLOSE.generationChanged);
  await collector.until(() => stored(old) === 4);
});

test('an HTTP proxy that takes CONNECT is a way through', async () => {
  const seen: string[] = [];
  const proxy = await startProxy(seen);
  const { link } = agentOf({}, { proxy: `http://127.0.0.1:${proxy.port}` });
  link.start();
  await collector.proven();
  expect(seen).toEqual([`127.0.0.1:${collector.port}`]);
  await link.stop();
  await proxy.stop();
});

async function startProxy(seen: string[]) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((_ask, answer) => answer.writeHead(405).end());
  server.on('connect', (ask, socket: Socket) => {
    seen.push(String(ask.url));
    const [host, port] = String(ask.url).split(':');
    const out = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      out.pipe(socket).pipe(out);
    });
    for (const one of [socket, out]) sockets.add(one.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

test('U17 samples leave on a live link only, and not while an event waits', async () => {
  const { w, link } = agentOf();
  const sample = { at: 1, cpuPermille: null, memUsedPermille: 1, memTotalMb: 1, uptimeSeconds: 1, disks: [] };
  expect([link.live(), link.sendSamples([sample])]).toEqual([null, false]);
  collector.script.acks = false;
  w.journal.append([beat]);
  link.start();
  await expect.poll(() => link.live()).toBe(1);
  expect(link.sendSamples([sample])).toBe(false);
  w.journal.acked(w.journal.logs()[0]?.log as never, 1);
  await expect.poll(() => link.sendSamples([sample])).toBe(true);
  await collector.until(() => collector.frame('telemetry').length > 0);
  expect(collector.frame('telemetry')[0]?.samples).toEqual([sample]);
  const line = await collector.proven();
  line.socket.terminate();
  await expect.poll(() => link.live(), { timeout: 20_000 }).toBe(2);
});
