import { describe, expect, it } from 'vitest';
import { revokeAgent } from '../../collector/agents.ts';
import { harmless, issueCommand } from '../../collector/ingest/commands.ts';
import { publicText, verifyRecord } from '../../protocol/sign.ts';
import { ownEvents, startWorld } from './running.ts';

describe('commands', () => {
  it('M1, M2: numbered from 1, signed, sent live and again to an agent that has not applied them', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const { ctx } = world.handle;
    await issueCommand(ctx, one.agent, 'selftest', {}, null);
    const link = await one.connect();
    expect(link.welcome?.commandsThrough).toBe(1);
    const first = await link.next('command');
    await Promise.all([2, 3, 4].map((n) => issueCommand(ctx, one.agent, 'source.rescan', { n }, null)));
    const rest = [await link.next('command'), await link.next('command'), await link.next('command')];
    const all = [first, ...rest];
    expect(all.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    for (const { t: _t, ...record } of all) {
      expect(verifyRecord('command', publicText(ctx.identity), record)).toBe(true);
      expect(record).toMatchObject({ agent: one.agent, generation: ctx.generation() });
    }
    expect((await ownEvents(world, 'command.issued')).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    await link.close();
    one.applied = { generation: ctx.generation(), n: 2 };
    const again = await one.connect();
    expect(again.welcome?.commandsThrough).toBe(4);
    expect([(await again.next('command')).n, (await again.next('command')).n]).toEqual([3, 4]);
    await again.close();
  });

  it('M3: a result is stored once, without anything that could be personal', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const { ctx } = world.handle;
    const link = await one.connect();
    const row = await issueCommand(ctx, one.agent, 'selftest', {}, null);
    await link.next('command');
    const result = (ok: boolean, body: object) => link.send({ t: 'result', n: 1, query: null, ok, body });
    result(true, { outcome: 'done', checked: 3, text: 'user Kim Larsen' });
    result(false, { outcome: 'failed' });
    link.send({ t: 'result', n: 99, query: null, ok: true, body: {} });
    link.send({ t: 'erase', groups: ['a'.repeat(32)] });
    await link.next('erased');
    await ctx.store.write(async () => {});
    await ctx.store.write(async () => {});
    expect(await ctx.store.read.commands.get(row.command)).toMatchObject({
      ok: true,
      result: { outcome: 'done', checked: 3 },
    });
    await link.close();
  });

  it('go to nobody who is unknown or revoked', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const { ctx } = world.handle;
    const issue = (agent: string, body = {}) => issueCommand(ctx, agent as never, 'selftest', body, null);
    await expect(issue('a'.repeat(32))).rejects.toMatchObject({ code: 'agent.unknown', exit: 'notFound' });
    await expect(issue(one.agent, { x: 'y'.repeat(20_000) })).rejects.toMatchObject({
      code: 'command.too-large',
    });
    await revokeAgent(ctx, one.agent, null);
    await expect(issue(one.agent)).rejects.toMatchObject({ code: 'agent.revoked' });
  });

  it('M3: numbers, truth values and short words only', () => {
    const body = { a: 1, b: true, c: null, d: 'source-added', e: 'two words', f: 1.5, g: { h: 1 }, 'i j': 1 };
    expect(harmless(body)).toEqual({ a: 1, b: true, c: null, d: 'source-added' });
  });
});
