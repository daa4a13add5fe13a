import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { fromWall, isZone, wallOf, zoneOffsetMs } from '../../protocol/zone.ts';

const CPH = 'Europe/Copenhagen';
const at = (...fields: [number, number, number, number, number]) =>
  toIso(fromWall(wallOf(...fields, 0) ?? Number.NaN, CPH));

describe('local time (X13)', () => {
  it('X13: a reading that was shown once is that instant', () => {
    expect(at(2026, 7, 1, 12, 0)).toBe('2026-07-01T10:00:00.000Z');
    expect(at(2026, 12, 1, 12, 0)).toBe('2026-12-01T11:00:00.000Z');
  });

  it('X13: a reading that was shown twice is the earlier one, one that was never shown is by the offset before', () => {
    expect(at(2026, 10, 25, 2, 30)).toBe('2026-10-25T00:30:00.000Z');
    expect(at(2026, 3, 29, 2, 30)).toBe('2026-03-29T01:30:00.000Z');
  });

  it('finds back every instant that its zone showed once', () => {
    const zones = fc.constantFrom(CPH, 'UTC', 'America/St_Johns', 'Asia/Kathmandu', 'Australia/Lord_Howe');
    fc.assert(
      fc.property(zones, fc.integer({ min: 0, max: 4_000_000_000_000 }), (zone, ms) => {
        const offset = zoneOffsetMs(ms, zone);
        const back: UtcMs = fromWall(ms + offset, zone);
        expect(back <= utcMs(ms)).toBe(true);
        expect(back + zoneOffsetMs(back, zone)).toBe(ms + offset);
      }),
    );
  });

  it('knows what no calendar and no tz database has', () => {
    expect(wallOf(2026, 2, 29, 0, 0, 0)).toBeNull();
    expect(wallOf(2028, 2, 29, 0, 0, 0)).not.toBeNull();
    expect(wallOf(2026, 13, 1, 0, 0, 0)).toBeNull();
    expect(isZone('Europe/Nowhere')).toBe(false);
    expect(zoneOffsetMs(0, 'Europe/Nowhere')).toBe(0);
  });
});
