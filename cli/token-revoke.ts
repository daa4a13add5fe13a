/** `tilsyn token revoke ID`. */
import { act } from './act.ts';
import type { Input } from './io.ts';
import { field } from './print.ts';

export function tokenRevoke(input: Input): Promise<number> {
  return act(input, {
    path: (token) => `/v1/tokens/${token}/revoke`,
    columns: [
      field('id', 'id'),
      field('state', 'state'),
      field('customer', 'customer'),
      field('site', 'site'),
    ],
    ask: ({ id, customer, site, used, uses }) =>
      `revoke enrolment token ${id} (${customer}, ${site}; used ${used} of ${uses})`,
  });
}
