/** Samples, alerts and what is kept of them, on a real database with a clock that a test moves. */
import { expect, test } from 'vitest';
import { sample as sampleSchema } from '../../../protocol/telemetry.ts';
import { beat, world } from '../support.ts';
import { alertEvents, GB, health, settled, space, told } from './world.ts';

const DAY_MINUTES = 24 * 60;

test('a sample a minute: numbers and indexes, no names', async () => {
  const { w, machine, telemetry, pass, changes } = health(world());
  machine.disks.set('/srv/nvr-of-somebody', space(500, 10 * GB));
  await pass(3);
  const kept = w.telemetry.newest(10);
  expect(kept).toHaveLength(4);
  for (const one of kept) expect(sampleSchema.parse(one)).toEqual(one);
  expect(kept.map(({ cpuPermille }) => cpuPermille)).toEqual([null, 100, 100, 100]);
  expect(kept.at(-1)).toMatchObject({
    at: w.clock.wall,
    memUsedPermille: 500,
    memTotalMb: 16 * GB,
    disks: [
      { index: 0, usedPermille: 400, freeMb: 100 * GB, totalMb: 500 * GB, inodesUsedPermille: 100 },
      { index: 1, usedPermille: 500 },
    ],
  });
  expect(JSON.stringify(kept)).not.toContain('nvr');
  expect(changes.disks).toBe(1);
  expect(telemetry.disks()).toEqual([
    { index: 0, mount: '/' },
    { index: 1, mount: '/srv/nvr-of-somebody' },
  ]);
  expect(telemetry.status()).toMatchObject({ everyMs: 60_000, kept: 4, unsent: 4, notStored: 0 });
  expect(w.journal.logs()[0]?.next).toBe(1);
});

test('T12 a mount point keeps its index across restarts, whatever came and went in between', async () => {
  let w = world();
  const first = health(w);
  first.machine.disks = new Map([
    ['/b', space(1, GB)],
    ['/a', space(1, GB)],
  ]);
  await first.pass(1);
  await first.telemetry.stop();
  w = w.reopen();
  const second = health(w);
  second.machine.disks = new Map([
    ['/a', space(1, GB)],
    ['/c', space(1, GB)],
  ]);
  await second.pass(1);
  expect(second.telemetry.disks()).toEqual([
    { index: 1, mount: '/a' },
    { index: 2, mount: '/c' },
  ]);
});

test('T11 samples are kept for 14 days', async () => {
  const w = world();
  const one = { cpuPermille: 1, memUsedPermille: 1, memTotalMb: 1, uptimeSeconds: 1, disks: [] };
  const from = w.clock.wall - 15 * 86_400_000;
  w.journal.spare(() => {
    for (let minute = 0; minute < 15 * DAY_MINUTES; minute++)
      w.telemetry.add({ ...one, at: from + minute * 60_000 });
  });
  const { kept } = w.telemetry.counts();
  expect(kept).toBe(14 * DAY_MINUTES + 1);
  // A clock that was wrong for a while takes little with it, and leaves nothing for ever.
  w.journal.spare(() => {
    w.telemetry.add({ ...one, at: w.clock.wall + 9 * 365 * 86_400_000 });
    w.telemetry.add({ ...one, at: w.clock.wall });
  });
  expect(w.telemetry.counts().kept).toBeGreaterThan(kept - 50);
});

test('T17 a disk that fills up is raised, gets worse, gets better and clears, each once and in the log', async () => {
  const { w, machine, pass, telemetry } = health(world());
  await pass(20);
  machine.disks.set('/', space(930, 40 * GB));
  await pass(5);
  machine.disks.set('/', space(985, 4 * GB));
  await pass(5);
  machine.disks.set('/', space(500, 250 * GB));
  await pass(120);
  expect(told(w).filter((text) => text.includes('disk-space'))).toEqual([
    'raised disk-space0 warn all',
    'changed disk-space0 crit all',
    'cleared disk-space0 crit all',
  ]);
  expect(told(w)).toContain('raised state-disk warn audit');
  expect(told(w).some((text) => text.startsWith('raised disk-fill0'))).toBe(true);
  const ids = alertEvents(w)
    .filter(({ data }) => data.check === 'disk-space')
    .map(({ data }) => data.alert);
  expect(new Set(ids).size).toBe(1);
  expect(telemetry.openAlerts()).toEqual([]);
  // At rest nothing is kept of them.
  expect(w.telemetry.alerts()).toEqual([]);
});

