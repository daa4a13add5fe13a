/** `GET /v1/hosts/:host/telemetry` over TLS, from real files. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lengthFor } from '../../collector/api/telemetry.ts';
import { pointOf } from '../../collector/store/points.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host({ change: { enrolledAt: utcMs(START - 40 * DAY_MS) } });
  await tell(host, 14 * DAY_MS);
});
afterAll(() => world.close());

function sampleAt(at: number, cpuPermille: number | null): Sample {
  const disks = [
    { index: 0, usedPermille: 733, freeMb: 27_000, totalMb: 100_000, inodesUsedPermille: 41 },
    { index: 3, usedPermille: 10, freeMb: 900, totalMb: 1000, inodesUsedPermille: null },
  ];
  return { at, cpuPermille, memUsedPermille: 512, memTotalMb: 7956, uptimeSeconds: 86_400, disks };
}

/** A sample a minute up to now. */
async function tell(one: TestHost, ms: number): Promise<void> {
  const count = ms / MINUTE_MS;
  const samples = Array.from({ length: count }, (_, i) =>
    sampleAt(START - (count - i) * MINUTE_MS, i === 0 ? null : i % 15 === 0 ? 900 : 100),
  );
  const rows = samples.map((sample) => ({ agent: one.row.agent, point: pointOf(sample) }));
  await world.ctx.telemetry.add(one.row.agreement, rows);
}

const ago = (ms: number) => toIso(utcMs(START - ms));
const show = (query: string, token = admin, of = host.id) =>
  world.get(`/v1/hosts/${of}/telemetry?${query}`, token);

describe('telemetry of a host', () => {
  it('J10 samples as they came for up to 12 hours, with coverage', async () => {
    const { status, body } = await show(`since=${ago(HOUR_MS)}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ schema: 1, next: null, coverage: { hosts: [{ host: 'srv-01' }] } });
    expect(body.items).toHaveLength(60);
    expect(body.items[1]).toEqual({
      at: ago(59 * MINUTE_MS),
      spanSeconds: 0,
      samples: 1,
      cpuPermille: 100,
      cpuMinPermille: 100,
      cpuMaxPermille: 100,
      memUsedPermille: 512,
      memMinPermille: 512,
      memMaxPermille: 512,
      memTotalMb: 7956,
      uptimeSeconds: 86_400,
      disks: [
        {
          index: 0,
          name: null,
          label: null,
          usedPermille: 733,
          usedMinPermille: 733,
          usedMaxPermille: 733,
          freeMb: 27_000,
          totalMb: 100_000,
          inodesUsedPermille: 41,
        },
        expect.objectContaining({ index: 3, name: null, usedPermille: 10, inodesUsedPermille: null }),
      ],
    });
  });

  it('J10 quarters of an hour for a week, hours for a month, whether they were folded on the disk or not', async () => {
    const looks = async () => [
      (await show(`since=${ago(7 * DAY_MS)}`)).body.items,
      (await show(`since=${ago(13 * DAY_MS)}`)).body.items,
    ];
    const before = await looks();
    await world.ctx.telemetry.thin(START);
    expect(await looks()).toEqual(before);
    const [week, more] = before;
    expect(week).toHaveLength(7 * 96);
    expect(week[5]).toMatchObject({
      spanSeconds: 900,
      samples: 15,
      cpuMinPermille: 100,
      cpuMaxPermille: 900,
    });
    expect(week[5].cpuPermille).toBe(Math.round((14 * 100 + 900) / 15));
    expect(more).toHaveLength(13 * 24);
    expect(more[0]).toMatchObject({ spanSeconds: 3600, samples: 60 });
    expect([lengthFor(12 * HOUR_MS), lengthFor(10 * DAY_MS), lengthFor(400 * DAY_MS)]).toEqual([
      0, 900, 3600,
    ]);
  });

  it('J10 pages follow each other, with the lengths of the first; a made-up cursor is refused', async () => {
    const whole = (await show(`since=${ago(7 * DAY_MS)}`)).body.items;
    const paged: Loose[] = [];
    for (let after = ''; ; ) {
      const { body } = await show(`since=${ago(7 * DAY_MS)}&limit=100${after}`);
      paged.push(...body.items);
      if (body.next === null) break;
      after = `&after=${body.next}`;
    }
    expect(paged).toEqual(whole);
    for (const after of ['x', '60-1', '900-', '900-1-1']) {
      const { status, body } = await show(`after=${after}`);
      expect([status, body.error.code]).toEqual([400, 'request.cursor']);
    }
  });

  it('J11 Q1 names of disks are opened for the answer, after the reading was recorded', async () => {
    const named = await world.host({ name: 'srv-disks' });
    const disks = [{ index: 0, mount: '/srv/footage', label: 'vault' }];
    await named.send([{ type: 'host.named', data: {}, personal: { name: 'srv-disks', disks } }]);
    await tell(named, HOUR_MS);
    const { body } = await show('', admin, 'srv-disks');
    expect(body.items[0].disks).toMatchObject([
      { index: 0, name: '/srv/footage', label: 'vault' },
      { index: 3, name: null, label: null },
    ]);
    const readings = await world.own('reading');
    expect(readings.at(-1)).toMatchObject({
      data: { verb: 'telemetry.show' },
      personal: { filter: { host: named.id } },
    });
    world.failOwn = true;
    const refused = await show('', admin, named.id);
    world.failOwn = false;
    expect([refused.status, refused.body.error.code]).toEqual([503, 'reading.not-recorded']);
  });

  it('J11 what was erased is not said again, and the numbers stay', async () => {
    const gone = await world.host({ name: 'srv-gone', customer: 'Other', site: 'There' });
    await gone.send([
      { type: 'host.named', data: {}, personal: { name: 'srv-gone', disks: [{ index: 0, mount: '/data' }] } },
    ]);
    await tell(gone, HOUR_MS);
    expect((await show('', admin, gone.id)).body.items[0].disks[0].name).toBe('/data');
    await world.erase(gone.group('host.named'));
    const { body } = await show('', admin, gone.id);
    expect(body.items).toHaveLength(60);
    expect(body.items[0].disks[0].name).toBeNull();
    expect(JSON.stringify(body)).not.toContain('/data');
  });

  it('Q4 another customer’s host is as absent as one that never was', async () => {
    const bound = await world.host({ customer: 'Bound', site: 'Here', name: 'srv-bound' });
    await tell(bound, HOUR_MS);
    const theirs = await world.person('auditor', [bound.row.customer]);
    expect((await show('', theirs, bound.id)).body.items).toHaveLength(60);
    const [foreign, none] = [await show('', theirs, host.id), await show('', theirs, 'f'.repeat(32))];
    expect(foreign).toEqual(none);
    expect(foreign.status).toBe(404);
  });

  it('a host that told nothing has an empty list with its coverage', async () => {
    const quiet = await world.host({ name: 'srv-quiet' });
    const { body } = await show('', admin, quiet.id);
    expect(body.items).toEqual([]);
    expect(body.coverage.hosts).toHaveLength(1);
  });
});
