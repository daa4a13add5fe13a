/** `tilsyn retention lint [FILE]`. Whatever is found exits 6. */
import { EXIT } from '../protocol/errors.ts';
import { findingsOf } from '../protocol/policy-lint.ts';
import { toIso } from '../protocol/time.ts';
import { checkOutput } from './args.ts';
import { FINDING_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { readPolicyFile } from './policy-file.ts';
import { type Column, field, type Item, type ListAnswer, printList } from './print.ts';
import { readTextFile } from './settings.ts';

const COLUMNS: readonly Column[] = [
  field('severity', 'severity'),
  field('line', 'line'),
  field('finding', 'finding'),
  field('class', 'class'),
  field('mode', 'mode'),
  field('what', 'text'),
];

export async function retentionLint(input: Input): Promise<number> {
  checkOutput(input);
  const [file] = input.args;
  const answer = file === undefined ? await inForce(input) : ofFile(input, file);
  printList(input, answer, { columns: COLUMNS, csv: FINDING_CSV, what: 'findings', watched: false });
  return answer.items.length > 0 ? EXIT.findings : EXIT.done;
}

async function inForce(input: Input): Promise<ListAnswer> {
  const answer = await fetchList(input, '/v1/retention/findings', {});
  return { ...answer, items: answer.items.map((item) => ({ ...item, severity: 'finding', line: null })) };
}

/** Asks nobody. A file with problems is no policy yet, so that what it leaves open is not told. */
function ofFile(input: Input, file: string): ListAnswer {
  const read = readPolicyFile(readTextFile(file, 'the policy'));
  const items: Item[] =
    'problems' in read
      ? read.problems.map(({ line, text }) => ({ severity: 'error', line, ...NOTHING, text }))
      : findingsOf(read.policy).map((one) => {
          const line = one.rule === null ? null : (read.lines[one.rule] ?? null);
          return { severity: 'finding', line, ...one };
        });
  const coverage = { from: null, to: toIso(input.io.clock.now()), hosts: [] };
  return { schema: 1, items: items.map((item, i) => ({ id: String(i + 1), ...item })), coverage, next: null };
}

const NOTHING = { finding: 'wrong', class: null, mode: null, rule: null };