test('R9 that holds fill a disk is told a month before, worse in the last week; nobody can say clears nothing', async () => {
  let seconds: number | null = 400 * 86_400;
  const { w, pass, telemetry } = health(world(), { holdsFill: async () => seconds });
  await pass(5);
  seconds = 29 * 86_400;
  await pass(5);
  seconds = 6 * 86_400;
  await pass(5);
  seconds = null;
  await pass(120);
  expect(telemetry.openAlerts()).toMatchObject([{ check: 'hold-disk', index: null, level: 'crit' }]);
  seconds = 400 * 86_400;
  await pass(120);
  expect(told(w)).toEqual([
    'raised hold-disk warn audit',
    'changed hold-disk crit audit',
    'cleared hold-disk crit audit',
  ]);
});

test('A17 a disk that is no longer there clears; one that does not answer changes nothing', async () => {
  const { w, machine, pass, telemetry } = health(world());
  machine.disks.set('/usb', space(950, 20 * GB));
  await pass(5);
  expect(telemetry.openAlerts()).toMatchObject([{ check: 'disk-space', index: 1, level: 'warn' }]);
  machine.disks.set('/usb', null);
  await pass(60);
  expect(telemetry.openAlerts()).toHaveLength(1);
  machine.disks.delete('/usb');
  await pass(30);
  expect(told(w)).toEqual(['raised disk-space1 warn all', 'cleared disk-space1 warn all']);
});

test('processor, memory, clock and what waits are watched too', async () => {
  const skew = { ms: null as number | null };
  const { w, machine, pass } = health(world(), { skewMs: () => skew.ms, acks: false });
  machine.load = 990;
  machine.free = 1;
  skew.ms = -90_000;
  w.journal.append([beat]);
  await pass(70);
  expect(told(w).sort()).toEqual([
    'raised clock-offset crit audit',
    'raised cpu crit all',
    'raised memory warn all',
    'raised spool warn audit',
  ]);
});

test('with notify: audit only what is about Tilsyn is told; the log has all of it', async () => {
  const { w, machine, pass } = health(world(), { notify: 'audit' });
  machine.disks.set('/', space(950, 20 * GB));
  await pass(5);
  expect(told(w).sort()).toEqual(['raised disk-space0 warn none', 'raised state-disk warn audit']);
});

test('without telemetry Tilsyn itself is watched, and nothing is sampled', async () => {
  const { w, machine, pass, telemetry } = health(world(), { sampling: null, notify: 'audit' });
  machine.disks.set('/', space(990, GB));
  await pass(5);
  expect(told(w)).toEqual(['raised state-disk crit audit']);
  expect(telemetry.status()).toEqual({ everyMs: null, last: null, kept: 0, unsent: 0, notStored: 0 });
});

test('samples seldom: Tilsyn is looked at each minute all the same', async () => {
  const { w, machine, pass } = health(world(), { sampling: { everyMs: 3_600_000 } });
  machine.disks.set('/', space(990, GB));
  machine.load = 1000;
  await pass(5);
  expect(told(w)).toEqual(['raised state-disk crit audit']);
  await pass(180);
  expect(w.telemetry.counts().kept).toBe(4);
  expect(told(w)).toContain('raised cpu crit all');
});

test.each([10_000, 60_000, 90_000, 600_000])(
  'a sample every %i ms, whatever the looks in between',
  async (everyMs) => {
    const { w, pass } = health(world(), { sampling: { everyMs } });
    await pass(60);
    const ats = w.telemetry.newest(1000).map(({ at }) => at);
    expect(ats).toHaveLength(3_600_000 / everyMs + 1);
    expect(new Set(ats.slice(1).map((at, n) => at - (ats[n] ?? 0)))).toEqual(new Set([everyMs]));
  },
);

