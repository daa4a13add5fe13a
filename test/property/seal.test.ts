/** P1–P3 over any input. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, wellFormed } from '../../protocol/canonical.ts';
import { idBytes, idFrom } from '../../protocol/ids.ts';
import {
  commitment,
  makeWrap,
  openPart,
  openWrap,
  type PartPlace,
  type Personal,
  sealPart,
  x25519Private,
} from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { seeded } from '../protocol/seeded.ts';

const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n }).map((b) => Buffer.from(b));
const id = <K extends string>() => bytes(16).map((b) => idFrom<K>(b));
const seed = fc.string();
const place: fc.Arbitrary<PartPlace> = fc.record({
  log: id<'log'>(),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  group: id<'group'>(),
  under: id<'group'>(),
});
const personal = fc
  .dictionary(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }),
    { maxKeys: 6 },
  )
  .map((p) => wellFormed(p) as Personal);

describe('sealed parts', () => {
  it('P1 P2 whatever is sealed opens, to the same canonical P, and only in its place', () => {
    fc.assert(
      fc.property(bytes(32), place, personal, seed, (key, at, p, s) => {
        const { c, body } = sealPart(key, at, p, seeded(s));
        expect(body.length % 256).toBe(28);
        const opened = openPart(key, at, c, body);
        expect(opened).not.toBeNull();
        expect(canonical(opened?.p)).toBe(canonical(p));
        expect(commitment(opened?.r ?? Buffer.alloc(0), at, p)).toBe(c);
        expect(openPart(key, { ...at, seq: at.seq === 1 ? 2 : at.seq - 1 }, c, body)).toBeNull();
        const otherLog = idFrom<'log'>(idBytes(at.log).reverse());
        fc.pre(otherLog !== at.log);
        expect(openPart(key, { ...at, log: otherLog }, c, body)).toBeNull();
      }),
    );
  });

  it('P2 opening never throws and never gives anything but what was sealed', () => {
    fc.assert(
      fc.property(
        bytes(32),
        place,
        personal,
        seed,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (key, at, p, s, where, flip) => {
          const { c, body } = sealPart(key, at, p, seeded(s));
          const spoilt = Buffer.from(body);
          const i = where % spoilt.length;
          spoilt[i] = (spoilt[i] ?? 0) ^ flip;
          expect(openPart(key, at, c, spoilt)).toBeNull();
        },
      ),
    );
    fc.assert(
      fc.property(bytes(32), place, fc.string(), fc.uint8Array({ maxLength: 600 }), (key, at, c, body) => {
        expect(openPart(key, at, c, body)).toBeNull();
      }),
    );
  });

  it('P3 moved any number of times, P, r and c stay; each body opens only where it lies', () => {
    fc.assert(
      fc.property(
        bytes(32),
        place,
        personal,
        fc.array(id<'group'>(), { minLength: 1, maxLength: 4 }),
        seed,
        (key, at, p, groups, s) => {
          const random = seeded(s);
          const first = sealPart(key, at, p, random);
          let here: { at: PartPlace; body: Buffer; key: Buffer } = { at, body: first.body, key };
          for (const under of groups) {
            const opened = openPart(here.key, here.at, first.c, here.body);
            expect(opened).not.toBeNull();
            if (opened === null) return;
            const next = { ...here.at, under };
            const nextKey = random(32);
            const moved = sealPart(nextKey, next, opened.p, random, opened.r);
            expect(moved.c).toBe(first.c);
            expect(openPart(here.key, next, first.c, moved.body)).toBeNull();
            here = { at: next, body: moved.body, key: nextKey };
          }
          expect(canonical(openPart(here.key, here.at, first.c, here.body)?.p)).toBe(canonical(p));
        },
      ),
    );
  });
});

describe('wraps', () => {
  it('P2 open with their own private half only, and never throw', () => {
    fc.assert(
      fc.property(
        bytes(32),
        bytes(32),
        id<'log'>(),
        id<'group'>(),
        bytes(32),
        seed,
        fc.nat(),
        (rawKey, rawOther, log, group, content, s, where) => {
          fc.pre(!rawKey.equals(rawOther));
          const privateKey = x25519Private(rawKey);
          const groupKey = publicText(privateKey);
          const wrap = makeWrap(groupKey, log, group, content, seeded(s));
          expect(openWrap(privateKey, groupKey, log, wrap)).toEqual(content);
          const spoilt = Buffer.from(wrap.body);
          const i = where % spoilt.length;
          spoilt[i] = (spoilt[i] ?? 0) ^ 0x10;
          expect(openWrap(privateKey, groupKey, log, { ...wrap, body: spoilt })).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
    const privateKey = x25519Private(Buffer.alloc(32, 7));
    fc.assert(
      fc.property(
        id<'wrap'>(),
        id<'log'>(),
        id<'group'>(),
        fc.uint8Array({ maxLength: 120 }),
        (wrapId, log, group, body) => {
          const wrap = { id: wrapId, group, body: Buffer.from(body) };
          expect(openWrap(privateKey, publicText(privateKey), log, wrap)).toBeNull();
        },
      ),
    );
  });
});
