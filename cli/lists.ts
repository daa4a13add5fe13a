/** Asking for a list: pages are fetched until the limit is reached or nothing is left. */
import { checkOutput, client, text, wholeNumber } from './args.ts';
import type { Query } from './client.ts';
import type { Input } from './io.ts';
import type { ListAnswer } from './print.ts';

/** Rows of a list, unless `--limit` says otherwise. */
export const DEFAULT_LIMIT = 1000;
/** Rows that the collector puts into one answer. */
const PAGE = 10_000;

export async function fetchList(input: Input, path: string, query: Query): Promise<ListAnswer> {
  checkOutput(input);
  const limit = wholeNumber(input, 'limit', '--limit') ?? DEFAULT_LIMIT;
  const collector = client(input);
  const page = (after: string | undefined, rows: number) =>
    collector.get<ListAnswer>(path, { ...query, after, limit: String(Math.min(rows, PAGE)) });
  const answer = await page(text(input, 'after'), limit);
  while (answer.next !== null && answer.items.length < limit) {
    const more = await page(answer.next, limit - answer.items.length);
    answer.items.push(...more.items);
    answer.next = more.next;
  }
  return answer;
}
