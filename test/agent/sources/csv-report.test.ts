import { describe, expect, test } from 'vitest';
import type { LineReader, ReaderOptions, SessionChange } from '../../../agent/sources/change.ts';
import { CsvLines, sniffDelimiter } from '../../../agent/sources/csv-lines.ts';
import { makeCsvReader } from '../../../agent/sources/csv-report.ts';
import { loadDeclared } from '../../../agent/sources/declared-load.ts';
import { parseDeclared } from '../../../agent/sources/declared-spec.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

const OPTIONS: ReaderOptions = { zone: 'UTC', near: () => utcMs(Date.UTC(2026, 10, 28)), ownIps: [] };

function reader(text: string): LineReader {
  const spec = parseDeclared(text, 'report.yaml');
  if (spec.format !== 'csv') throw new Error('not for reports');
  return makeCsvReader(spec)(OPTIONS);
}

function shipped(name: string): LineReader {
  const spec = loadDeclared(name);
  if (spec.format !== 'csv') throw new Error('not for reports');
  return makeCsvReader(spec)(OPTIONS);
}

/** The changes of a file, and the reasons of what could not be read. */
function read(one: LineReader, lines: readonly string[]): { changes: SessionChange[]; bad: string[] } {
  const changes: SessionChange[] = [];
  const bad: string[] = [];
  for (const line of lines) {
    const result = one.line(line);
    if (result.ok) changes.push(...result.changes);
    else bad.push(result.reason);
  }
  return { changes, bad };
}

const times = ({ changes }: { changes: SessionChange[] }) =>
  changes.map((one) => ('at' in one ? `${one.what} ${toIso(one.at).slice(5, 16)}` : one.what));

const REPORT = `format: csv
tool: T
time: {format: "%d.%m.%Y %H:%M", zone: Europe/Copenhagen}
start: "{From}"
end: "{To}"
fields:
  technician: "{Technician}"
  peerName: "{Their machine|Machine}"
  ip: "{Address}"
`;

describe('records', () => {
  test('fields, quotes, doubled quotes, and lines inside of quotes', () => {
    const records = (lines: readonly string[]) => {
      const csv = new CsvLines(',');
      return lines.map((line) => csv.take(line));
    };
    expect(records(['a,b,', '"a,""b""",c', 'a"b,"c" d', '""'])).toEqual([
      { record: ['a', 'b', ''] },
      { record: ['a,"b"', 'c'] },
      { record: ['a"b', 'c d'] },
      { record: [''] },
    ]);
    expect(records(['1,"note', 'goes ""on""', 'here",2', '3'])).toEqual([
      'more',
      'more',
      { record: ['1', 'note\ngoes "on"\nhere', '2'] },
      { record: ['3'] },
    ]);
  });

  test('M4 a quote that is never closed costs one record, not the file', () => {
    const csv = new CsvLines(',');
    const steps = Array.from({ length: 65 }, (_, n) => csv.take(n === 0 ? '"open' : 'x'));
    expect(steps.at(-1)).toBe('too-long');
    expect(csv.take('a,b')).toEqual({ record: ['a', 'b'] });
    expect(new CsvLines(',').take(','.repeat(1_000))).toBe('too-long');
    expect(new CsvLines(',').take('x'.repeat(70_000))).toBe('too-long');
  });

  test('the delimiter is the one that cuts most', () => {
    expect(['a;b,c;d', 'a\tb', '"a;b;c",d', 'a|b|c', 'a'].map(sniffDelimiter)).toEqual([
      ';',
      '\t',
      ',',
      '|',
      ',',
    ]);
  });
});

