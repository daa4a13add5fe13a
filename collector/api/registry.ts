/** Lists of the collector's own registry: tokens, people, agreements. No host is watched for them. */
import { TilsynError } from '../../protocol/errors.ts';
import { toIso } from '../../protocol/time.ts';
import type { Context } from '../types.ts';
import { type ListAnswer, listAnswer } from './view.ts';

/** One page of a small table; `after` is the id of the last row before it. */
export async function registryAnswer<Row, Item>(
  ctx: Context,
  rows: readonly Row[],
  idOf: (row: Row) => string,
  input: { limit: number; after?: string | undefined },
  items: (page: readonly Row[]) => Promise<Item[]>,
): Promise<ListAnswer<Item>> {
  const rest = rowsAfter(rows, idOf, input.after);
  const page = rest.slice(0, input.limit);
  const last = page.at(-1);
  const next = page.length < rest.length && last !== undefined ? idOf(last) : null;
  const coverage = { from: null, to: toIso(ctx.clock.now()), hosts: [] };
  return listAnswer(await items(page), coverage, next);
}

/** Rows behind the one that a page ended with. @throws TilsynError `request.cursor` */
export function rowsAfter<Row>(
  rows: readonly Row[],
  idOf: (row: Row) => string,
  after: string | undefined,
): readonly Row[] {
  if (after === undefined) return rows;
  const at = rows.findIndex((row) => idOf(row) === after);
  if (at >= 0) return rows.slice(at + 1);
  throw new TilsynError('request.cursor', 'listing: `after` is no cursor of this list', {
    hint: 'Give --after exactly what `next` said.',
    exit: 'usage',
  });
}
