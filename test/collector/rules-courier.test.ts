import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeResult } from '../../collector/ingest/commands.ts';
import { policyInForce, setPack } from '../../collector/policy.ts';
import { RulesCourier } from '../../collector/rules-courier.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import { ApiWorld, type Loose, type TestHost } from './api-world.ts';
import { found, newCamera, newSource } from './recording-events.ts';

let world: ApiWorld;
let host: TestHost;
let courier: RulesCourier;
let token: string;
beforeAll(async () => {
  world = await ApiWorld.make();
  token = await world.person('auditor', null, 'A');
  host = await world.host({ name: 'nvr-01' });
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
  courier = new RulesCourier(world.ctx);
});
afterAll(() => world.close());

const given = async () => (await world.own('command.issued')).length;
const answered = (n: number, ok: boolean, body: Loose) =>
  storeResult(world.ctx, host.row.agent, { t: 'result', n, query: null, ok, body });
const shown = async () => (await world.get(`/v1/hosts/${host.id}`, token)).body.rules;

describe('collector/rules-courier', () => {
  it('V70 gives a host with a root the rules once, and again where it could not take them, later each time', async () => {
    await courier.look();
    expect(await given()).toBe(0);
    expect(await shown()).toBe(null);
    await host.send([found(newSource(), newCamera(), 'gate')]);
    await courier.look();
    await courier.look();
    expect(await given()).toBe(1);
    expect(await shown()).toMatchObject({ policy: 'dk-msp', state: 'given', why: null });
    await answered(1, false, { outcome: 'unsupported' });
    expect(await shown()).toMatchObject({ state: 'refused', why: 'unsupported', tries: 1 });
    await courier.look();
    expect(await given()).toBe(1);
    world.clock.advance(MINUTE_MS);
    await courier.look();
    expect(await given()).toBe(2);
    await answered(2, false, { outcome: 'failed', code: 'policy.unreadable' });
    expect(await shown()).toMatchObject({ state: 'refused', why: 'policy.unreadable', tries: 2 });
    world.clock.advance(MINUTE_MS + 59 * SECOND_MS);
    await courier.look();
    expect(await given()).toBe(2);
    world.clock.advance(SECOND_MS);
    await courier.look();
    expect(await given()).toBe(3);
    await answered(3, true, { outcome: 'done' });
    world.clock.advance(24 * HOUR_MS);
    await courier.look();
    expect(await given()).toBe(3);
    expect(await shown()).toMatchObject({ state: 'taken', tries: 3 });
  });

  it('V70 other rules are given at once, whatever came of those before; V71 the class of recordings alone', async () => {
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'no-cctv', person: null }));
    await courier.look();
    expect(await given()).toBe(4);
    const rows = await world.ctx.store.read.commands.list({ agent: host.row.agent, verb: 'policy.set' });
    const { policy } = (rows.at(-1)?.body ?? {}) as Loose;
    expect(policy.name).toBe((await policyInForce(world.ctx.store.read)).policy.name);
    expect(new Set(policy.rules.map((rule: Loose) => rule.class))).toEqual(new Set(['recording']));
  });

  it('V70 is never later than six hours', async () => {
    for (let n = 4; n < 16; n++) {
      await answered(n, false, { outcome: 'failed' });
      world.clock.advance(6 * HOUR_MS);
      await courier.look();
      expect(await given()).toBe(n + 1);
    }
  });
});
