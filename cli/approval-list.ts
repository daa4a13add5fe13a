/** `tilsyn approval list`. */
import { text } from './args.ts';
import { APPROVAL_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';

export const APPROVAL_ROW: readonly Column[] = [
  field('id', 'id'),
  field('verb', 'verb'),
  field('what', 'body'),
  field('state', 'state'),
  field('asked by', 'askedBy'),
  time('asked', 'askedAt'),
  field('reason', 'reason'),
  field('who can approve', 'approvers'),
  time('alone from', 'aloneAt'),
  time('ends', 'expiresAt'),
];

export async function approvalList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/approvals', { state: text(input, 'state') });
  const shape = { columns: APPROVAL_ROW, csv: APPROVAL_CSV, what: 'approvals', watched: false };
  return printList(input, answer, shape);
}
