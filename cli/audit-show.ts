/**
 * `tilsyn audit show ID`, `tilsyn audit sign ID`.
 *
 * H12 A run with findings exits 6 wherever it is shown, also to who signs it: having been read makes nothing right.
 */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, text } from './args.ts';
import { AUDIT_CARD, checkRows, FOUND_HEADINGS, foundRows, unseenText } from './audit-columns.ts';
import { AUDIT_SHOW_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Item, printData, printItem } from './print.ts';
import { tableText } from './text.ts';

export async function auditShow(input: Input): Promise<number> {
  checkOutput(input);
  const item = await client(input).get<Item>(`/v1/audits/${encodeURIComponent(argument(input))}`);
  return print(input, item);
}

export async function auditSign(input: Input): Promise<number> {
  checkOutput(input);
  const body = { note: text(input, 'note') ?? null, dryRun: flag(input, 'dryRun') };
  const path = `/v1/audits/${encodeURIComponent(argument(input))}/sign`;
  return print(input, await client(input).post<Item>(path, body));
}

/** H12 */
function print(input: Input, item: Item): number {
  if (!printData(input, item, AUDIT_SHOW_CSV)) {
    printItem(input, item, AUDIT_CARD, AUDIT_SHOW_CSV);
    printChecks(input, item);
  }
  return item.findings > 0 ? EXIT.findings : EXIT.done;
}

function printChecks({ io }: Input, { checks, found, findingsMissing }: Item): void {
  if (found.length > 0) io.out(`\n${tableText(FOUND_HEADINGS, foundRows(found))}`);
  io.out(`\n${tableText(['audit', 'looked at', 'of', 'explained', 'not looked at'], checkRows(checks))}`);
  for (const word of new Set((checks as Item[]).flatMap(({ unseen }) => unseen as string[])))
    io.out(`not looked at: ${word}: ${unseenText(word)}\n`);
  if (findingsMissing > 0) io.out(`findings that did not come or cannot be read: ${findingsMissing}\n`);
}
