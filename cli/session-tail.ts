/** `tilsyn session tail`. */
import { text, zone } from './args.ts';
import { follow } from './follow.ts';
import type { Input } from './io.ts';
import { sessionLine } from './session-columns.ts';

export function sessionTail(input: Input): Promise<number> {
  const tz = zone(input);
  const query = { host: text(input, 'host'), customer: text(input, 'customer') };
  return follow(input, '/v1/sessions/tail', query, (item) => sessionLine(item, tz));
}
