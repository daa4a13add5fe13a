/** Declared logs and reports: whatever the bytes, no throw, no guess, and the same again for the same lines. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LineReader, MakeReader, ReaderOptions, SessionChange } from '../../agent/sources/change.ts';
import { makeCsvReader } from '../../agent/sources/csv-report.ts';
import { makeDeclaredReader } from '../../agent/sources/declared.ts';
import { loadDeclared } from '../../agent/sources/declared-load.ts';
import { SHIPPED_SPECS } from '../../agent/sources/declared-shipped.ts';
import { parseDeclared } from '../../agent/sources/declared-spec.ts';
import { Tally } from '../../agent/sources/tally.ts';
import { formatProblem, TimeFormat } from '../../agent/sources/time-format.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { utcMs } from '../../protocol/time.ts';
import { access, begin, gone, knock, refused, stopped } from '../fixtures/x11vnc.ts';

const OPTIONS: ReaderOptions = { zone: 'UTC', near: () => utcMs(Date.UTC(2026, 10, 28)), ownIps: [] };

function maker(name: string): MakeReader {
  const spec = loadDeclared(name);
  return spec.format === 'csv' ? makeCsvReader(spec) : makeDeclaredReader(spec);
}

const ADDRESSES = ['203.0.113.7', '203.0.113.8', '2001:db8::7'];

/** Line by line what may happen, each at a second of its own. */
const story = fc.array(fc.tuple(fc.nat(5), fc.constantFrom(...ADDRESSES)), { maxLength: 60 }).map((steps) =>
  steps.flatMap(([what, ip], second) => {
    const at = `${String(10 + Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}:00`;
    return [knock, access, refused, gone, begin, stopped][what]?.(at, ip) ?? [];
  }),
);

/** Whole lines, broken ones, and noise with the marks that patterns look for. */
const line = fc.oneof(
  story.map((lines) => lines[0] ?? ''),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .array(
      fc.constantFrom(
        '27/11/2026 10:00:00 ',
        'Got connection from client ',
        '203.0.113.7',
        ' gone',
        '[Incoming]',
        '|',
        ';',
        '"',
        ',',
        'Start',
        '\u0000',
        '\ud800',
        '\ufffd',
        '{ip}',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
);

function read(reader: LineReader, lines: readonly string[]): SessionChange[] {
  return lines.flatMap((one) => {
    const result = reader.line(one);
    return result.ok ? result.changes : [];
  });
}

describe('readers', () => {
  test.each(SHIPPED_SPECS)('R1 %s never throws, also through the tally', (name) => {
    const make = maker(name);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        const tally = new Tally(5);
        const reader = make(OPTIONS);
        for (const change of read(reader, lines)) tally.take(change);
        reader.newFile?.();
        for (const change of read(reader, lines)) tally.take(change);
        const { sessions, active, ended, unknownEnd, rows } = tally.result();
        expect(sessions).toBe(active + ended + unknownEnd);
        expect(active).toBeGreaterThanOrEqual(0);
        expect(rows.length).toBeLessThanOrEqual(5);
      }),
      { numRuns: 200 },
    );
  });

  test.each(SHIPPED_SPECS)('R2 %s says the same for the same lines', (name) => {
    const make = maker(name);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        expect(read(make(OPTIONS), lines)).toEqual(read(make(OPTIONS), lines));
      }),
      { numRuns: 50 },
    );
  });

  test('R2 fed again from where the oldest open session begins, it goes on as if it had never stopped', () => {
    const make = maker('x11vnc');
    fc.assert(
      fc.property(story, fc.nat(), (lines, cut) => {
        const stop = lines.length === 0 ? 0 : cut % lines.length;
        const reader = make(OPTIONS);
        // Line at which each session that is open now was first spoken of.
        const open = new Map<string, number>();
        for (const [index, text] of lines.slice(0, stop).entries()) {
          for (const change of read(reader, [text])) {
            if (change.what === 'tool-stopped') open.clear();
            else if (change.what === 'attempted' || change.what === 'rejected')
              open.set(change.key, open.get(change.key) ?? index);
            else if (change.what === 'started') open.set(change.key, open.get(change.key) ?? index);
            else if (change.what === 'ended') open.delete(change.key);
          }
        }
        const again = make(OPTIONS);
        read(again, lines.slice(Math.min(stop, ...open.values()), stop));
        expect(read(again, lines.slice(stop))).toEqual(read(reader, lines.slice(stop)));
      }),
      { numRuns: 300 },
    );
  });

  test('M3 as many ends as starts: no session ends twice, and none before it began', () => {
    const make = maker('x11vnc');
    fc.assert(
      fc.property(story, (lines) => {
        const open = new Set<string>();
        for (const change of read(make(OPTIONS), lines)) {
          if (change.what === 'started') {
            expect(open.has(change.key)).toBe(false);
            open.add(change.key);
          }
          if (change.what === 'ended') expect(open.delete(change.key)).toBe(true);
          if (change.what === 'tool-stopped') open.clear();
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('declarations', () => {
  const word = fc.constantFrom(
    'lines',
    'csv',
    'format',
    'match',
    'what',
    'started',
    '(?P<a>x)',
    '{a}',
    'time',
    '[',
    '(',
    ': ',
    '\n',
    '\n  - ',
    '  ',
    "'",
    '*x',
    '&x',
  );

  test('C5 any text is a declaration or a list of problems', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 300 }),
          fc.array(word, { maxLength: 40 }).map((all) => all.join('')),
        ),
        (text) => {
          try {
            parseDeclared(text, 'x.yaml');
          } catch (error) {
            expect(error).toBeInstanceOf(TilsynError);
            expect((error as TilsynError).message).toMatch(/\d+ problems?\n {2}line \d+: /);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('M1 any format is refused or reads any text without a throw', () => {
    const token = fc.constantFrom(
      '%Y',
      '%y',
      '%m',
      '%b',
      '%d',
      '%e',
      '%H',
      '%I',
      '%M',
      '%S',
      '%f',
      '%N',
      '%p',
      '%z',
      '%s',
      '%Q',
      '%%',
      ' ',
      '(',
      '+',
      '[',
      '/',
      'T',
      '\\d',
    );
    fc.assert(
      fc.property(
        fc.array(token, { minLength: 1, maxLength: 12 }),
        fc.string({ maxLength: 60 }),
        (tokens, text) => {
          const format = tokens.join('');
          if (formatProblem(format) !== null) return;
          const time = new TimeFormat({ format, zone: 'machine' });
          for (const one of [text, '2026-11-27 10:00:00', '27/11/26 10:00 pm']) {
            const read = time.atStart(one, OPTIONS) ?? time.whole(one, OPTIONS);
            if (read !== null) expect(Number.isSafeInteger(read.at)).toBe(true);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
