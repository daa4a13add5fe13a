/** `tilsyn event tail`. */
import { list, text, zone } from './args.ts';
import { follow } from './follow.ts';
import type { Input } from './io.ts';
import { showIso } from './times.ts';

export function eventTail(input: Input): Promise<number> {
  const tz = zone(input);
  const query = { type: list(input, 'type'), host: text(input, 'host'), customer: text(input, 'customer') };
  return follow(
    input,
    '/v1/events/tail',
    query,
    ({ pos, at, type, hostId, data }) =>
      `${pos}  ${showIso(at, tz)}  ${type}  ${hostId ?? 'collector'}  ${JSON.stringify(data)}`,
  );
}
