import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bounded, ownText } from '../../../agent/sources/bounded.ts';

const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  value: fc.nat(9),
  set: fc.boolean(),
});

test('R1 holds the youngest of what was put in and not taken out, in order, and says who gave way', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
      const bounded = new Bounded<number>(max);
      const plain = new Map<string, number>();
      for (const { key, value, set } of steps) {
        if (!set) {
          bounded.delete(key);
          plain.delete(key);
          continue;
        }
        const first = plain.size < max || plain.has(key) ? undefined : [...plain.entries()][0];
        if (first !== undefined) plain.delete(first[0]);
        plain.set(key, value);
        expect(bounded.set(key, value)).toBe(first?.[1] ?? null);
        expect(bounded.get(key)).toBe(value);
      }
      expect(bounded.size).toBe(plain.size);
      expect(bounded.values()).toEqual([...plain.values()]);
    }),
  );
});

test('a text of its own is the same text', () => {
  for (const text of ['', 'mholm', 'Søren Ærø', '日本', '2001:db8::5 '.repeat(9)])
    expect(ownText(text)).toBe(text);
});
