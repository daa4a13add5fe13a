/** L1–L3: leaves. */
import { describe, expect, it } from 'vitest';
import { leafHash } from '../../protocol/canonical.ts';
import { MAX_LEAF_BYTES, makeLeaf, readLeaf } from '../../protocol/leaf.ts';
import { utcMs } from '../../protocol/time.ts';
import { idOf } from './seeded.ts';

const prev = Buffer.alloc(32, 0xee);
const input = {
  log: idOf<'log'>('1f'),
  seq: 2,
  prev,
  at: utcMs(Date.UTC(2026, 10, 22, 6, 12, 0, 123)),
  boot: '0011223344556677',
  up: 918_273.4,
  type: 'session.ended' as const,
  data: {
    session: idOf('5e'),
    endedAt: '2026-11-22T06:12:00.000Z',
    endBasis: 'file-utc' as const,
    durationSeconds: 1312,
    reason: 'completed' as const,
  },
  pii: [{ group: idOf<'group'>('a1'), c: Buffer.alloc(32, 1).toString('base64url') }],
};
const made = makeLeaf(input);
const base = JSON.parse(made.text);
/** The canonical text of the leaf with something changed. Keys of a leaf are ASCII, so sorting is simple. */
function changed(change: Record<string, unknown>): string {
  const record = Object.fromEntries(
    Object.entries({ ...base, ...change })
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return JSON.stringify(record);
}

describe('making a leaf', () => {
  it('L3 has one exact text', () => {
    expect(made.text).toBe(
      `{"at":"2026-11-22T06:12:00.123Z","boot":"0011223344556677","data":{"durationSeconds":1312,` +
        `"endBasis":"file-utc","endedAt":"2026-11-22T06:12:00.000Z","reason":"completed","session":"${'5e'.repeat(16)}"},` +
        `"log":"${'1f'.repeat(16)}","pii":[{"c":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","group":"${'a1'.repeat(16)}"}],` +
        `"prev":"7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u4","seq":2,"type":"session.ended","up":918273,"v":1}`,
    );
    expect(made.hash).toEqual(leafHash(made.text));
  });

  it('L2 carries the hash of what came before as prev', () => {
    const next = makeLeaf({ ...input, seq: 3, prev: made.hash });
    const read = readLeaf(next.text);
    expect(read).toMatchObject({ seq: 3, prev: made.hash.toString('base64url') });
  });

  it('L3 reads back as it was made', () => {
    expect(readLeaf(made.text)).toEqual(base);
  });

  it('E1 a field outside the schema is refused here, and the message names the field, never its value', () => {
    const attempts = [
      { ...input, data: { ...input.data, reason: 'Peter Hansen' } },
      { ...input, data: { ...input.data, peer: 'Peter Hansen' } },
      { ...input, data: { ...input.data, durationSeconds: 1.5 } },
      { ...input, type: 'Peter Hansen' },
    ];
    for (const attempt of attempts.slice(0, 3)) {
      let thrown: unknown;
      try {
        makeLeaf(attempt as never);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'event.invalid' });
      expect(String(thrown)).not.toContain('Hansen');
    }
    expect(() => makeLeaf(attempts[3] as never)).toThrow(expect.objectContaining({ code: 'event.invalid' }));
  });

  it('L3 over 16 KiB is refused with its own code', () => {
    const confirmedBy = Array.from({ length: 8 }, () => 'logfile');
    const pii = Array.from({ length: 200 }, (_v, i) => ({
      group: i.toString(16).padStart(32, '0') as never,
      c: Buffer.alloc(32).toString('base64url'),
    }));
    const data = { session: idOf('5e'), auth: null, failedAttempts: null, files: null, confirmedBy };
    expect(() => makeLeaf({ ...input, type: 'session.updated', data: data as never, pii })).toThrow(
      expect.objectContaining({ code: 'event.too-large' }),
    );
  });
});

