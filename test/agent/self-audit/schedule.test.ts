/** When audits take place, and what is owed where they did not. */
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { longestGap, REACH_MS, slotsIn } from '../../../agent/self-audit/meant.ts';
import { SETTLE_MS } from '../../../agent/self-audit/self-audit.ts';
import { Pace } from '../../../agent/self-audit/types.ts';
import { cronMatcher } from '../../../agent/telemetry/schedule.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { TestClock } from '../support.ts';
import { AuditWorld } from './audit-world.ts';

interface Run {
  trigger: string;
  everySeconds: number | null;
  findings: number;
}

const runs = (world: AuditWorld) => world.told('audit.run') as unknown as Run[];
const missed = (world: AuditWorld) =>
  (world.told('audit.finding') as { check: string; count: number }[]).flatMap(({ check, count }) =>
    check === 'missed-run' ? [count] : [],
  );

/** Until so many runs were told: a run reads files in turns of the event loop. */
async function until(world: AuditWorld, count: number): Promise<void> {
  for (let n = 0; n < 2_000 && runs(world).length < count; n += 1)
    await new Promise((resolve) => setImmediate(resolve));
  expect(runs(world)).toHaveLength(count);
}

/** Minute after minute, as a process that runs sees them. */
function live(world: AuditWorld, ms: number): void {
  for (let left = ms; left > 0; left -= MINUTE_MS) world.clock.advance(Math.min(MINUTE_MS, left));
}

describe('agent/self-audit: schedule', () => {
  it('A22 runs by its schedule, each told as it took place; none is missed', async () => {
    const world = new AuditWorld();
    await world.audit.start();
    live(world, 20 * HOUR_MS);
    await until(world, 1);
    live(world, DAY_MS);
    await until(world, 2);
    expect(runs(world).map(({ trigger }) => trigger)).toEqual(['schedule', 'schedule']);
    expect(runs(world)[0]?.everySeconds).toBe(86_400);
    expect(missed(world)).toEqual([]);
    await world.settled();
  });

  it('A22 an agent that was down for three runs says so with its start, once, and runs at once', async () => {
    const world = new AuditWorld();
    await world.audit.start();
    await world.settled();
    world.clock.advance(3 * DAY_MS);
    world.audit = world.newAudit();
    await world.audit.start();
    expect(runs(world)).toHaveLength(0);
    world.clock.advance(SETTLE_MS);
    await until(world, 1);
    expect(runs(world)[0]).toMatchObject({ trigger: 'late', findings: 1 });
    expect(missed(world)).toEqual([3]);
    // The next start owes nothing.
    await world.settled();
    world.audit = world.newAudit();
    await world.audit.start();
    world.clock.advance(SETTLE_MS);
    live(world, DAY_MS);
    await until(world, 2);
    expect(missed(world)).toEqual([3]);
    await world.settled();
  });

  it('A21 a run that could not be stored is owed, and told with the next', async () => {
    const world = new AuditWorld();
    const { journal } = world.base;
    const append = journal.append.bind(journal);
    await world.audit.start();
    Object.assign(journal, {
      append: () => {
        throw new Error('no room');
      },
    });
    live(world, 20 * HOUR_MS);
    await world.audit.stop();
    Object.assign(journal, { append });
    expect(runs(world)).toHaveLength(0);
    world.audit = world.newAudit();
    await world.audit.start();
    world.clock.advance(SETTLE_MS);
    await until(world, 1);
    expect(missed(world)).toEqual([1]);
    await world.settled();
  });

  it('A22 a machine that slept over two runs made one of them: the other is missed', async () => {
    const world = new AuditWorld({ schedule: '0 3,4 * * *' });
    await world.audit.start();
    // One timer, late by hours.
    world.clock.advance(22 * HOUR_MS);
    await until(world, 1);
    expect(runs(world)[0]?.trigger).toBe('schedule');
    expect(missed(world)).toEqual([1]);
    await world.settled();
  });

  it('A22 the first start of an agent that never audited owes nothing', async () => {
    const world = new AuditWorld();
    world.clock.advance(90 * DAY_MS);
    await world.audit.start();
    world.clock.advance(SETTLE_MS);
    expect(await world.found()).not.toHaveProperty('missed-run');
    await world.settled();
  });

  it('A22 a clock that was in 2031 for a minute neither hides later runs nor invents missed ones', async () => {
    const world = new AuditWorld();
    await world.audit.start();
    const years = 5 * 365 * DAY_MS;
    world.clock.wall += years;
    expect(await world.found()).toHaveProperty('missed-run');
    const told = missed(world).length;
    world.clock.wall -= years;
    await world.settled();
    world.audit = world.newAudit();
    await world.audit.start();
    world.clock.advance(SETTLE_MS);
    live(world, DAY_MS);
    await until(world, 2);
    expect(missed(world)).toHaveLength(told);
    await world.settled();
  });

  it('A29 while the agreement was over nothing is owed', async () => {
    const world = new AuditWorld();
    await world.audit.start();
    await world.settled();
    world.clock.advance(10 * DAY_MS);
    world.audit = world.newAudit();
    await world.audit.start(true);
    world.clock.advance(SETTLE_MS);
    expect(await world.found()).not.toHaveProperty('missed-run');
    await world.settled();
  });

  it('A21 a stop does not wait for the scan; what was left of the run does not count, and is owed', async () => {
    const world = new AuditWorld();
    const path = world.record(5);
    world.nvr.catalogue();
    unlinkSync(join(world.nvr.root, path));
    const asked = Promise.withResolvers<void>();
    world.pass = () => {
      asked.resolve();
      return new Promise(() => {});
    };
    await world.audit.start();
    live(world, 20 * HOUR_MS);
    await asked.promise;
    await world.audit.stop();
    expect(runs(world)).toEqual([]);
    world.pass = async () => 'done';
    world.audit = world.newAudit();
    await world.audit.start();
    world.clock.advance(SETTLE_MS);
    await until(world, 1);
    expect(missed(world)).toEqual([1]);
    await world.settled();
  });

  it('A29 stopped, it audits for nobody', async () => {
    const world = new AuditWorld();
    expect(await world.audit.asked()).toBeNull();
    await world.audit.start();
    await world.audit.stop();
    expect(await world.audit.asked()).toBeNull();
    expect(runs(world)).toEqual([]);
  });
});

