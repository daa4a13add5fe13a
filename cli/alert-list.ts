/** `tilsyn alert list`. */
import { ALERT_ROW } from './alert-columns.ts';
import { flag, range, text } from './args.ts';
import { ALERT_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';

export async function alertList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/alerts', {
    ...range(input),
    open: flag(input, 'open') ? '1' : undefined,
    check: text(input, 'check'),
    level: text(input, 'level'),
    host: text(input, 'host'),
    customer: text(input, 'customer'),
    site: text(input, 'site'),
  });
  return printList(input, answer, { columns: ALERT_ROW, csv: ALERT_CSV, what: 'alerts' });
}