test('T18 a sample that found no room is counted', async () => {
  const w = world();
  const { telemetry, pass } = health(w);
  w.journal.spare = () => false;
  await pass(2);
  expect(telemetry.status()).toMatchObject({ kept: 0, notStored: 3 });
});

test('T19 samples are sent when there is a link, and again until they have arrived', async () => {
  let w = world();
  const first = health(w);
  await first.pass(10);
  expect(first.link.frames).toEqual([]);
  first.link.number = 1;
  await first.pass(1);
  expect(first.link.frames[0]).toEqual(w.telemetry.after(0, 100).map(({ sample }) => sample));
  // The link breaks at once: nothing of it is known to have arrived.
  first.link.number = null;
  await first.pass(2);
  first.link.number = 2;
  await first.pass(5);
  const ats = first.link.frames
    .slice(1)
    .flat()
    .map(({ at }) => at);
  expect(ats).toEqual(w.telemetry.after(0, 100).map(({ sample }) => sample.at));
  await first.pass(3);
  await first.telemetry.stop();
  const sent = w.telemetry.sentThrough;
  expect(sent).toBeGreaterThan(14);
  w = w.reopen();
  expect(w.telemetry.sentThrough).toBe(sent);
  const second = health(w);
  second.link.number = 1;
  await second.pass(1);
  expect(second.link.frames[0]?.[0]?.at).toBe(w.telemetry.after(sent, 1)[0]?.sample.at);
});

test('T19 a backlog goes in frames of bounded size, one each minute', async () => {
  const w = world();
  const disks = Array.from({ length: 64 }, (_, index) => ({
    index,
    usedPermille: 1000,
    freeMb: 1_000_000,
    totalMb: 9_000_000,
    inodesUsedPermille: 1000,
  }));
  w.journal.spare(() => {
    for (let n = 0; n < 100; n++) {
      const at = w.clock.wall - (100 - n) * 60_000;
      w.telemetry.add({ at, cpuPermille: 1, memUsedPermille: 1, memTotalMb: 1, uptimeSeconds: 1, disks });
    }
  });
  const { link, pass } = health(w);
  link.number = 1;
  await pass(30);
  expect(link.frames.length).toBeGreaterThan(9);
  for (const frame of link.frames) expect(JSON.stringify(frame).length).toBeLessThanOrEqual(64 * 1024 + 1000);
  const ats = link.frames.flat().map(({ at }) => at);
  expect(ats).toEqual([...new Set(ats)].sort((a, b) => a - b));
  expect(ats).toHaveLength(131);
});

test('T15 a disk that hangs holds nothing up and is asked once at a time', async () => {
  const { w, machine, pass } = health(world());
  let asked = 0;
  const space_ = machine.space.bind(machine);
  machine.space = (mount) => {
    if (mount === '/hung') asked += 1;
    return mount === '/hung' ? new Promise(() => {}) : space_(mount);
  };
  machine.disks.set('/hung', null);
  await pass(5);
  await settled();
  expect(asked).toBe(1);
  expect(w.telemetry.newest(1)[0]?.disks).toHaveLength(1);
  expect(w.telemetry.counts().kept).toBeGreaterThan(4);
});

test('M1 at its date nothing is measured, told or sent, whenever the timers come', async () => {
  let over = false;
  const { w, machine, link, pass } = health(world(), { over: () => over });
  await pass(3);
  const [kept, next] = [w.telemetry.counts().kept, w.journal.logs()[0]?.next];
  over = true;
  link.number = 1;
  machine.load = 1_000;
  machine.disks.set('/', space(999, 1));
  await pass(60);
  expect([w.telemetry.counts().kept, w.journal.logs()[0]?.next, link.frames]).toEqual([kept, next, []]);
});
