/** `tilsyn audit list`. */
import { flag, range, text } from './args.ts';
import { AUDIT_ROW } from './audit-columns.ts';
import { AUDIT_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';

export async function auditList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/audits', {
    ...range(input),
    host: text(input, 'host'),
    customer: text(input, 'customer'),
    site: text(input, 'site'),
    findings: flag(input, 'findings') ? '1' : undefined,
    unsigned: flag(input, 'unsigned') ? '1' : undefined,
  });
  return printList(input, answer, { columns: AUDIT_ROW, csv: AUDIT_CSV, what: 'self-audits' });
}
