import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chart, chartText, columnsOf, type Dot } from '../../cli/chart.ts';
import { pointOf } from '../../collector/store/points.ts';
import { HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

const dot = (at: number, value: number | null, ms = 1): Dot => ({ at, ms, value, min: value, max: value });
const percent = (value: number) => `${Math.round(value / 10)}%`;

function chart(change: Partial<Chart> = {}): Chart {
  const rise = Array.from({ length: 40 }, (_, i) => dot(i, i * 25));
  const holes = rise.filter(({ at }) => at < 10 || at > 20);
  return {
    from: 0,
    to: 40,
    most: 1000,
    width: 80,
    blocks: true,
    show: percent,
    lines: [
      { label: 'cpu', dots: rise },
      { label: 'memory', dots: holes, note: 'half of it' },
      { label: 'none', dots: [] },
    ],
    ...change,
  };
}

describe('a chart', () => {
  it('K1 is one line per value, with least, mean and greatest, and shows where there was no sample', () => {
    expect(chartText(chart())).toMatchInlineSnapshot(`
      "cpu     ▁▁▁▁▂▂▂▂▃▃▃▃▄▄▄▄▄▅▅▅▅▆▆▆▆▇▇▇▇█████  min 0%  avg 49%  max 98%
      memory  ▁▁▁▁▂▂▂▂·········▅▅▅▅▆▆▆▆▇▇▇▇█████  min 0%  avg 53%  max 98%  half of it
      none    ··································
      · = no sample
      "
    `);
  });

  it('K1 is plain ASCII where blocks cannot be shown', () => {
    const text = chartText(chart({ blocks: false, width: 60 }));
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text).toMatchInlineSnapshot(`
      "cpu     __.--::==+**##  min 0%  avg 49%  max 98%
      memory  __..???==+**##  min 0%  avg 53%  max 98%  half of it
      none    ??????????????
      ? = no sample
      "
    `);
  });

  it('K1 no column without a sample has a value, none with one is empty, and none is wider than the terminal', () => {
    const dots = fc.array(
      fc.record({
        at: fc.integer({ min: 0, max: 999 }),
        value: fc.integer({ min: 0, max: 1000 }),
        ms: fc.integer({ min: 1, max: 99 }),
      }),
    );
    fc.assert(
      fc.property(dots, fc.integer({ min: 1, max: 200 }), (all, columns) => {
        const filled = new Set(
          all.flatMap(({ at, ms }) =>
            Array.from({ length: ms }, (_, i) => Math.floor((Math.min(999, at + i) / 1000) * columns)),
          ),
        );
        const values = columnsOf(
          all.map(({ at, value, ms }) => dot(at, value, ms)),
          0,
          1000,
          columns,
        );
        expect(values.map((value) => value !== null)).toEqual(values.map((_, i) => filled.has(i)));
        for (const value of values) expect(value ?? 0).toBeLessThanOrEqual(1000);
      }),
    );
    for (const width of [70, 100, 200]) {
      const longest = Math.max(
        ...chartText(chart({ width }))
          .split('\n')
          .map((line) => [...line].length),
      );
      expect(longest).toBeLessThanOrEqual(width);
    }
  });
});

describe('tilsyn telemetry show', () => {
  let world: ApiWorld;
  let cli: CliWorld;
  let host: TestHost;
  beforeAll(async () => {
    world = await ApiWorld.make();
    cli = new CliWorld();
    cli.use(world, await world.person('admin'));
    host = await world.host({ change: { enrolledAt: utcMs(START - 6 * HOUR_MS) } });
    const disks = [{ index: 0, mount: '/srv/\u001b[31mred' }];
    await host.send([{ type: 'host.named', data: {}, personal: { name: 'srv-01', disks } }]);
    const samples = Array.from({ length: 240 }, (_, i) => ({
      at: START - (300 - i) * MINUTE_MS,
      cpuPermille: Math.round(500 + 450 * Math.sin(i / 20)),
      memUsedPermille: 400 + i,
      memTotalMb: 7956,
      uptimeSeconds: 86_400 + i * 60,
      disks: [{ index: 0, usedPermille: 733, freeMb: 27_000, totalMb: 100_000, inodesUsedPermille: 41 }],
    }));
    const rows = samples.map((one) => ({ agent: host.row.agent, point: pointOf(one) }));
    await world.ctx.telemetry.add(host.row.agreement, rows);
  });
  afterAll(async () => {
    cli.close();
    await world.close();
  });

  it('draws a chart as wide as the terminal, without what a name would do to it', async () => {
    const env = { LANG: 'en_GB.UTF-8', COLUMNS: '110' };
    const { code, out } = await cli.run(['telemetry', 'show', 'srv-01'], { env });
    expect(code).toBe(0);
    expect(out).not.toContain('\u001b');
    expect(out).toMatchInlineSnapshot(`
      "srv-01  2026-11-22 06:00:00 +00:00 to 2026-11-22 12:00:00 +00:00, a column is 8m 47s
      cpu            ······▅▅▇███▇▅▄▂▁▁▁▂▃▅▆▇██▇▆▄▃▂▁▁▂▂······  min 5%  avg 51%  max 95%
      memory         ······▄▄▄▄▄▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▆▆······  min 40%  avg 52%  max 64%
      /srv/�[31mred  ······▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆······  min 73%  avg 73%  max 73%  free 26.4 GiB of 97.7 GiB
      · = no sample
      memory of 7.8 GiB, up for 27h 59m
      coverage: 1 host, 2026-11-22 06:00:00 +00:00 to 2026-11-22 12:00:00 +00:00, no gap
      "
    `);
    const plain = await cli.run(['telemetry', 'show', host.id], { env: { LANG: 'C', COLUMNS: '90' } });
    expect(plain.out.replaceAll('\ufffd', '')).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('prints JSON and CSV of the same samples, a page at a time', async () => {
    const since = ['--since', toIso(utcMs(START - 6 * HOUR_MS))];
    const all = (await cli.run(['telemetry', 'show', 'srv-01', ...since, '-o', 'json'])).json();
    expect(all.items).toHaveLength(240);
    expect(all.items[0].disks[0]).toMatchObject({ index: 0, usedPermille: 733 });
    const page = (
      await cli.run(['telemetry', 'show', 'srv-01', ...since, '--limit', '200', '-o', 'json'])
    ).json();
    const args = ['telemetry', 'show', 'srv-01', ...since, '--after', page.next, '-o', 'json'];
    expect([...page.items, ...(await cli.run(args)).json().items]).toEqual(all.items);
    const csv = (await cli.run(['telemetry', 'show', 'srv-01', ...since, '-o', 'csv'])).out.split('\r\n');
    expect(csv[0]).toContain('at,spanSeconds,samples,cpuPermille');
    expect(csv).toHaveLength(242);
  });

  it('says so where there is none, and exits 6 where that may not be all', async () => {
    await world.host({ name: 'srv-new', change: { enrolledAt: START, lastSeenAt: START } });
    const { code, out } = await cli.run(['telemetry', 'show', 'srv-new']);
    expect(out).toContain('no samples\n');
    expect([0, 6]).toContain(code);
    expect((await cli.run(['telemetry', 'show', 'nobody'])).code).toBe(3);
  });
});
