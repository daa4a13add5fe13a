/** L1–L3 and X1 over any input. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, isCanonical, leafHash, wellFormed } from '../../protocol/canonical.ts';
import { isRecognised } from '../../protocol/event.ts';
import type { GroupId, LogId } from '../../protocol/ids.ts';
import { leafSchema, makeLeaf, readLeaf } from '../../protocol/leaf.ts';
import { utcMs } from '../../protocol/time.ts';

const hex = (n: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: n, maxLength: n });
const b64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('base64url'));
const json = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 }) as fc.Arbitrary<unknown>;
const iso = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }).map((ms) => new Date(ms).toISOString());
const good = fc.record({
  v: fc.constant(1),
  log: hex(32),
  seq: fc.integer({ min: 1 }),
  prev: b64,
  at: iso,
  boot: hex(16),
  up: fc.nat(),
  type: fc.constantFrom('session.ended', 'later.thing', 'a', 'recordings.root-suspect'),
  data: fc.dictionary(fc.string(), json, { maxKeys: 4 }),
  pii: fc.uniqueArray(fc.record({ group: hex(32), c: b64 }), {
    maxLength: 4,
    selector: (item) => item.group,
  }),
});
// Values that sit close to each rule, so that random changes hit the edges and not only nonsense.
const edge = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    2 ** 53 - 1,
    -(2 ** 53),
    1e21,
    '',
    '1',
    true,
    null,
    [],
    {},
    [[]],
    [null],
    '2026-02-30T00:00:00.000Z',
    '2026-02-03T24:00:00.000Z',
    '2026-11-22T06:12:00.123Z',
    '2026-11-22T06:12:00Z',
    '0000-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '2026-06-31T12:00:00.000Z',
    'A'.repeat(42),
    'A'.repeat(43),
    'A'.repeat(44),
    `${'A'.repeat(42)}=`,
    'ab'.repeat(16),
    'AB'.repeat(16),
    'a'.repeat(64),
    'a'.repeat(65),
    'session.ended\n',
    '.a',
    'A.b',
    [{ group: 'ab'.repeat(16), c: 'A'.repeat(43) }],
    [{ group: 'ab'.repeat(16), c: 'A'.repeat(43), more: 1 }],
    [
      { group: 'ab'.repeat(16), c: 'A'.repeat(43) },
      { group: 'ab'.repeat(16), c: 'B'.repeat(43) },
    ],
    [{ group: 'ab'.repeat(16) }],
    Array.from({ length: 5 }, (_x, i) => ({ group: `${i}`.repeat(32), c: 'A'.repeat(43) })),
  ),
  json,
);
const field = fc.constantFrom(
  'v',
  'log',
  'seq',
  'prev',
  'at',
  'boot',
  'up',
  'type',
  'data',
  'pii',
  'later',
  '__proto__',
);

describe('readLeaf and leafSchema', () => {
  it('L3 agree on every canonical text, good or spoilt in one or two places', () => {
    const spoilt = fc
      .tuple(good, fc.array(fc.tuple(field, fc.option(edge, { nil: undefined })), { maxLength: 2 }))
      .map(([leaf, changes]) => {
        const entries = new Map<string, unknown>(Object.entries(leaf));
        for (const [name, value] of changes) {
          if (value === undefined) entries.delete(name);
          else entries.set(name, value);
        }
        return Object.fromEntries(entries);
      });
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(spoilt, (value) => {
        const text = canonical(wellFormed(value));
        const read = readLeaf(text);
        const accepted = leafSchema.safeParse(JSON.parse(text)).success;
        expect(typeof read === 'object').toBe(accepted);
        if (accepted) taken += 1;
        else refused += 1;
      }),
      { numRuns: 2000 },
    );
    // Both sides of the line were looked at.
    expect(Math.min(taken, refused)).toBeGreaterThan(200);
  });

  it('X1 L3 no text but the canonical one of a value is ever taken, and reading never throws', () => {
    fc.assert(
      fc.property(
        good,
        fc.nat(),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (leaf, at, chars, cut) => {
          const text = canonical(wellFormed(leaf));
          const i = at % text.length;
          const spoilt = text.slice(0, i) + chars + text.slice(i + (cut ? chars.length : 0));
          const read = readLeaf(spoilt);
          if (typeof read === 'object') expect(canonical(read)).toBe(spoilt);
          if (spoilt !== text) expect(leafHash(spoilt)).not.toEqual(leafHash(text));
        },
      ),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(typeof readLeaf(text)).toBe('string');
      }),
    );
  });

  it('X1 whether a text is canonical is the same question as whether it is what `canonical` writes', () => {
    // Any text of a value: keys in any order, lone surrogates, numbers as keys, deep nesting.
    const unit = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('\ud800', '\udfff', '\\', '0', '1'),
    );
    const key = fc.oneof(
      fc.string({ unit, maxLength: 3 }),
      fc.constantFrom('2', '10', '1', '__proto__', 'toJSON', 'a', 'B'),
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'medium' },
        fc.string({ unit, maxLength: 4 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(null, true, -0, 1e21),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(key, tie('any'), { maxKeys: 4 }),
      ),
    })).any;
    const deep = fc.nat({ max: 40 }).map((n) => JSON.parse(`${'['.repeat(n)}{"b":1,"a":2}${']'.repeat(n)}`));
    let yes = 0;
    fc.assert(
      fc.property(fc.oneof(value, deep), fc.boolean(), (item, tidy) => {
        const written = JSON.stringify(item);
        const text = tidy ? canonical(wellFormed(JSON.parse(written))) : written;
        const parsed = JSON.parse(text);
        let expected = false;
        try {
          expected = canonical(parsed) === text;
        } catch {
          // A lone surrogate: no canonical form, so no text is one.
        }
        expect(isCanonical(text, parsed), text).toBe(expected);
        if (expected) yes += 1;
      }),
      { numRuns: 1500 },
    );
    expect(yes).toBeGreaterThan(500);
  });

  it('X1 canonical text does not depend on the order in which keys were written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), (value) => {
        const clean = wellFormed(value);
        const reversed = Object.fromEntries(Object.entries(clean).reverse());
        expect(canonical(reversed)).toBe(canonical(clean));
        expect(isCanonical(canonical(clean), JSON.parse(canonical(clean)))).toBe(true);
      }),
    );
  });
});

describe('makeLeaf', () => {
  const ended = fc.record({
    session: hex(32),
    endedAt: iso,
    endBasis: fc.constantFrom('file-utc' as const, 'observed' as const),
    durationSeconds: fc.nat(),
    reason: fc.constantFrom('completed' as const, 'unknown' as const),
  });

  it('L1 L2 a log made in order reads back as one chain without holes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(ended, fc.nat(), fc.double({ min: 0, max: 1e9, noNaN: true })), {
          minLength: 1,
          maxLength: 12,
        }),
        hex(32),
        (items, log) => {
          const birth = leafHash('birth');
          let head: Buffer = birth;
          const texts = items.map(([data, at, up], i) => {
            const made = makeLeaf({
              log: log as LogId,
              seq: i + 1,
              prev: head,
              at: utcMs(at),
              boot: '0011223344556677',
              up,
              type: 'session.ended',
              data,
              pii: [{ group: log as string as GroupId, c: birth.toString('base64url') }],
            });
            expect(made.hash).toEqual(leafHash(made.text));
            head = made.hash;
            return made.text;
          });
          let prev = birth;
          texts.forEach((text, i) => {
            const leaf = readLeaf(text);
            expect(leaf).toMatchObject({ seq: i + 1, prev: prev.toString('base64url') });
            expect(typeof leaf === 'object' && isRecognised(leaf.type, leaf.data)).toBe(true);
            prev = leafHash(text);
          });
        },
      ),
    );
  });
});
