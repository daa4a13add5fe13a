/** `tilsyn event tail`. */
import { client, list, text, zone } from './args.ts';
import { tellUnknownTypes } from './event-types.ts';
import { follow } from './follow.ts';
import type { Input } from './io.ts';
import type { Item, ListAnswer } from './print.ts';
import { showIso } from './times.ts';

export function eventTail(input: Input): Promise<number> {
  const tz = zone(input);
  const name = hostNamer(input);
  const types = list(input, 'type');
  tellUnknownTypes(input, types ?? []);
  const query = { type: types, host: text(input, 'host'), customer: text(input, 'customer') };
  return follow(input, '/v1/events/tail', query, async ({ pos, at, type, hostId, data }) => {
    const host = hostId === null ? 'collector' : await name(String(hostId));
    return `${pos}  ${showIso(at, tz)}  ${type}  ${host}  ${JSON.stringify(data)}`;
  });
}

/** Names as `event list` shows them. Asked for when a host first appears; one that stays nameless keeps its id. */
function hostNamer(input: Input): (id: string) => Promise<string> {
  const names = new Map<string, string>();
  return async (id) => {
    if (!names.has(id)) {
      for (const host of await hostsOf(input)) names.set(host.id, host.host);
      if (!names.has(id)) names.set(id, id);
    }
    return names.get(id) ?? id;
  };
}

async function hostsOf(input: Input): Promise<Item[]> {
  try {
    return (await client(input).get<ListAnswer>('/v1/hosts', { limit: '10000' })).items;
  } catch {
    // A tail goes on without the names: whoever may not list the hosts sees their ids.
    return [];
  }
}
