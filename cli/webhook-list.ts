/** `tilsyn webhook list`. */
import { WEBHOOK_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';
import { WEBHOOK_ROW } from './webhook-columns.ts';

export async function webhookList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/webhooks', {});
  return printList(input, answer, {
    columns: WEBHOOK_ROW,
    csv: WEBHOOK_CSV,
    what: 'webhooks',
    watched: false,
  });
}
