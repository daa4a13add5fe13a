import { randomBytes } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Canary, hitLine, Searcher } from './search.ts';

const TEXT = 'Jöns ~?>ÿQx7Wk';
const CANARY: Canary = { name: 'a name', text: TEXT };
const searcher = new Searcher([CANARY]);
const utf8 = Buffer.from(TEXT);

function formsIn(bytes: Buffer | string): string[] {
  return searcher.search('bytes', Buffer.from(bytes as string)).map(({ form }) => form);
}

/** Noise in which no needle can stand by chance. */
const noise = (size: number) => randomBytes(size);

describe('the searcher', () => {
  it.each([
    ['raw', utf8],
    ['raw lower', Buffer.from(TEXT.toLowerCase())],
    ['raw upper', Buffer.from(TEXT.toUpperCase())],
    ['utf-16le', Buffer.from(TEXT, 'utf16le')],
    ['utf-16be', Buffer.from(TEXT, 'utf16le').swap16()],
    ['json', Buffer.from(TEXT.replace('ö', '\\u00f6').replace('ÿ', '\\u00ff'))],
    ['hex', Buffer.from(utf8.toString('hex'))],
    ['hex upper', Buffer.from(utf8.toString('hex').toUpperCase())],
    ['percent', Buffer.from(encodeURIComponent(TEXT))],
    ['percent, + for blank', Buffer.from(encodeURIComponent(TEXT).replaceAll('%20', '+'))],
    ['percent, every byte', Buffer.from([...utf8].map((b) => `%${b.toString(16).toUpperCase()}`).join(''))],
    ['percent, every byte, lower', Buffer.from([...utf8].map((b) => `%${b.toString(16)}`).join(''))],
  ])('finds it as %s, at any offset', (form, bytes) => {
    for (const before of [0, 1, 2, 3, 4096]) {
      const hits = searcher.search('x', Buffer.concat([noise(before), bytes, noise(33)]));
      expect(hits).toContainEqual({ where: 'x', canary: 'a name', form, offset: before });
    }
  });

  it('finds it in base64 and base64url behind and before any number of other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (before, after) => {
        const all = Buffer.concat([before, utf8, after]);
        const shift = before.length % 3;
        expect(formsIn(all.toString('base64'))).toContain(`base64+${shift}`);
        expect(formsIn(all.toString('base64url'))).toContain(`base64url+${shift}`);
      }),
    );
  });

  it('knows the two alphabets apart, where they differ', () => {
    expect(utf8.toString('base64')).not.toBe(utf8.toString('base64url'));
    expect(formsIn(utf8.toString('base64'))).toEqual(['base64+0']);
  });

  it('finds every form inside gzip and zlib, and one inside the other', () => {
    const text = Buffer.from('{"level":"info","msg":"a line of some log"}\n'.repeat(20));
    for (const form of [utf8, Buffer.from(utf8.toString('hex')), Buffer.from(TEXT, 'utf16le')]) {
      const inner = Buffer.concat([text, form, text]);
      const found = (stream: Buffer) => formsIn(Buffer.concat([noise(77), stream, noise(9)]));
      expect(found(gzipSync(inner)).every((at) => at.startsWith('gzip > '))).toBe(true);
      expect(found(gzipSync(inner))).not.toEqual([]);
      expect(found(deflateSync(inner))[0]).toMatch(/^zlib > /);
      expect(found(gzipSync(deflateSync(inner)))[0]).toMatch(/^gzip > zlib > /);
    }
  });

  it.each([1, 6, 9])('finds it in a zlib stream of level %i', (level) => {
    expect(formsIn(deflateSync(utf8, { level }))).toContain('zlib > raw');
  });

  it('finds it in the whole part of a stream that is cut off or damaged', () => {
    const stream = gzipSync(Buffer.concat([utf8, noise(50_000)]));
    expect(formsIn(stream.subarray(0, 20_000))).toContain('gzip > raw');
    const damaged = Buffer.from(stream);
    damaged.fill(0xff, 30_000, 31_000);
    expect(formsIn(damaged)).toContain('gzip > raw');
  });

  it('finds nothing where nothing is', () => {
    expect(formsIn(noise(1_000_000))).toEqual([]);
    expect(formsIn(gzipSync(noise(10_000)))).toEqual([]);
    expect(formsIn(Buffer.alloc(0))).toEqual([]);
  });

  it('of many needles in one pass it finds what each of them alone would find', () => {
    const texts = fc.array(fc.stringMatching(/^[ab]{6,9}$/), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(texts, fc.stringMatching(/^[ab]{0,200}$/), (names, text) => {
        const canaries = [...new Set(names)].map((name) => ({ name, text: name }));
        const bytes = Buffer.from(text);
        const expected = canaries.flatMap(({ name }) => {
          const offset = bytes.indexOf(name);
          return offset < 0 ? [] : [{ where: 'x', canary: name, form: 'raw', offset }];
        });
        const found = new Searcher(canaries).search('x', bytes).filter(({ form }) => form === 'raw');
        expect(found).toEqual(expected);
      }),
    );
  });

  it('tells two canaries apart', () => {
    const two = new Searcher([CANARY, { name: 'an id', text: '1744200911' }]);
    const hits = two.search('x', Buffer.from(`${TEXT} 1744200911`));
    expect(new Set(hits.map(({ canary }) => canary))).toEqual(new Set(['a name', 'an id']));
  });

  it('does not say the canary itself in its report', () => {
    const [hit] = searcher.search('some/file', utf8);
    expect(hit).toBeDefined();
    if (hit !== undefined) expect(hitLine(hit)).toBe('a name as raw in some/file at 0');
  });
});
