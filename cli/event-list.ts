/** `tilsyn event list`. */
import { flag, list, range, text } from './args.ts';
import { hostNames } from './coverage-lines.ts';
import { EVENT_CSV } from './csv-fields.ts';
import { tellUnknownTypes } from './event-types.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';

export async function eventList(input: Input): Promise<number> {
  const types = list(input, 'type');
  tellUnknownTypes(input, types ?? []);
  const answer = await fetchList(input, '/v1/events', {
    ...range(input),
    type: types,
    host: text(input, 'host'),
    customer: text(input, 'customer'),
    personal: flag(input, 'personal') ? '1' : undefined,
  });
  const names = hostNames(answer);
  const columns: Column[] = [
    field('pos', 'pos'),
    time('at', 'at'),
    ['type', ({ type, recognised }) => (recognised ? type : `${type} (unrecognised)`)],
    ['host', ({ hostId }) => (hostId === null ? 'collector' : (names.get(hostId) ?? hostId))],
    ['data', ({ data }) => JSON.stringify(data)],
  ];
  if (flag(input, 'personal')) {
    columns.push([
      'personal',
      ({ personal, opened }) => (opened === null ? personal : JSON.stringify(opened)),
    ]);
  }
  return printList(input, answer, { columns, csv: EVENT_CSV, what: 'events' });
}
