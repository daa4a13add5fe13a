/** `tilsyn session explain ID`, `tilsyn session reveal ID`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, required, text } from './args.ts';
import { SESSION_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Item, printItem } from './print.ts';
import { SESSION_CARD } from './session-columns.ts';
import { valueFrom } from './settings.ts';

export function sessionExplain(input: Input): Promise<number> {
  const purpose = text(input, 'purpose');
  return done(input, 'explain', {
    ticket: valueFrom(required(input, 'ticket', '--ticket')),
    purpose: purpose === undefined ? undefined : valueFrom(purpose),
    dryRun: flag(input, 'dryRun'),
  });
}

export function sessionReveal(input: Input): Promise<number> {
  return done(input, 'reveal', { reason: required(input, 'reason', '--reason') });
}

async function done(input: Input, act: string, body: Record<string, unknown>): Promise<number> {
  checkOutput(input);
  const path = `/v1/sessions/${encodeURIComponent(argument(input))}/${act}`;
  printItem(input, await client(input).post<Item>(path, body), SESSION_CARD, SESSION_CSV);
  return EXIT.done;
}
