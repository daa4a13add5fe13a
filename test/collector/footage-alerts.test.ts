import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerCamera } from '../../collector/camera-register.ts';
import { FootageAlertWatch, measureFootage } from '../../collector/footage-alerts.ts';
import type { CameraRow, RootRow } from '../../collector/store/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from './api-world.ts';
import { done, found, newCamera, newSource, waiting } from './recording-events.ts';

let world: ApiWorld;
let host: TestHost;
let watch: FootageAlertWatch;
beforeEach(async () => {
  world = await ApiWorld.make();
  host = await world.host({ name: 'nvr-01' });
  watch = await FootageAlertWatch.open(world.ctx);
});
afterEach(() => world.close());

const told = async () =>
  (await world.own('alert.raised', 'alert.changed', 'alert.cleared')).map(
    ({ type, data }) => `${type.slice(6)} ${data.check} ${data.level}`,
  );

async function look(minutes = 1): Promise<void> {
  for (let n = 0; n < minutes; n++) {
    await watch.look();
    world.clock.advance(MINUTE_MS);
  }
}

describe('alerts from recordings', () => {
  it('H4 a sweep that waits is told after an hour, is critical after a day, and is over with the next sweep', async () => {
    const source = newSource();
    await host.send([waiting(source, 'commands-unconfirmed')]);
    await look();
    expect(await told()).toEqual([]);
    world.clock.advance(HOUR_MS);
    await look(2);
    expect(await told()).toEqual(['raised sweep-waiting warn']);
    world.clock.advance(DAY_MS);
    await look(2);
    expect(await told()).toEqual(['raised sweep-waiting warn', 'changed sweep-waiting crit']);
    await host.send([done(source)]);
    // A14: two were told within the hour that was watched; the clearing waits for its turn.
    await look(70);
    expect((await told()).at(-1)).toBe('cleared sweep-waiting crit');
    const [first] = await world.own('alert.raised');
    expect(first?.data).toMatchObject({ agent: host.row.agent, index: null, notify: 'all' });
  });

  it('U20 V98 a restart repeats nothing, and a host that is not connected keeps its alert', async () => {
    const source = newSource();
    await host.send([{ type: 'recordings.root-suspect', data: { source, reason: 'root-gone' } }]);
    await look(2);
    expect(await told()).toEqual(['raised root-suspect warn']);
    watch = await FootageAlertWatch.open(world.ctx);
    world.clock.advance(DAY_MS);
    await look(30);
    expect(await told()).toEqual(['raised root-suspect warn']);
    await host.send([{ type: 'recordings.accepted', data: { source, reason: 'person' } }]);
    await look(10);
    expect(await told()).toEqual(['raised root-suspect warn', 'cleared root-suspect warn']);
  });

  it('does not flap: a count that comes and goes within minutes is one alert', async () => {
    const source = newSource();
    const left = (count: number) => ({
      type: 'recordings.overdue' as const,
      data: { source, count, left: count === 0 ? [] : [{ reason: 'blocked', count }] },
    });
    await host.send([left(3)]);
    await look(2);
    for (let n = 0; n < 5; n++) {
      await host.send([left(0)]);
      await look(2);
      await host.send([left(4)]);
      await look(2);
    }
    expect(await told()).toEqual(['raised recordings-overdue warn']);
  });

  it('V99 PN-26 a camera in no register is told where its customer has a register', async () => {
    const source = newSource();
    const [gate, yard] = [newCamera(), newCamera()];
    await host.send([found(source, gate, 'gate'), found(source, yard, 'yard')]);
    await look(3);
    expect(await told()).toEqual([]);
    const row = (await world.ctx.store.read.cameras.get(gate)) as CameraRow;
    const said = { place: null, retain: null, signage: null, purpose: 'theft' };
    await registerCamera(world.ctx, row, said, host.row.agent as never);
    await look(2);
    expect(await told()).toEqual(['raised camera-unknown warn']);
  });

  it('a host that is revoked has none any more', async () => {
    const source = newSource();
    await host.send([{ type: 'recordings.root-suspect', data: { source, reason: 'root-gone' } }]);
    await look(2);
    await world.setAgent(host.row.agent, { state: 'revoked' });
    await look(10);
    expect((await told()).at(-1)).toBe('cleared root-suspect warn');
  });
});

describe('what is measured', () => {
  const root = (over: Partial<RootRow>): RootRow => ({
    ...{ source: newSource(), agent: newCamera() as never, state: 'watched', reason: null, waits: null },
    ...{ waitsSince: null, plan: null, left: null, leftAt: null, copies: null, sweptAt: null, missing: 0 },
    toldAt: START,
    ...over,
  });
  const of = (roots: RootRow[], byMs = 0, at = START) =>
    measureFootage(
      { roots, cameras: [], step: { agent: newCamera() as never, at, byMs }, registered: true },
      START,
    );

  it('V99 what a hold or a rule keeps is no alert; a root that was given up has none', () => {
    const left = ['hold', 'keep-at-least', 'restriction', 'blocked', 'report-only'].map((reason, n) => {
      return { reason, count: 10 ** n };
    });
    expect(of([root({ left })])['recordings-overdue']).toBe(11_000);
    const waits = { waits: 'stepped', waitsSince: utcMs(START - HOUR_MS) };
    expect(Object.values(of([root({ state: 'retired', left, ...waits })])).every((n) => n === 0)).toBe(true);
    expect(of([root(waits)])).toMatchObject({ 'sweep-waiting': 3600, 'clock-stepped': 1 });
    // By the host's clock, which may be ahead.
    expect(of([root({ waits: 'first-sweep', waitsSince: utcMs(START + DAY_MS) })])['sweep-waiting']).toBe(0);
  });

  it('C1 a step of more than five minutes either way counts for an hour', () => {
    expect(of([], 6 * MINUTE_MS)['clock-stepped']).toBe(1);
    expect(of([], -6 * MINUTE_MS)['clock-stepped']).toBe(1);
    expect(of([], 4 * MINUTE_MS)['clock-stepped']).toBe(0);
    expect(of([], 6 * MINUTE_MS, utcMs(START - 2 * HOUR_MS))['clock-stepped']).toBe(0);
  });
});
