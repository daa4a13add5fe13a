import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TICKET_ROWS, readTicketFile } from '../../collector/tickets-csv.ts';
import { type Ticket, ticketFor } from '../../collector/tickets-match.ts';
import type { AgentId, PersonId } from '../../protocol/ids.ts';
import { MINUTE_MS, utcMs } from '../../protocol/time.ts';

const HEAD = 'ticket,host,technician,from,to,purpose';
const ROW = 'INC-1,srv-01,Ada,2026-11-22T12:00:00Z,2026-11-22 14:30,"printer, 2nd floor"';
const read = (text: string, zone = 'Europe/Copenhagen') => readTicketFile(text, zone);

describe('a file of tickets', () => {
  it('is read with any of the delimiters, with quotes, BOM, CRLF and more columns', () => {
    const want = {
      ...{ line: 2, ticket: 'INC-1', host: 'srv-01', technician: 'Ada', purpose: 'printer, 2nd floor' },
      ...{ from: utcMs(Date.UTC(2026, 10, 22, 12)), to: utcMs(Date.UTC(2026, 10, 22, 13, 30)) },
    };
    expect(read(`${HEAD}\n${ROW}\n`)).toEqual({ lines: [want], problems: [] });
    for (const delimiter of [';', '\t', '|']) {
      const cells = [...ROW.split(',').slice(0, 5), '"printer, 2nd floor"', 'more'];
      const text = `\uFEFF${HEAD.toUpperCase()},extra\r\n`.replaceAll(',', delimiter) + cells.join(delimiter);
      expect(read(text).lines).toEqual([want]);
    }
  });

  it('a quoted field may hold quotes and lines; numbers of lines stay those of the file', () => {
    const text = `${HEAD}\nA,h,t,2026-11-22T12:00:00Z,2026-11-22T12:01:00Z,"says ""no""\nagain"\nB,h,t,x,y,z`;
    const { lines, problems } = read(text);
    expect(lines[0]?.purpose).toBe('says "no"\nagain');
    expect(problems.map(({ line, column }) => [line, column])).toEqual([
      [4, 'from'],
      [4, 'to'],
    ]);
  });

  it('W15 says all that is wrong at once, by line and column, and quotes nothing', () => {
    const rows = [
      ',srv-01,Ada,2026-11-22T12:00:00Z,2026-11-22T13:00:00Z,',
      `${'x'.repeat(129)},srv-01,Ada,2026-11-22T12:00:00Z,2026-11-22T11:00:00Z,`,
      'INC-2,srv-01,Ada,2026-02-30T12:00:00Z,2026-04-30T12:00:00Z,',
      'INC-3,srv-01,Ada,2026-10-25 02:30,2026-10-25T12:00:00Z,',
      'INC-4,srv-01,Ada,2026-03-29 02:30,2026-03-29T12:00:00Z,',
      'INC-5,srv-01,Ada,2026-01-01T00:00:00Z,2026-03-01T00:00:00Z,',
    ];
    const { problems } = read([HEAD, ...rows].join('\n'));
    expect(problems.map(({ line, column }) => `${line} ${column}`)).toEqual([
      ...['2 ticket', '3 ticket', '3 to', '4 from', '5 from', '6 from', '7 to'],
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/x{9}|srv-01|Ada|INC/);
    expect(read('a,b\n1,2').problems.map(({ column }) => column)).toEqual([
      ...['ticket', 'host', 'technician', 'from', 'to'],
    ]);
    expect(read(`${HEAD}\n"never closed`).problems).toHaveLength(1);
    const many = `${HEAD}\n${`${ROW}\n`.repeat(MAX_TICKET_ROWS + 1)}`;
    expect(read(many)).toMatchObject({ lines: [], problems: [{ line: MAX_TICKET_ROWS + 2 }] });
  });

  it('never throws, whatever the text, and names lines that are in it', () => {
    const piece = fc.constantFrom(
      HEAD,
      ROW,
      '\n',
      '\r\n',
      '"',
      ',',
      ';',
      '\t',
      '\uFEFF',
      '\ud800',
      '2026-11-22T12:00Z',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
        const text = pieces.join('');
        const { lines, problems } = read(text, 'UTC');
        const last = text.split('\n').length;
        for (const { line } of [...lines, ...problems]) expect(line >= 1 && line <= last).toBe(true);
        for (const { from, to } of lines) expect(from <= to).toBe(true);
      }),
    );
  });
});

describe('the ticket of a session', () => {
  const [here, there] = ['a', 'b'].map((c) => c.repeat(32)) as [AgentId, AgentId];
  const [ada, bob] = ['c', 'd'].map((c) => c.repeat(32)) as [PersonId, PersonId];
  const at = utcMs(Date.UTC(2026, 10, 22, 12));
  const ticket = (over: Partial<Ticket> = {}): Ticket => ({
    ...{ agent: here, technician: ada, ticket: 'INC-1', purpose: null, importedBy: bob },
    ...{ from: at, to: utcMs(at + 60 * MINUTE_MS), ...over },
  });
  const chosen = (minutes: number, tickets: Ticket[], person: PersonId | null = ada) =>
    ticketFor({ agent: here, startedAt: utcMs(at + minutes * MINUTE_MS) }, person, tickets);

  it('W16 is the one of this host, this person and this time, with half an hour on both sides', () => {
    expect([-31, -30, 0, 90, 91].map((minutes) => chosen(minutes, [ticket()]) !== null)).toEqual([
      ...[false, true, true, true, false],
    ]);
    expect(chosen(0, [ticket({ agent: there })])).toBeNull();
    expect(chosen(0, [ticket({ technician: bob })])).toBeNull();
    expect(chosen(0, [ticket()], null)).toBeNull();
  });

  it('W16 several references are ambiguous; one reference twice is one', () => {
    expect(chosen(0, [ticket(), ticket({ ticket: 'INC-2' })])).toBe('ambiguous');
    expect(chosen(0, [ticket(), ticket({ to: at })])).toMatchObject({ ticket: 'INC-1' });
  });
});
