/** `tilsyn event list`. */
import { EVENTS } from '../protocol/event.ts';
import { flag, list, range, text } from './args.ts';
import { hostNames } from './coverage-lines.ts';
import { EVENT_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';
import { clean } from './text.ts';

export async function eventList(input: Input): Promise<number> {
  const types = list(input, 'type');
  tellUnknown(input, types ?? []);
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

/** It is asked for all the same: a newer agent's types are stored and shown by an older collector. */
function tellUnknown(input: Input, types: readonly string[]): void {
  for (const type of types.filter((one) => !Object.hasOwn(EVENTS, one))) {
    input.note(
      `--type ${clean(type)}: this version knows no such type of event; docs/design/events.md has them`,
    );
  }
}
