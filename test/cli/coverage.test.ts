/** What the command line says of what was not seen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { troubles } from '../../cli/agent-status.ts';
import { MINUTE_MS } from '../../protocol/time.ts';
import { ApiWorld, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
const run = (line: string, options = {}) => cli.run(line.split(' '), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
});
afterAll(async () => {
  cli.close();
  await world.close();
});

async function unreadable(host: TestHost, rows: number): Promise<void> {
  await world.ctx.store.write(async (tx) => {
    const source = await tx.sources.get(host.source);
    if (source === null) throw new Error('the host has no source');
    await tx.sources.put([{ ...source, unreadable: rows }]);
  });
}

describe('rows that were not understood', () => {
  it('H1 stand in the last line of every table; an empty list beside them and `coverage` exit 6', async () => {
    const host = await world.host({ customer: 'Puzzled', name: 'srv-09' });
    await host.session();
    world.clock.advance(MINUTE_MS);
    expect((await run('session list --host srv-09')).out).toMatch(/, no gap\n$/);
    expect((await run('coverage srv-09')).code).toBe(0);
    await unreadable(host, 9);
    const full = await run('session list --host srv-09');
    expect([full.code, full.out.trimEnd().split('\n').at(-1)]).toEqual([
      0,
      expect.stringMatching(/^coverage: 1 host, .*, no gap, 9 rows not understood$/),
    ]);
    const empty = await run('session list --host srv-09 --peer 999');
    expect(empty.code).toBe(6);
    expect(empty.out).toMatch(/^no sessions\n.*9 rows not understood\n$/);
    expect((await run('session list --host srv-09 --peer 999 -o json')).code).toBe(6);
    expect((await run('session list --host srv-09 --peer 999 -o csv')).err).toContain('9 rows not under');
    const coverage = await run('coverage srv-09');
    expect([coverage.code, coverage.out.includes(', no gap, 9 rows not understood\n')]).toEqual([6, true]);
    expect((await run('coverage srv-09 -o json')).code).toBe(6);
    await unreadable(host, 1);
    expect((await run('coverage srv-09')).out).toContain(', 1 row not understood\n');
  });

  it('H1 `agent status` does not call everything read then', () => {
    const source = { type: 'teamviewer', file: '/x', state: 'caught-up', problem: null, unreadable: 0 };
    const status = { collector: { state: 'live', problem: null }, sources: [source] };
    const said = (sources: object[]) => troubles({ ...status, sources } as never);
    expect(said([source])).toEqual([]);
    expect(said([{ ...source, unreadable: 9 }])).toEqual(['teamviewer /x: 9 rows were not understood']);
  });
});

describe('two hosts of one name', () => {
  it('H2 bear their short ids in every line of a table', async () => {
    const change = { firstSeenAt: null, readThrough: null };
    const twins = [
      await world.host({ customer: 'Twins', name: 'vm', change }),
      await world.host({ customer: 'Twins', name: 'vm' }),
    ];
    await twins[1]?.session();
    world.clock.advance(MINUTE_MS);
    const shown = twins.map(({ row }) => `vm (${row.agent.slice(0, 8)})`);
    const sessions = await run('session list --customer Twins');
    expect(sessions.out).toContain(`gap: ${shown[0]}  `);
    expect(sessions.out).toMatch(new RegExp(`ended +${shown[1]?.replace(/[()]/g, '\\$&')} `));
    const coverage = await run('coverage --customer Twins');
    for (const name of shown) expect(coverage.out.split('\n').some((l) => l.startsWith(name))).toBe(true);
    expect((await run('event list --customer Twins')).out).toContain(`  ${shown[1]}  `);
    expect((await run(`session list --host ${twins[1]?.id}`)).out).not.toContain('vm (');
  });
});
