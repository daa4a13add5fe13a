import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CutOptions, cutLines } from '../../agent/sources/follow-lines.ts';
import { isCompleteRow, parseConnectionRow } from '../../agent/sources/teamviewer.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { fakeConnection, row, tvTime } from '../fixtures/teamviewer.ts';

const REASONS = ['fields', 'peer-id', 'start', 'end', 'encoding', 'too-long'];
const piece = fc.constantFrom(
  '\t',
  '16-02-2024 14:16:32',
  '123456789',
  '{ab-12}',
  '',
  '\0',
  '\r',
  'RemoteControl',
  '٣'.repeat(9),
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.array(fc.oneof(piece, fc.string()), { maxLength: 20 }).map((parts) => parts.join('\t')),
);

test('any text is a row or one of the known reasons, and never an error', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const result = parseConnectionRow(text);
      if (!result.ok) expect(REASONS).toContain(result.reason);
      else expect(toIso(result.row.startedAt)).toMatch(/^\d{4}-/);
      expect(typeof isCompleteRow(text)).toBe('boolean');
    }),
    { numRuns: 2000 },
  );
});

test('what is complete stays readable: a complete text with a peer id is a row', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const whole = `123456789\tn\t${text}`;
      if (isCompleteRow(whole)) expect(parseConnectionRow(whole).ok).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

const field = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/[\r\n\0\ufffd]/.test(text));
const second = fc.integer({ min: 0, max: 253402300799 }).map((at) => at * 1000);

test('a row is read back as it was written', () => {
  fc.assert(
    fc.property(field, field, second, second, fc.boolean(), (name, user, start, end, withGuid) => {
      const tabless = user.replaceAll('\t', ' ');
      const text = row({
        peerName: name,
        user: tabless,
        start: tvTime(start),
        end: tvTime(end),
        guid: withGuid ? '{A-1}' : '',
      });
      const result = parseConnectionRow(text);
      expect(result).toMatchObject({ ok: true, row: { startedAt: start, endedAt: end } });
      if (!result.ok) return;
      expect(result.row.peerName ?? '').toBe(name.trim() === '' ? '' : name);
      expect(toIso(utcMs(start))).toBe(toIso(result.row.startedAt));
      expect(isCompleteRow(text)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('any bytes in any chunks give the same lines as all of them at once', () => {
  const bytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)),
      fc.constantFrom(Buffer.from('\n'), Buffer.from('\r\n'), Buffer.from('x'.repeat(90))),
      fc.nat(50).map((n) => Buffer.from(`\n${row(fakeConnection(n))}`)),
    ),
    { maxLength: 30 },
  );
  const options: CutOptions = {
    file: 1,
    encoding: 'utf8',
    skipping: false,
    maxLineBytes: 400,
    maxLines: 1e9,
  };
  fc.assert(
    fc.property(bytes, fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 20 }), (parts, sizes) => {
      const file = Buffer.concat([...parts, Buffer.from('\n')]);
      const whole = cutLines(file, 0, options).lines;
      expect(inChunks(file, [...sizes, file.length], options).map(told)).toEqual(whole.map(told));
    }),
    { numRuns: 500 },
  );
});

/** Grows the file by `sizes` and reads after each growth what has not been used yet. */
function inChunks(file: Buffer, sizes: number[], options: CutOptions) {
  const lines = [];
  let offset = 0;
  let skipping = false;
  let size = 0;
  for (const more of sizes) {
    size = Math.min(file.length, size + more);
    const cut = cutLines(file.subarray(offset, size), offset, { ...options, skipping });
    lines.push(...cut.lines);
    offset += cut.used;
    skipping = cut.skipping;
  }
  return lines;
}

/** The end of a too-long line depends on when it was noticed. */
function told(line: { text: string; start: number; problem: string | null }) {
  return [line.text, line.start, line.problem];
}