describe('reading a leaf', () => {
  it('L3 a type or field that this version does not know is no problem', () => {
    expect(
      readLeaf(changed({ type: 'recordings.erased', data: { camera: 'c1', n: [1, { x: null }] } })),
    ).toMatchObject({
      type: 'recordings.erased',
    });
    expect(readLeaf(changed({ zone: 'later' }))).toMatchObject({ zone: 'later' });
    expect(
      readLeaf(changed({ pii: [{ c: base.pii[0].c, group: base.pii[0].group, later: 1 }] })),
    ).toMatchObject({ seq: 2 });
  });

  it.each([
    ['empty', ''],
    ['half', made.text.slice(0, -1)],
    ['two', made.text + made.text],
    ['a BOM before it', `\ufeff${made.text}`],
  ])('L3 not JSON: %s', (_name, text) => {
    expect(readLeaf(text)).toBe('not-json');
  });

  it.each([
    ['a space', made.text.replace(':', ': ')],
    ['a newline behind', `${made.text}\n`],
    ['a key twice', made.text.replace('"v":1', '"v":1,"v":1')],
    [
      'a key twice inside data',
      made.text.replace('"durationSeconds":1312', '"durationSeconds":1,"durationSeconds":1312'),
    ],
    ['keys in another order', JSON.stringify(Object.fromEntries(Object.entries(base).reverse()))],
    ['a float form of seq', made.text.replace('"seq":2,', '"seq":2.0,')],
    ['an exponent', made.text.replace('"seq":2,', '"seq":2e0,')],
    ['minus zero', made.text.replace('"up":918273', '"up":-0')],
    ['seq 2^53 + 1', made.text.replace('"seq":2,', '"seq":9007199254740993,')],
    ['a needless escape', made.text.replace('"completed"', '"\\u0063ompleted"')],
    ['a lone surrogate', made.text.replace('"completed"', '"\\ud83d"')],
    ['a lone surrogate as a key', made.text.replace('"endBasis"', '"\\ude00"')],
  ])('L3 not canonical: %s', (_name, text) => {
    expect(readLeaf(text)).toBe('not-canonical');
  });

  it.each<[string, Record<string, unknown>]>([
    ['another version', { v: 2 }],
    ['no version', { v: undefined }],
    ['log is no id', { log: '1F'.repeat(16) }],
    ['log is short', { log: '1f'.repeat(15) }],
    ['seq 0', { seq: 0 }],
    ['seq −1', { seq: -1 }],
    ['seq 1.5', { seq: 1.5 }],
    ['seq 2^53', { seq: 2 ** 53 }],
    ['seq as text', { seq: '2' }],
    ['prev is no hash', { prev: 'A'.repeat(42) }],
    ['prev is plain base64', { prev: `${'A'.repeat(42)}+` }],
    ['prev is null', { prev: null }],
    ['at without milliseconds', { at: '2026-11-22T06:12:00Z' }],
    ['at with an offset', { at: '2026-11-22T06:12:00.123+01:00' }],
    ['at on a day that does not exist', { at: '2026-02-30T00:00:00.000Z' }],
    ['at at an hour that does not exist', { at: '2026-02-03T24:00:00.000Z' }],
    ['at as a number', { at: 1 }],
    ['boot too long', { boot: '00'.repeat(9) }],
    ['up negative', { up: -1 }],
    ['up 2^53', { up: 2 ** 53 }],
    ['type with a space', { type: 'session ended' }],
    ['type with a capital', { type: 'Session.ended' }],
    ['type too long', { type: 'a'.repeat(65) }],
    ['type empty', { type: '' }],
    ['data is a list', { data: [] }],
    ['data is null', { data: null }],
    ['data is missing', { data: undefined }],
    ['pii is missing', { pii: undefined }],
    ['pii is an object', { pii: {} }],
    ['pii holds a number', { pii: [1] }],
    ['pii without c', { pii: [{ group: 'a1'.repeat(16) }] }],
    ['one group twice', { pii: [base.pii[0], base.pii[0]] }],
    [
      'five groups',
      { pii: ['1', '2', '3', '4', '5'].map((d) => ({ c: base.pii[0].c, group: d.repeat(32) })) },
    ],
  ])('L3 canonical, but no leaf: %s', (_name, change) => {
    expect(readLeaf(changed(change))).toBe('not-a-leaf');
  });

  it.each(['null', '[]', '"x"', '7', 'true', '{}'])('L3 JSON, but no leaf: %s', (text) => {
    expect(readLeaf(text)).toBe('not-a-leaf');
  });

  it('L3 exactly 16 KiB is read; one byte more, also as UTF-8 bytes, is too large', () => {
    const room = MAX_LEAF_BYTES - Buffer.byteLength(changed({ data: { x: '' } }));
    expect(readLeaf(changed({ data: { x: 'x'.repeat(room) } }))).toMatchObject({ seq: 2 });
    expect(readLeaf(changed({ data: { x: 'x'.repeat(room + 1) } }))).toBe('too-large');
    expect(readLeaf(changed({ data: { x: 'æ'.repeat(room / 2 + 1) } }))).toBe('too-large');
  });

  it('L3 nesting as deep as fits never throws', () => {
    const deep = (n: number) =>
      changed({ data: { x: 0 } }).replace('"x":0', `"x":${'['.repeat(n)}${']'.repeat(n)}`);
    expect(readLeaf(deep(7_000))).toMatchObject({ seq: 2 });
    expect(readLeaf(deep(100_000))).toBe('too-large');
  });
});
