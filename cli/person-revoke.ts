/** `tilsyn person revoke ID`. */
import { act } from './act.ts';
import type { Input } from './io.ts';
import { field } from './print.ts';

export function personRevoke(input: Input): Promise<number> {
  return act(input, {
    path: (person) => `/v1/people/${person}/revoke`,
    columns: [
      field('id', 'id'),
      field('role', 'role'),
      field('state', 'state'),
      field('sign-ins ended', 'signins'),
    ],
    ask: ({ id, role, signins }) => `revoke person ${id} (${role}) and ${signins} sign-in(s)`,
  });
}
