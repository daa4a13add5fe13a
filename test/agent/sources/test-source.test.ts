import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { testSource } from '../../../agent/sources/test-source.ts';
import { TilsynError } from '../../../protocol/errors.ts';
import { toIso } from '../../../protocol/time.ts';
import { fakeRow, fakeRows, records, row } from '../../fixtures/teamviewer.ts';

const dir = mkdtempSync(join(tmpdir(), 'tilsyn-test-source-'));
const file = join(dir, 'Connections_incoming.txt');
afterAll(() => rmSync(dir, { recursive: true }));

function check(content: string | Buffer, rows?: number) {
  writeFileSync(file, content);
  return testSource(file, 'teamviewer', rows === undefined ? {} : { rows });
}

async function refusal(path: string, type = 'teamviewer'): Promise<TilsynError> {
  try {
    await testSource(path, type);
  } catch (error) {
    if (error instanceof TilsynError) return error;
  }
  throw new Error('not refused as it should be');
}

describe('what a file holds', () => {
  test('one session, as the published sample has it: newline first, none last', async () => {
    const result = await check(records([row()]));
    expect(result).toMatchObject({
      type: 'teamviewer',
      encoding: 'utf8',
      lines: 1,
      sessions: 1,
      unreadable: { total: 0, first: [] },
      lastRecordUnterminated: true,
    });
    expect(toIso(result.firstStart ?? result.rows[0]!.startedAt)).toBe('2024-02-16T14:16:32.000Z');
    expect(toIso(result.lastEnd ?? result.rows[0]!.endedAt)).toBe('2024-02-16T14:18:36.000Z');
  });

  test('20,000 rows over many blocks, a few of them broken, with their line numbers', async () => {
    const rows = fakeRows(0, 20_000);
    rows[4] = 'nonsense';
    rows[9_999] = 'x'.repeat(70_000);
    rows[19_999] = rows[19_999]?.replace('-', '/') ?? '';
    const content = records(rows, '\r\n');
    const result = await check(`${content}\r\n`, 3);
    expect(result).toMatchObject({ lines: 20_000, sessions: 19_997, lastRecordUnterminated: false });
    expect(result.sizeBytes).toBe(Buffer.byteLength(content) + 2);
    expect(result.rows).toHaveLength(3);
    expect(result.unreadable).toEqual({
      total: 3,
      first: [
        { line: 6, reason: 'fields' },
        { line: 10_001, reason: 'too-long' },
        { line: 20_001, reason: 'start' },
      ],
    });
  });

  test('only the first 20 unreadable lines are listed', async () => {
    const result = await check('bad\n'.repeat(500));
    expect([result.unreadable.total, result.unreadable.first.length]).toEqual([500, 20]);
  });

  test('UTF-16LE, a byte order mark, an empty file', async () => {
    const wide = await check(Buffer.from(`\ufeff${records([fakeRow(2)])}`, 'utf16le'));
    expect(wide).toMatchObject({ encoding: 'utf16le', sessions: 1 });
    expect(await check(`\ufeff${fakeRow(2)}\n`)).toMatchObject({ encoding: 'utf8', sessions: 1 });
    expect(await check('')).toMatchObject({
      sizeBytes: 0,
      lines: 0,
      sessions: 0,
      firstStart: null,
      lastEnd: null,
    });
    expect(await check('x'.repeat(300_000))).toMatchObject({ lines: 1, unreadable: { total: 1 } });
  });
});

test('what cannot be tested says why and what helps', async () => {
  expect(await refusal(file, 'anydesk')).toMatchObject({ code: 'source.unknown-type', exit: 'usage' });
  expect((await refusal(file, 'anydesk')).hint).toContain('teamviewer');
  expect(await refusal(join(dir, 'none.txt'))).toMatchObject({ code: 'source.missing', exit: 'notFound' });
  expect(await refusal(dir)).toMatchObject({ code: 'source.not-a-file', exit: 'usage' });
  expect((await refusal(join(file, 'below'))).hint).toContain('source detect');
});
