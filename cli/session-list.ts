/** `tilsyn session list`. */
import { flag, range, text } from './args.ts';
import { readRange } from './cidr.ts';
import { hostNames } from './coverage-lines.ts';
import { SESSION_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';
import { sessionRow } from './session-columns.ts';
import { valueFrom } from './settings.ts';

export async function sessionList(input: Input): Promise<number> {
  const ip = personal(input, 'ip');
  const answer = await fetchList(input, '/v1/sessions', {
    ...range(input),
    overlaps: flag(input, 'overlaps') ? '1' : undefined,
    host: text(input, 'host'),
    customer: text(input, 'customer'),
    site: text(input, 'site'),
    tool: text(input, 'tool'),
    state: text(input, 'state'),
    peer: personal(input, 'peer'),
    ip: ip === undefined ? undefined : readRange(ip, '--ip').range,
    technician: personal(input, 'technician'),
    unexplained: flag(input, 'unexplained') ? '1' : undefined,
    attempts: flag(input, 'attempts') ? '1' : undefined,
  });
  return printList(input, answer, {
    columns: sessionRow(hostNames(answer)),
    csv: SESSION_CSV,
    what: 'sessions',
  });
}

function personal(input: Input, name: string): string | undefined {
  const value = text(input, name);
  return value === undefined ? undefined : valueFrom(value);
}
