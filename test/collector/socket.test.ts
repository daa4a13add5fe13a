import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { resolveAgent, revokeAgent } from '../../collector/agents.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { makeProof } from '../../protocol/handshake.ts';
import { newId } from '../../protocol/ids.ts';
import { newSigningKey } from '../../protocol/sign.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { DoubleLink, http, random } from '../support/agent-double.ts';
import { ownEvents, startWorld, until } from './running.ts';

describe('the handshake', () => {
  it('hello, challenge, proof, welcome with cursors and credits, groups', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    expect(link.welcome).toMatchObject({
      cursors: [{ log: one.chain.log, through: 0, state: 'open' }],
      credits: { events: 1000, bytes: 1024 * 1024 },
      commandsThrough: 0,
    });
    expect(one.groups.map(({ kind }) => kind).sort()).toEqual(['late', 'span', 'span', 'whole']);
    await until(async () => (await world.handle.ctx.store.read.agents.get(one.agent))?.firstSeenAt !== null);
    await link.close();
  });

  it('an unknown agent and a wrong proof are refused', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const stranger = await one.knock({ agent: newId(random) });
    expect(await stranger.refused()).toEqual({ refusal: 'agent.unknown', close: CLOSE.notProven });
    const link = await one.open();
    const hello = one.hello();
    link.send(hello);
    const challenge = await link.next('challenge');
    link.send({ t: 'proof', sig: makeProof(newSigningKey(), hello, challenge, link.channel) });
    expect(await link.refused()).toEqual({ refusal: 'agent.not-proven', close: CLOSE.notProven });
  });

  it('a proof for another channel is worth nothing: nobody in between can relay', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const [link, other] = [await one.open(), await one.open()];
    const hello = one.hello();
    link.send(hello);
    const challenge = await link.next('challenge');
    expect(link.channel).not.toBe(other.channel);
    link.send({ t: 'proof', sig: makeProof(one.key, hello, challenge, other.channel) });
    expect((await link.refused()).close).toBe(CLOSE.notProven);
    await other.close();
  });

  it('T2, S1: frames out of place and replays close the connection', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const hello = one.hello();
    const early = await one.open();
    early.send({ t: 'beat', time: hello.time, readThrough: null, next: 1, backlog: 0 });
    expect((await early.refused()).close).toBe(CLOSE.unexpectedFrame);
    const twice = await one.open();
    twice.send(hello);
    await twice.next('challenge');
    twice.send(hello);
    expect((await twice.refused()).close).toBe(CLOSE.unexpectedFrame);
    const live = await one.connect();
    live.send(hello);
    expect((await live.refused()).close).toBe(CLOSE.unexpectedFrame);
  });

  it('an old proof does not open a new connection', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const first = await one.open();
    const hello = one.hello();
    first.send(hello);
    const challenge = await first.next('challenge');
    const proof = { t: 'proof', sig: makeProof(one.key, hello, challenge, first.channel) };
    first.send(proof);
    await first.next('welcome');
    const second = await one.open();
    second.send(hello);
    await second.next('challenge');
    second.send(proof);
    expect((await second.refused()).close).toBe(CLOSE.notProven);
    await first.close();
  });

  it('not JSON, not as its schema says, binary, unknown type, too large', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const sent = async (send: (link: DoubleLink) => void) => {
      const link = await one.open();
      send(link);
      return (await link.refused()).close;
    };
    expect(await sent((link) => link.text('{'))).toBe(CLOSE.badFrame);
    expect(await sent((link) => link.text('[]'))).toBe(CLOSE.badFrame);
    expect(await sent((link) => link.send({ t: 'hello', agent: 1 }))).toBe(CLOSE.badFrame);
    expect(await sent((link) => link.ws.send(Buffer.from('{}')))).toBe(CLOSE.badFrame);
    expect(await sent((link) => link.send({ t: 'shell' }))).toBe(CLOSE.unknownFrame);
    expect(await sent((link) => link.text('x'.repeat(1024 * 1024 + 1)))).toBe(CLOSE.tooLarge);
    // None of this hurt anybody else.
    await (await one.connect()).close();
  });

  it('S1: who does not prove himself in 10 seconds is closed', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.open();
    link.send(one.hello());
    await link.next('challenge');
    world.clock.advance(10_001);
    expect(await link.closed()).toBe(CLOSE.silent);
  });

  it('S4: who is silent for 75 s is closed; who beats is not, and gets beats', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    const [silent, beating] = [await one.connect(), await two.connect()];
    const { time } = two.hello();
    for (let i = 0; i < 3; i += 1) {
      world.clock.advance(30_001);
      expect((await beating.next('beat')).commandsThrough).toBe(0);
      beating.send({ t: 'beat', time, readThrough: null, next: 1, backlog: i });
      beating.send({ t: 'erase', groups: [newId(random)] });
      await beating.next('erased');
    }
    expect(await silent.closed()).toBe(CLOSE.silent);
    await beating.close();
  });

  it('W1: a log that is another’s, or was not born of this key, is refused', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    const entry = (birth: object) => ({ birth, next: 1, head: 'A'.repeat(43), acked: 0 });
    const tries = [
      entry(two.chain.birth),
      entry(one.birth({}, newSigningKey())),
      entry(one.birth({ agent: two.agent })),
      entry(one.birth({ agreement: 'c'.repeat(32) })),
      entry(one.birth({ log: one.chain.log, reason: 'restored' })),
      // B2: signed, its own, and too large to be kept and read again and again.
      entry(one.birth({ pad: 'x'.repeat(300_000) } as object)),
    ];
    for (const log of tries) {
      const link = await one.knock({ logs: [log] });
      expect(await link.refused()).toEqual({ refusal: 'log.not-its-own', close: CLOSE.logRefused });
    }
  });

  it('P9: a greeting that is larger than any is not even read', async () => {
    const world = await startWorld();
    const one = await world.agent();
    for (const [size, close] of [
      [400_000, CLOSE.tooLarge],
      [1_000_000, 1006],
    ] as const) {
      const link = await one.open();
      link.text(JSON.stringify({ ...one.hello(), pad: 'x'.repeat(size) }));
      expect(await link.closed()).toBe(close);
    }
  });

  it('B2: an agent opens so many logs and no more', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const { store } = world.handle.ctx;
    const [row] = await store.read.logs([one.chain.log]);
    const more = Array.from({ length: 255 }, () => ({ ...row!, log: newId<'log'>(random) }));
    await store.write((tx) => tx.putLogs(more));
    const entry = { birth: one.birth(), next: 1, head: 'A'.repeat(43), acked: 0 };
    const link = await one.knock({ logs: [entry] });
    expect(await link.refused()).toEqual({ refusal: 'log.too-many', close: CLOSE.logRefused });
    expect(await store.read.countLogs(one.agent)).toBe(256);
    await (await one.connect()).close();
  });

  it('B1: a successor is taken in, and its drained predecessor is closed', async () => {
    const world = await startWorld();
    const one = await world.agent();
    await (await one.connect()).close();
    const { log } = one.chain;
    const { Chain } = await import('../support/agent-double.ts');
    const predecessor = { log, size: 0, head: null };
    one.chains.push(new Chain(one.birth({ predecessor, reason: 'restored' })));
    const link = await one.connect();
    expect(link.welcome?.cursors.map(({ state }) => state)).toEqual(['closed', 'open']);
    const [, row] = await world.handle.ctx.store.read.logsOf(one.agent);
    expect(row?.birth.predecessor).toEqual(predecessor);
    await link.close();
  });
});

