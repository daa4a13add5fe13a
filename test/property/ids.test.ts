/** X4, X5 over any input: one text form for bytes, ids and times. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spanOf } from '../../protocol/group.ts';
import { fromB64, idBytes, idFrom, isId, toB64 } from '../../protocol/ids.ts';
import { fromIso, isIso, toIso, utcMs } from '../../protocol/time.ts';

// Years 0000 to 9999: what four digits can say.
const instant = fc
  .integer({ min: Date.UTC(1970, 0, 1) - 62_167_219_200_000, max: Date.UTC(9999, 11, 31) })
  .map(utcMs);

describe('text forms', () => {
  it('X4 bytes survive base64url, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const back = fromB64(toB64(bytes));
        expect(back).toEqual(Buffer.from(bytes));
        expect(fromB64(toB64(bytes), bytes.length + 1)).toBeNull();
      }),
    );
  });

  it('X4 whatever fromB64 takes, toB64 writes again, character for character', () => {
    const odd = fc.string({ unit: fc.constantFrom(...'AZaz09-_+/= \né'), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(odd, fc.string({ unit: 'binary' })), (text) => {
        const bytes = fromB64(text);
        if (bytes !== null) expect(toB64(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('X4 ids and their 16 bytes are the same thing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const id = idFrom(bytes);
        expect(isId(id)).toBe(true);
        expect(idBytes(id)).toEqual(Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(isId(text)).toBe(/^[0-9a-f]{32}$/.test(text) && text.length === 32);
      }),
    );
  });

  it('X5 every instant of years 0000 to 9999 survives its text', () => {
    fc.assert(
      fc.property(instant, (at) => {
        expect(isIso(toIso(at))).toBe(true);
        expect(fromIso(toIso(at))).toBe(at);
      }),
      { numRuns: 1000 },
    );
  });

  it('X5 what is read is what would be written', () => {
    const digits = (n: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: n, maxLength: n });
    const shaped = fc
      .tuple(digits(4), digits(2), digits(2), digits(2), digits(2), digits(2), digits(3))
      .map(([y, mo, d, h, mi, s, ms]) => `${y}-${mo}-${d}T${h}:${mi}:${s}.${ms}Z`);
    fc.assert(
      fc.property(fc.oneof(shaped, fc.string()), (text) => {
        const at = fromIso(text);
        if (at !== null) expect(toIso(at)).toBe(text);
      }),
      { numRuns: 5000 },
    );
  });

  it('G1 the span of an instant holds it, starts and ends at midnight UTC, and is no longer than 31 days', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom('day' as const, 'month' as const), (at, unit) => {
        const { from, to } = spanOf(at, unit);
        expect(from <= at && at < to).toBe(true);
        expect(toIso(from)).toMatch(unit === 'day' ? /T00:00:00\.000Z$/ : /-01T00:00:00\.000Z$/);
        const days = (to - from) / 86_400_000;
        expect(unit === 'day' ? days === 1 : days >= 28 && days <= 31).toBe(true);
        expect(spanOf(from, unit)).toEqual({ from, to });
      }),
      { numRuns: 1000 },
    );
  });
});
