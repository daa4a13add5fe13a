/** `tilsyn webhook remove|test ID`. */
import { act } from './act.ts';
import type { Input } from './io.ts';
import { field } from './print.ts';
import { WEBHOOK_ROW } from './webhook-columns.ts';

export function webhookRemove(input: Input): Promise<number> {
  return act(input, {
    path: (webhook) => `/v1/webhooks/${webhook}/remove`,
    columns: WEBHOOK_ROW,
    ask: ({ id, url, waiting }) => `remove webhook ${id} (${url}); ${waiting} event(s) wait for it`,
  });
}

export function webhookTest(input: Input): Promise<number> {
  return act(input, {
    path: (webhook) => `/v1/webhooks/${webhook}/test`,
    columns: [field('id', 'id'), field('url', 'url'), field('answered', 'answered')],
  });
}