describe('agent/self-audit: what a schedule means', () => {
  const pace = new Pace(new TestClock());
  const noon = utcMs(Date.UTC(2026, 10, 27, 12));

  it('A22 counts the minutes it means, half open, in the zone of the site, over a change of its clocks', async () => {
    const nightly = await cronMatcher('0 3 * * *', 'Europe/Copenhagen');
    expect(await slotsIn(nightly, noon, utcMs(noon + 3 * DAY_MS), pace)).toBe(3);
    const at = utcMs(Date.UTC(2026, 10, 28, 2));
    expect(await slotsIn(nightly, utcMs(at - 1), at, pace)).toBe(1);
    expect(await slotsIn(nightly, at, utcMs(at + DAY_MS - 1), pace)).toBe(0);
    const october = utcMs(Date.UTC(2026, 9, 24, 12));
    expect(await slotsIn(nightly, october, utcMs(october + 2 * DAY_MS), pace)).toBe(2);
    expect(await slotsIn(nightly, noon, utcMs(noon - DAY_MS), pace)).toBe(0);
  });

  it('A22 of years only the last part is counted, and a schedule of weekdays waits over the weekend', async () => {
    const nightly = await cronMatcher('0 3 * * *', 'UTC');
    expect(await slotsIn(nightly, utcMs(0), noon, pace)).toBe(REACH_MS / DAY_MS);
    const weekdays = await cronMatcher('0 3 * * 1-5', 'UTC');
    // 27 November 2026 is a Friday.
    expect(await longestGap(weekdays, noon, pace)).toBe(2 * DAY_MS + 15 * HOUR_MS);
    expect(await longestGap(await cronMatcher('0 3 1 6 *', 'UTC'), noon, pace)).toBeNull();
  });
});
