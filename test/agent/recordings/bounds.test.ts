import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latestEnds, type Timed } from '../../../agent/recordings/bounds.ts';

const LONGEST = 600_000;
const at = (start: number, more: Partial<Timed> = {}): Timed => ({
  ...{ start, spread: 0, stated: null, known: null },
  ...more,
});

describe('latest ends (D3)', () => {
  it('D3: the next start, at most the longest segment, whatever the order', () => {
    expect(latestEnds([at(20_000), at(0), at(10_000)], LONGEST)).toEqual([620_000, 10_000, 20_000]);
  });

  it('D3: a camera that was off for three days: the last file ends at its own bound', () => {
    expect(latestEnds([at(0), at(3 * 86_400_000)], LONGEST)[0]).toBe(LONGEST);
  });

  it('D3: a stated end counts, also where the next began before it', () => {
    expect(latestEnds([at(0, { stated: 60_000 }), at(50_000)], LONGEST)[0]).toBe(60_000);
  });

  it('C22: in a repeated hour only what began after it for certain ends it', () => {
    const repeated = at(0, { spread: 3_600_000 });
    expect(latestEnds([repeated, at(10_000, { spread: 3_600_000 })], LONGEST)[0]).toBe(4_200_000);
    expect(latestEnds([repeated, at(3_610_000)], LONGEST)[0]).toBe(3_610_000);
  });

  it('C23: what shortened an end does not lengthen it by going', () => {
    expect(latestEnds([at(0, { known: 10_000 })], LONGEST)[0]).toBe(10_000);
  });

  const timed = fc.record({
    start: fc.integer({ min: 0, max: 5_000_000 }),
    spread: fc.constantFrom(0, 0, 0, 3_600_000),
    stated: fc.constant(null),
    known: fc.constant(null),
  });

  it('D3: equals the definition, for any recordings', () => {
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 40 }), (items) => {
        const expected = items.map((item) => {
          const latest = item.start + item.spread;
          const after = items
            .filter(({ start }) => start > latest)
            .map(({ start, spread }) => start + spread);
          return Math.min(latest + LONGEST, ...after);
        });
        expect(latestEnds(items, LONGEST)).toEqual(expected);
      }),
    );
  });

  it('D3: told in two parts, in any order, gives what all of it at once gives', () => {
    fc.assert(
      fc.property(fc.array(timed, { minLength: 1, maxLength: 30 }), fc.nat(), (items, cut) => {
        const first = items.slice(0, cut % items.length);
        const known = latestEnds(first, LONGEST);
        const again = items.map((item, place) => ({ ...item, known: known[place] ?? null }));
        expect(latestEnds(again, LONGEST)).toEqual(latestEnds(items, LONGEST));
      }),
    );
  });
});
