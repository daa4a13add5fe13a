/** `tilsyn retention plan`. */
import { toIso, utcMs } from '../protocol/time.ts';
import { range, text } from './args.ts';
import { PLAN_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';
import { durationMs } from './times.ts';

const COLUMNS: readonly Column[] = [
  field('group', 'group'),
  field('class', 'class'),
  field('kind', 'kind'),
  field('customer', 'customer'),
  time('from', 'from'),
  time('to', 'to'),
  field('state', 'state'),
  time('due', 'dueAt'),
  field('why', 'reason'),
  field('action', 'action'),
  ['parts', ({ parts, more }) => (more ? `over ${parts}` : parts)],
];

export async function retentionPlan(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/retention/plan', { until: untilOf(input) });
  return printList(input, answer, { columns: COLUMNS, csv: PLAN_CSV, what: 'key groups', watched: false });
}

/** A duration is from now on: what is planned lies ahead. */
function untilOf(input: Input): string | undefined {
  const ahead = durationMs(text(input, 'until') ?? '');
  return ahead === null ? range(input).until : toIso(utcMs(input.io.clock.now() + ahead));
}
