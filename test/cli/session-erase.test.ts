/** Erasing on request, as people type it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { setPack } from '../../collector/policy.ts';
import { keepSessions } from '../../collector/regroup/take-out.ts';
import type { PersonId, SessionId } from '../../protocol/ids.ts';
import { MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
let mine: SessionId[];

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  host = await world.host();
  const [admin] = await world.ctx.store.read.people.list();
  const person = admin?.person as PersonId;
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person }));
  const at = (n: number) => ({ startedAt: utcMs(START + n * MINUTE_MS) });
  mine = [await host.session(at(1)), await host.session(at(2))];
});
afterAll(async () => {
  cli.close();
  await world.close();
});

const run = (line: string, options = {}) => cli.run(line.split(' '), options);

it('V58 a dry run counts, and asks for nothing', async () => {
  const { code, json } = await run(`session erase ${mine.join(' ')} --dry-run -o json`);
  expect(code).toBe(0);
  expect(json()).toMatchObject({ hosts: 1, parts: 2, needsApproval: true, dryRun: true });
  expect(json().sessions.sort()).toEqual([...mine].sort());
  expect(await world.own('approval.asked')).toEqual([]);
});

it('V58 wants a reason (2), a person or --yes (2), a session that there is (3), and one that may go (7)', async () => {
  expect((await run(`session erase ${mine[0]} --yes`)).code).toBe(2);
  expect((await run(`session erase ${mine[0]} --reason x`)).code).toBe(2);
  expect((await run(`session erase ${'0'.repeat(32)} --reason x --yes`)).code).toBe(3);
  const kept = await host.session({ startedAt: utcMs(START + 5 * MINUTE_MS) });
  await keepSessions(world.ctx, [kept]);
  const refused = await run(`session erase ${mine[0]} ${kept} --reason x --yes -o json`);
  expect([refused.code, JSON.parse(refused.err).error.code]).toEqual([7, 'session.kept']);
  expect(refused.err).toContain(kept);
});

it('R9 leaves with exit 5 and the id of the approval, the same one however often; alone only with 72 hours', async () => {
  const line = `session erase ${mine.join(' ')} --reason request-14 --yes -o json`;
  const first = await run(line);
  expect(first.code).toBe(5);
  const { approval, code } = JSON.parse(first.err).error;
  expect(code).toBe('approval.needed');
  expect(JSON.parse((await run(line)).err).error.approval).toBe(approval);
  const listed = await run('approval list -o json');
  expect(listed.json().items).toMatchObject([{ id: approval, verb: 'session.erase', state: 'open' }]);
  const alone = await run(`${line} --alone`);
  expect([alone.code, alone.err]).toEqual([5, expect.stringContaining('72 hours')]);
});
