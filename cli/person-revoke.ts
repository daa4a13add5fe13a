/** `tilsyn person revoke ID`. */
import { act } from './act.ts';
import { alone } from './approval-act.ts';
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
    ask: ({ id, role, signins, needsApproval }) =>
      `${needsApproval ? 'ask a second person to revoke' : 'revoke'} person ${id} (${role}) and ${signins} sign-in(s)`,
    more: { alone: alone(input) },
  });
}
