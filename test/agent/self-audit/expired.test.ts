/** Expired but present, asked of the catalogue and the rules anew. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExpiredFacts, judgeExpired } from '../../../agent/self-audit/expired.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../../../protocol/time.ts';
import { AuditWorld, type AuditWorldOptions } from './audit-world.ts';

/** Recordings of 40, 35 and 5 days; the sweep was completed an hour ago, by rules of long before. */
function swept(options: AuditWorldOptions = {}): AuditWorld {
  const world = new AuditWorld(options);
  for (const days of [40, 35, 5]) world.record(days);
  world.nvr.catalogue();
  world.sql('UPDATE rec_sources SET swept_at = ?, first_at = 1, scanned_at = 1', world.clock.now() - HOUR_MS);
  return world;
}

const checkOf = (world: AuditWorld, name: string) => {
  const [run] = world.told('audit.run').slice(-1) as { checks: { check: string; unseen: string[] }[] }[];
  return run?.checks.find(({ check }) => check === name);
};

describe('agent/self-audit: expired but present', () => {
  it('A25 what a completed sweep should have taken is a finding, with its number and its source', async () => {
    const world = swept();
    expect(await world.found()).toEqual({ 'expired-present': 2 });
    expect(world.told('audit.finding')).toMatchObject([
      { check: 'expired-present', count: 2, source: world.nvr.source, of: 'expired' },
    ]);
  });

  it('A25 after a sweep that works nothing is found', async () => {
    const world = swept();
    world.sql('UPDATE rec_sources SET swept_at = 0');
    expect((await world.nvr.run()).erased).toBe(2);
    expect(await world.found()).toEqual({});
  });

  it('A25 what a hold keeps is explained, and is a finding once the hold is gone and a sweep was completed', async () => {
    const world = swept();
    const hold = world.nvr.hold({ from: null, to: null });
    expect(await world.found()).toEqual({});
    expect(checkOf(world, 'expired')).toMatchObject({ looked: 2, explained: 2 });
    world.sql('UPDATE holds SET released_at = ?', world.clock.now() - 30 * 60_000);
    // Released after the sweep: the next one is to take it.
    expect(await world.found()).toEqual({});
    world.sql('UPDATE holds SET released_at = ?', world.clock.now() - 2 * HOUR_MS);
    expect(await world.found()).toEqual({ 'expired-present': 2 });
    expect(hold).toBeTruthy();
  });

  it('A25 a file that was left alone for a reason that was told is explained', async () => {
    const world = swept();
    world.sql(
      "INSERT INTO rec_unknown (folder, name, kind, reason, seen_at) SELECT folder, name, 'refused', 'linked', 1 FROM recordings",
    );
    expect(await world.found()).toEqual({});
    expect(checkOf(world, 'expired')).toMatchObject({ explained: 2 });
  });

  it('A25 rules that were shortened after the sweep owe nothing yet', async () => {
    const world = swept();
    world.base.journal.transact(() => {
      world.base.sweeps.setPolicy(world.nvr.policy as never, world.clock.now());
      return { tell: [] };
    });
    expect(await world.found()).toEqual({});
  });

  it('A25 a sweep that never comes is found, unless it says why it waits', async () => {
    const world = swept();
    world.sql('UPDATE rec_sources SET swept_at = ?', world.clock.now() - 30 * DAY_MS);
    expect(await world.found()).toMatchObject({ 'sweep-late': 1 });
    world.waits = true;
    expect(await world.found()).not.toHaveProperty('sweep-late');
    expect(checkOf(world, 'expired')?.unseen).toContain('sweep-waits');
  });

  it('R5 where the recorder removes, what it did not remove for a day is a finding of its own', async () => {
    const world = swept({ mode: 'report' });
    expect(await world.found()).toEqual({ 'recorder-late': 2 });
    // One was due two hours ago, which the recorder may still remove by itself.
    const fresh = new AuditWorld({ mode: 'report' });
    fresh.record(30.1);
    fresh.nvr.catalogue();
    fresh.sql('UPDATE rec_sources SET swept_at = ?', fresh.clock.now());
    expect(await fresh.found()).toEqual({});
  });

  it('A1 without rules, trusted time or readable holds nothing is judged, and that is said', async () => {
    const world = swept();
    world.nvr.trusted = null;
    expect(await world.found()).toEqual({});
    expect(checkOf(world, 'expired')?.unseen).toContain('time-untrusted');
    world.nvr.trusted = world.clock.now();
    world.nvr.policy = null;
    expect(await world.found()).toEqual({});
    expect(checkOf(world, 'expired')?.unseen).toContain('no-policy');
    world.nvr.policy = { name: 'none', version: 1, author: 't', zone: 'UTC', rules: [] };
    expect(await world.found()).toEqual({});
    expect(checkOf(world, 'expired')?.unseen).toContain('no-rule');
    const torn = swept();
    torn.nvr.hold({ from: null, to: null });
    torn.sql("UPDATE holds SET scope = 'torn'");
    expect(await torn.found()).toEqual({});
    expect(checkOf(torn, 'expired')?.unseen).toContain('holds-unreadable');
  });
});

describe('agent/self-audit: the decider of what is expired', () => {
  const time = fc.integer({ min: 0, max: 100 }).map((days) => utcMs(days * DAY_MS));
  const facts: fc.Arbitrary<ExpiredFacts> = fc.record({
    now: time.map((at) => utcMs(at + 100 * DAY_MS)),
    erases: fc.boolean(),
    sweptAt: fc.option(time),
    firstAt: fc.option(time),
    periodMs: fc.option(fc.integer({ min: HOUR_MS, max: 30 * DAY_MS })),
    waits: fc.boolean(),
    changedSince: fc.boolean(),
    past: fc.array(fc.record({ dueAt: time, refused: fc.boolean() }), { maxLength: 8 }),
  });

  it('A25 every recording past due is explained or a finding, never neither, never both', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const { unexplained, explained, late } = judgeExpired(one);
        expect(unexplained + explained).toBe(one.past.length);
        expect(unexplained).toBeLessThanOrEqual(one.past.filter(({ refused }) => !refused).length);
        if (one.waits) expect(late).toBe(false);
        // Waiting longer hides nothing.
        if (!one.erases) {
          const later = judgeExpired({ ...one, now: utcMs(one.now + DAY_MS) });
          expect(later.unexplained).toBeGreaterThanOrEqual(unexplained);
        }
      }),
    );
  });
});
