import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MINUTE_MS } from '../../protocol/time.ts';
import { alertId, told } from '../collector/alert-events.ts';
import { ApiWorld, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
const run = (line: string, options = {}) => cli.run(line.split(' '), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  host = await world.host();
});
afterAll(async () => {
  cli.close();
  await world.close();
});

describe('alerts on the command line', () => {
  it('lists what is open, with its unit, and ends with what was watched', async () => {
    const [disk, over] = [alertId(), alertId()];
    await host.send([told('raised', { alert: disk }), told('raised', { alert: over, check: 'disk-fill' })]);
    await host.send([told('cleared', { alert: over, check: 'disk-fill', value: 200_000 })]);
    const open = await run('alert list --open --host srv-01');
    expect([open.code, open.err]).toEqual([0, '']);
    expect(open.out).toMatch(/srv-01 +disk-space \(disk 0\) +warn +open +93\.0 % +90\.0 %/);
    expect(open.out).not.toContain(over);
    expect(open.out.trimEnd().split('\n').at(-1)).toMatch(/^coverage: 1 host/);
    const all = (await run('alert list -o json')).json();
    expect(all).toMatchObject({
      schema: 1,
      items: [{ id: disk }, { id: over, state: 'cleared' }],
      next: null,
    });
    expect((await run('alert list --check cpu')).out).toContain('no alerts\n');
    expect((await run('alert list --level bad')).code).toBe(2);
  });

  it('A7 acks once; --dry-run acks nothing; the second time says who was first, and exits 0', async () => {
    const alert = alertId();
    await host.send([told('raised', { alert, check: 'cpu', index: null })]);
    const item = async () =>
      (await run('alert list --check cpu -o json'))
        .json()
        .items.find(({ id }: { id: string }) => id === alert);
    const dry = await run(`alert ack ${alert} --dry-run -o json`);
    expect([dry.code, dry.json().dryRun]).toEqual([0, true]);
    expect((await item()).ackedAt).toBeNull();
    const first = (await run(`alert ack ${alert} -o json`)).json();
    world.clock.advance(MINUTE_MS);
    const again = await run(`alert ack ${alert} -o json`);
    expect([again.code, again.json()]).toEqual([0, first]);
    expect((await run(`alert ack ${alert}`)).out).toContain(`by ${first.ackedBy}`);
    expect((await run(`alert ack ${alertId()}`)).code).toBe(3);
  });
});