describe('the port', () => {
  it('P2: another path, another subprotocol, and TLS 1.2 are turned away', async () => {
    const world = await startWorld();
    const { address } = world.handle;
    const opened = (options: object) =>
      DoubleLink.open(address, world.ca, options).then(
        () => 'open',
        (error: Error) => error.message,
      );
    expect(await opened({ path: '/v1/other' })).toContain('404');
    expect(await opened({ protocol: 'tilsyn.v9' })).toContain('400');
    const [host, port] = address.split(':');
    const old = connect({ host: host ?? '', port: Number(port), ca: world.ca, maxVersion: 'TLSv1.2' });
    const [error] = (await once(old, 'error')) as [Error & { code: string }];
    expect(error.code).toMatch(/PROTOCOL_VERSION|ECONNRESET/);
  });

  it('P2 P4: more than 100 connections at once from one address are asked to come later', async () => {
    const world = await startWorld();
    const { address } = world.handle;
    // Half a second after each fifty: half of them find their place in the bucket again.
    let at = world.clock.mono();
    world.clock.mono = () => at;
    const closes: number[] = [];
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const links = await Promise.all(Array.from({ length: 50 }, () => DoubleLink.open(address, world.ca)));
      for (const link of links) {
        // Who is let in is thrown out for this; who is not was told so before.
        link.text('no frame');
        const { code, retryAfter } = await link.next('refuse');
        if (code === 'link.too-many') waits.push(retryAfter ?? 0);
        closes.push(await link.closed());
      }
      at += SECOND_MS / 2;
    }
    expect(closes.filter((code) => code === CLOSE.tryLater)).toHaveLength(50);
    expect(closes.filter((code) => code === CLOSE.badFrame)).toHaveLength(200);
    // P8: of those who are sent away together each is told another time.
    for (const together of [waits.slice(0, 25), waits.slice(25)]) {
      expect(together.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 25 }, (_, i) => 1_000 + i * 10),
      );
    }
    await until(async () => (await ownEvents(world, 'agent.offence')).length > 0);
    // Other requests are served all the same.
    expect((await http(address, world.ca, 'GET', '/v1/health')).status).toBe(200);
  });
});

