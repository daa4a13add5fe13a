/** Brings the parts of docs/ that come from the tree up to date: `node test/house/write-docs.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorsIn } from './error-codes.ts';
import { eventTable } from './event-table.ts';
import { lawFiles, testFiles } from './law-files.ts';
import { lawTables, readPage, withMarked } from './laws.ts';
import { filesIn, PRODUCT, ROOT } from './tree.ts';
import { pageWith, withoutAdvice } from './troubleshooting.ts';

const TROUBLE = 'guide/troubleshooting.md';
const pages: [name: string, next: (page: string) => string][] = [
  ['design/events.md', (page) => withMarked(page, eventTable())],
  ['design/invariants.md', (page) => withMarked(page, lawTables(lawFiles(), testFiles()))],
  [TROUBLE, (page) => pageWith(page, filesIn(PRODUCT).flatMap(errorsIn))],
];
for (const [name, change] of pages) {
  const page = readPage(name);
  const next = change(page);
  if (next !== page) writeFileSync(join(ROOT, 'docs', name), next);
  console.log(`${next === page ? 'unchanged' : 'written'}: docs/${name}`);
}
const silent = withoutAdvice(readPage(TROUBLE));
if (silent.length > 0) console.log(`write what to do in docs/${TROUBLE}: ${silent.join(', ')}`);
