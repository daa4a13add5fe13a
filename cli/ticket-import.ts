/** `tilsyn ticket import FILE.csv`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, usage, zone } from './args.ts';
import type { Input } from './io.ts';
import { type Column, field, printItem } from './print.ts';
import { readTextFile } from './settings.ts';

interface Imported {
  tickets: number;
  imported: number;
  known: number;
  /** Sessions that were explained by it. */
  explained: string[];
  /** Sessions that several tickets fit: they stay unexplained. */
  ambiguous: string[];
  dryRun: boolean;
}

/** What the collector takes in one request, as JSON. */
const MAX_BYTES = 240_000;
const COLUMNS: readonly Column[] = [
  field('tickets in the file', 'tickets'),
  field('imported', 'imported'),
  field('known already', 'known'),
  ['sessions explained', ({ explained }) => (explained as string[]).length],
  field('ambiguous, left unexplained', 'ambiguous'),
];

export async function ticketImport(input: Input): Promise<number> {
  checkOutput(input);
  const file = argument(input);
  const csv = file === '-' ? await input.io.stdin() : readTextFile(file, 'the tickets');
  if (Buffer.byteLength(JSON.stringify(csv)) > MAX_BYTES) {
    throw usage('reading the tickets: the file is too large', 'Split it into files of up to 200 KB.');
  }
  const body = { csv, zone: zone(input), dryRun: flag(input, 'dryRun') };
  const answer = await client(input).post<Imported>('/v1/tickets', body);
  printItem(input, { ...answer }, COLUMNS);
  return answer.ambiguous.length > 0 ? EXIT.findings : EXIT.done;
}
