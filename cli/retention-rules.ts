/** `tilsyn retention rules`. */
import { RULE_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, type Item, printList } from './print.ts';

/** What is kept for at most, or that nobody said so. */
function atMost({ trigger, keepAtMost, round }: Item): string {
  if (trigger === null) return 'no rule';
  if (keepAtMost === null) return 'no period';
  return round === null ? keepAtMost : `${keepAtMost}, ${round}`;
}

const COLUMNS: readonly Column[] = [
  field('class', 'class'),
  field('mode', 'mode'),
  field('counted from', 'trigger'),
  ['at most', atMost],
  field('at least', 'keepAtLeast'),
  field('span', 'span'),
  field('action', 'action'),
  ['policy', ({ policy, version }) => `${policy} ${version}`],
  field('why', 'note'),
];

export async function retentionRules(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/retention/rules', {});
  return printList(input, answer, { columns: COLUMNS, csv: RULE_CSV, what: 'rules', watched: false });
}