describe('reports', () => {
  test('columns by name, any order, any case; local time; a note of three lines', () => {
    const one = reader(REPORT);
    const result = read(one, [
      'Connections of November',
      'to;Technician;FROM;Machine;Notes;Address',
      '27.11.2026 11:30;Ada Example;27.11.2026 11:00;PC-1;"so',
      'it',
      'was; really";203.0.113.7',
      ';Ben Example;27.07.2026 11:00;;;',
    ]);
    expect(result.bad).toEqual([]);
    expect(times(result)).toEqual([
      'started 11-27T10:00',
      'ended 11-27T10:30',
      'started 07-27T09:00',
      'ended 07-27T09:00',
    ]);
    const [first, , second, last] = result.changes;
    expect(first).toMatchObject({
      direction: 'incoming',
      basis: 'assumed-zone',
      known: {
        technician: 'Ada Example',
        peerNames: ['PC-1'],
        peerIps: [{ ip: '203.0.113.7', basis: 'unknown' }],
      },
    });
    expect(second).toMatchObject({ known: { technician: 'Ben Example' } });
    // Nothing says when it ended, and nothing is made up.
    expect(last).toMatchObject({ reason: 'unknown' });
  });

  test('R4 what is wrong with a record is said, and the next one is read', () => {
    const one = reader(REPORT);
    const row = (from: string, to: string) => `${from},${to},x`;
    const { changes, bad } = read(one, [
      'From,To,Technician',
      row('27.11.2026 11:00', '27.11.2026 10:00'),
      row('yesterday', ''),
      row('', ''),
      ',,',
      row('27.11.2026 11:00', 'late'),
      row('27.11.2026 11:00', '27.11.2026 12:00'),
    ]);
    expect([bad, changes.length]).toEqual([['end', 'start', 'fields', 'end'], 2]);
    expect(
      read(
        reader(REPORT),
        Array.from({ length: 8 }, () => 'no,report'),
      ).bad,
    ).toEqual(['fields', 'fields', 'fields']);
  });

  test('headings again in the middle, a new file with other columns, columns without headings', () => {
    const one = reader(REPORT);
    const first = read(one, [
      'From,To',
      '27.11.2026 11:00,27.11.2026 12:00',
      'To,From',
      '27.11.2026 14:00,27.11.2026 13:00',
    ]);
    expect(times(first)).toEqual([
      'started 11-27T10:00',
      'ended 11-27T11:00',
      'started 11-27T12:00',
      'ended 11-27T13:00',
    ]);
    one.newFile?.();
    expect(times(read(one, ['To;From', '27.11.2026 14:00;27.11.2026 13:00']))).toEqual(times(first).slice(2));
    const bare = reader(`${REPORT}columns: [x, From, To]\n`);
    expect(times(read(bare, ['1;27.11.2026 11:00;27.11.2026 12:00']))).toEqual(times(first).slice(0, 2));
  });

  test('durations, and records of other machines', () => {
    const text = `${REPORT.replace('end: "{To}"', 'duration: "{Length}"')}only: {of: "{Device}", is: [SRV-1]}\n`;
    const rows = [
      'From,Length,Device',
      '27.11.2026 11:00,1:30:00,SRV-1',
      '27.11.2026 11:00,90,SRV-2',
      '27.11.2026 11:00,90,SRV-1',
    ];
    expect(times(read(reader(text), rows))).toEqual([
      'started 11-27T10:00',
      'ended 11-27T11:30',
      'started 11-27T10:00',
      'ended 11-27T10:01',
    ]);
    const minutes = read(reader(`${text}durationUnit: minutes\n`), rows);
    expect(times(minutes).at(-1)).toBe('ended 11-27T11:30');
    expect(read(reader(text), ['From,Length,Device', '27.11.2026 11:00,long,SRV-1']).bad).toEqual(['end']);
  });

  test('those that come with Tilsyn: the API’s names, placeholders for Talk2M', () => {
    const api = read(shipped('teamviewer-report'), [
      'id,username,deviceid,start_date,end_date',
      '{a},Ada Example,d1,2026-11-27T10:00:00Z,2026-11-27T10:05:00Z',
    ]);
    expect(times(api)).toEqual(['started 11-27T10:00', 'ended 11-27T10:05']);
    expect(api.changes[0]).toMatchObject({
      basis: 'file-utc',
      known: { toolSessionId: '{a}', technician: 'Ada Example' },
    });
    const talk2m = read(shipped('talk2m'), [
      'User name;Ewon;Connected at;Disconnected at',
      'ada;E-1;2026-11-27 10:00:00;2026-11-27 10:05:00',
    ]);
    expect(talk2m.changes[0]).toMatchObject({ kind: 'vpn', known: { technician: 'ada' } });
  });

  test('R2 the same lines give the same changes; equal records are told apart', () => {
    const lines = ['From,To', ...Array.from({ length: 3 }, () => '27.11.2026 11:00,27.11.2026 12:00')];
    const [one, two] = [read(reader(REPORT), lines), read(reader(REPORT), lines)];
    expect(one).toEqual(two);
    const keys = one.changes.flatMap((change) => (change.what === 'started' ? [change.key] : []));
    expect(new Set(keys).size).toBe(3);
  });
});