describe('two sockets, one identity', () => {
  it('A1: the same process again replaces the older socket at once', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const older = await one.connect();
    const newer = await one.connect();
    expect(await older.closed()).toBe(CLOSE.replaced);
    newer.send(one.batch(one.chain.heartbeats(1)));
    await newer.ackThrough(1);
    expect(await ownEvents(world, 'agent.identity-conflict')).toEqual([]);
    await newer.close();
  });

  it('A2: an older socket that does not answer is half-open: replaced, and nobody is accused', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const older = await one.connect();
    // Takes nothing off the wire any more: no pong.
    older.ws.pause();
    const newer = await one.knock({ instance: newId(random) });
    let letIn = false;
    const welcome = newer.next('welcome').then(() => {
      letIn = true;
    });
    await until(() => {
      world.clock.advance(500);
      return letIn;
    });
    await welcome;
    older.ws.resume();
    expect(await older.closed()).toBe(CLOSE.replaced);
    expect(await ownEvents(world, 'agent.identity-conflict')).toEqual([]);
    await newer.close();
  });

  it('A3: two live processes: recorded once, both refused until a person resolves it', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const older = await one.connect();
    const newer = await one.knock({ instance: newId(random) });
    expect(await newer.refused()).toEqual({
      refusal: 'agent.identity-conflict',
      close: CLOSE.identityConflict,
    });
    expect(await older.refused()).toEqual({
      refusal: 'agent.identity-conflict',
      close: CLOSE.identityConflict,
    });
    expect((await (await one.knock()).refused()).close).toBe(CLOSE.identityConflict);
    expect((await ownEvents(world, 'agent.identity-conflict')).length).toBe(1);
    await resolveAgent(world.handle.ctx, one.agent, null);
    await (await one.connect()).close();
    expect((await ownEvents(world, 'agent.resolved')).length).toBe(1);
  });
});

describe('revocation', () => {
  it('A2: closes a live socket and refuses the next one', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    await revokeAgent(world.handle.ctx, one.agent, null);
    expect(await link.refused()).toEqual({ refusal: 'agent.revoked', close: CLOSE.revoked });
    expect(await (await one.knock()).refused()).toEqual({ refusal: 'agent.revoked', close: CLOSE.revoked });
  });

  it('A2: a revoked agent that does not answer the close is cut off', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    link.ws.pause();
    await revokeAgent(world.handle.ctx, one.agent, null);
    const ended = once(link.ws, 'close');
    await until(() => !world.handle.ctx.links.isLive(one.agent));
    link.ws.resume();
    await ended;
  });
});
