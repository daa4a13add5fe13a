/** `tilsyn retention set PACK`. */
import { act } from './act.ts';
import { alone } from './approval-act.ts';
import { argument } from './args.ts';
import type { Input } from './io.ts';
import { field } from './print.ts';

export function retentionSet(input: Input): Promise<number> {
  return act(input, {
    path: () => '/v1/retention/policy',
    columns: [field('policy', 'policy'), field('version', 'version'), field('shorter for', 'shortened')],
    ask: ({ policy, version, shortened, needsApproval }) => {
      const what = `${needsApproval ? 'ask a second person to put' : 'put'} ${policy} ${version} in force`;
      return needsApproval ? `${what}; shorter for ${shortened.join(', ')}` : what;
    },
    more: { pack: argument(input), alone: alone(input) },
  });
}
