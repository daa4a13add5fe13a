import { describe, expect, it } from 'vitest';
import { approveAgent, revokeAgent, softwareOf } from '../../collector/agents.ts';
import { Enroller } from '../../collector/enrol.ts';
import type { Store } from '../../collector/store/types.ts';
import { listTokens, revokeToken } from '../../collector/tokens.ts';
import { readToken, tokenText } from '../../protocol/enrolment.ts';
import type { TokenId } from '../../protocol/ids.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { DAY_MS, MINUTE_MS } from '../../protocol/time.ts';
import { AgentDouble, http } from '../support/agent-double.ts';
import { ownEvents, ownTypes, startWorld, until, type World } from './running.ts';

async function double(world: World, token?: string): Promise<AgentDouble> {
  const text = token ?? (await world.token());
  return new AgentDouble({ address: world.handle.address, ca: world.ca, token: text });
}

const codeOf = (answer: { body: Record<string, unknown> }) =>
  (answer.body.error as { code: string } | undefined)?.code;

describe('enrolment', () => {
  it('gives name, identity, generation, mode and the groups that an agent needs', async () => {
    const world = await startWorld();
    const one = await double(world);
    const { status, body } = await one.enrol();
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'tilsyn.test', mode: 'managed', state: 'approved' });
    const kinds = (body.groups as { kind: string; class: string }[]).map((g) => `${g.kind} ${g.class}`);
    expect(kinds.sort()).toEqual(['late session', 'span session', 'span session', 'whole host.name']);
    expect(await ownTypes(world)).toEqual(expect.arrayContaining(['token.used', 'agent.enrolled']));
  });

  it('N2: the same request again gets the same answer and takes no second use, also after the end', async () => {
    const world = await startWorld();
    const one = await double(world);
    const first = await one.enrol();
    world.clock.advance(2 * DAY_MS);
    const again = await one.enrol();
    expect(again.status).toBe(200);
    expect(again.body.identity).toBe(first.body.identity);
    const [token] = await listTokens(world.handle.ctx, null);
    expect(token?.used).toBe(1);
    expect((await ownEvents(world, 'agent.enrolled')).length).toBe(1);
  });

  it('N1: a used token is refused, and its late use is an event, once a minute', async () => {
    const world = await startWorld();
    const text = await world.token();
    await (await double(world, text)).enrol();
    for (let i = 0; i < 3; i += 1) {
      expect(codeOf(await (await double(world, text)).enrol())).toBe('token.used');
    }
    expect((await ownEvents(world, 'token.reused')).length).toBe(1);
    world.clock.advance(2 * MINUTE_MS);
    await (await double(world, text)).enrol();
    expect((await ownEvents(world, 'token.reused')).length).toBe(2);
  });

  it('N1: expired and revoked tokens are refused; after 90 days nothing is known of them', async () => {
    const world = await startWorld();
    const text = await world.token();
    world.clock.advance(31 * MINUTE_MS);
    expect(codeOf(await (await double(world, text)).enrol())).toBe('token.expired');
    await revokeToken(world.handle.ctx, readToken(text).token as TokenId, null);
    expect(codeOf(await (await double(world, text)).enrol())).toBe('token.revoked');
    world.clock.advance(91 * DAY_MS);
    expect(codeOf(await (await double(world, text)).enrol())).toBe('token.unknown');
  });

  it('N1: two requests at once with one single-use token: one gets in', async () => {
    const world = await startWorld();
    const text = await world.token();
    const doubles = await Promise.all([1, 2, 3, 4].map(() => double(world, text)));
    const answers = await Promise.all(doubles.map((one) => one.enrol()));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect((await world.handle.ctx.store.read.agents.list()).length).toBe(1);
  });

  /** Enrols these at once: all have found the token open and no agent of their key before any is stored. */
  async function atOnce(world: World, doubles: AgentDouble[]): Promise<string[]> {
    const { ctx } = world.handle;
    let waiting = doubles.length;
    const all = Promise.withResolvers<void>();
    const write: Store['write'] = async (fn) => {
      waiting -= 1;
      if (waiting <= 0) all.resolve();
      await all.promise;
      return await ctx.store.write(fn);
    };
    const enroller = new Enroller({ ...ctx, store: { ...ctx.store, write } });
    const told = await Promise.allSettled(doubles.map((one) => enroller.enrol(one.enrolBody(), '127.0.0.1')));
    return told.map((one) => (one.status === 'fulfilled' ? 'ok' : one.reason.code)).sort();
  }

  it('N2: the same request twice at once gets the same answer twice and takes one use', async () => {
    const world = await startWorld();
    await world.agent();
    const one = await double(world);
    expect(await atOnce(world, [one, one])).toEqual(['ok', 'ok']);
    expect((await ownEvents(world, 'token.used')).length).toBe(2);
    expect((await ownEvents(world, 'token.reused')).length).toBe(0);
  });

  it('N1: a race that another key lost is a late use, and recorded as one', async () => {
    const world = await startWorld();
    await world.agent();
    const text = await world.token();
    const doubles = [await double(world, text), await double(world, text)];
    expect(await atOnce(world, doubles)).toEqual(['ok', 'token.used']);
    expect((await ownEvents(world, 'token.reused')).length).toBe(1);
  });

  it('a token of many uses serves as many', async () => {
    const world = await startWorld();
    const text = await world.token({ uses: 2, ttlMs: 30 * DAY_MS });
    const codes: unknown[] = [];
    for (let i = 0; i < 3; i += 1) codes.push(codeOf(await (await double(world, text)).enrol()));
    expect(codes).toEqual([undefined, undefined, 'token.used']);
  });

  it('N3: unknown token and wrong secret are the same error, and an address has only a few tries', async () => {
    const world = await startWorld();
    const text = await world.token();
    const right = readToken(text);
    const wrong = tokenText({ ...right, secret: 'A'.repeat(43) });
    const unknown = tokenText({ ...right, token: 'f'.repeat(32) });
    expect(codeOf(await (await double(world, wrong)).enrol())).toBe('token.unknown');
    expect(codeOf(await (await double(world, unknown)).enrol())).toBe('token.unknown');
    for (let i = 0; i < 8; i += 1) await (await double(world, wrong)).enrol();
    const late = await (await double(world, wrong)).enrol();
    expect([late.status, codeOf(late)]).toEqual([429, 'enrol.too-many']);
    world.clock.advance(MINUTE_MS);
    expect((await (await double(world, text)).enrol()).status).toBe(200);
  });

  it('a token with --cidr refuses hosts outside of it', async () => {
    const world = await startWorld();
    const outside = await world.token({ cidr: '192.0.2.0/24' });
    expect(codeOf(await (await double(world, outside)).enrol())).toBe('token.address');
    const inside = await world.token({ cidr: '127.0.0.0/8' });
    expect((await (await double(world, inside)).enrol()).status).toBe(200);
    const { store, groups } = world.handle.ctx;
    // N6: no table says it, and nothing in clear.
    const rows = [await store.read.tokens.list(), await store.read.leaves({ limit: 1000 })];
    expect(JSON.stringify(rows)).not.toMatch(/192\.0\.2\.0|127\.0\.0\.0/);
    const late = await double(world, await world.token({ cidr: '127.0.0.0/8' }));
    const erased = (await store.read.groups.list({ class: 'audit.event' })).map((row) => ({
      ...row,
      state: 'erased' as const,
    }));
    groups.committed(erased);
    expect(codeOf(await late.enrol())).toBe('token.address');
  });

  it('A5: what an agent says of its software is no free text', async () => {
    const world = await startWorld();
    const one = await double(world);
    const text = 'Grace Specimen, 12 Oak Street';
    const software = { version: text, platform: text, node: text };
    expect((await one.enrol({ software })).status).toBe(200);
    const row = async () => await world.handle.ctx.store.read.agents.get(one.agent);
    const unknown = { version: 'unknown', platform: 'unknown', node: 'unknown' };
    expect((await row())?.software).toEqual(unknown);
    await (await one.connect()).close();
    await until(async () => (await row())?.software?.platform === 'linux');
    await (await one.connect({ software })).close();
    await until(async () => (await row())?.software?.platform === 'unknown');
    expect(softwareOf({ version: '0.1.0-rc.1', platform: 'darwin', node: '26.1.0' })).toEqual({
      version: '0.1.0-rc.1',
      platform: 'darwin',
      node: '26.1.0',
    });
  });

  it('a birth record that is not the key’s, or not of the token’s agreement, is refused', async () => {
    const world = await startWorld();
    const text = await world.token();
    const one = await double(world, text);
    const foreign = one.birth({}, newSigningKey());
    expect(codeOf(await one.enrol({ birth: foreign }))).toBe('enrol.birth');
    expect(codeOf(await one.enrol({ birth: one.birth({ agreement: 'a'.repeat(32) }) }))).toBe('enrol.birth');
    expect(codeOf(await one.enrol({ key: publicText(newSigningKey()) }))).toBe('enrol.birth');
    // B2: one that is too large.
    const large = one.birth({ pad: 'x'.repeat(4096) } as object);
    expect(codeOf(await one.enrol({ birth: large }))).toBe('enrol.birth');
    expect(codeOf(await one.enrol({ birth: { nothing: true } }))).toBe('enrol.malformed');
    // None of this took a use.
    expect((await one.enrol()).status).toBe(200);
  });

  it('ids that are taken are refused', async () => {
    const world = await startWorld();
    const first = await world.agent();
    const second = await double(world);
    const answer = await second.enrol({ birth: second.birth({ agent: first.agent }) });
    expect([answer.status, codeOf(answer)]).toEqual([409, 'enrol.id-taken']);
  });

  it('a waiting agent is told to wait, and comes in after approval', async () => {
    const world = await startWorld();
    const one = await double(world, await world.token({ requireApproval: true }));
    expect((await one.enrol()).body.state).toBe('waiting');
    expect(await (await one.knock()).refused()).toEqual({ refusal: 'agent.waiting', close: 1013 });
    await approveAgent(world.handle.ctx, one.agent, null);
    await approveAgent(world.handle.ctx, one.agent, null);
    await (await one.connect()).close();
    expect((await ownEvents(world, 'agent.approved')).length).toBe(1);
    expect((await one.enrol()).body.state).toBe('approved');
  });

  it('A2: a revoked host does not enrol again with its key', async () => {
    const world = await startWorld();
    const one = await world.agent();
    await revokeAgent(world.handle.ctx, one.agent, null);
    expect(codeOf(await one.enrol())).toBe('agent.revoked');
    await expect(approveAgent(world.handle.ctx, one.agent, null)).rejects.toMatchObject({
      code: 'agent.revoked',
    });
  });

  it('the address of a host stands in no file in clear', async () => {
    const world = await startWorld();
    await world.agent();
    const { read } = world.handle.ctx.store;
    const leaves = await read.leaves({ limit: 1000 });
    expect(leaves.some(({ bytes }) => bytes.includes('127.0.0.1'))).toBe(false);
    const enrolled = leaves.find(({ type }) => type === 'agent.enrolled');
    const opened = await world.handle.ctx.opener.open(read, [enrolled?.pos ?? 0]);
    expect([...opened.values()]).toEqual([{ address: '127.0.0.1' }]);
  });

  it('what is not JSON, or too large, is an error of the request', async () => {
    const world = await startWorld();
    const big = { token: 'x'.repeat(300_000) };
    const answer = await http(world.handle.address, world.ca, 'POST', '/v1/enrol', big);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'request.malformed']);
  });
});
