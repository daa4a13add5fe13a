/**
 * Q1  Each reading of personal data is committed as a `reading` event (who, what, how many; filter and address
 *     sealed) before the answer leaves; where that commit fails, there is no answer.
 */
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import type { Caller } from '../auth.ts';
import type { Context } from '../types.ts';

/** What a person asked for, as text; undefined and null are left out. */
export type Filter = Record<string, unknown>;

/** Longest value and most names that a `reading` event holds. */
const MAX_VALUE = 512;

/**
 * Commits the reading (Q1). `count` = sealed parts that are about to be opened.
 * @throws TilsynError `reading.not-recorded`
 */
export async function recordReading(
  ctx: Context,
  caller: Caller,
  verb: string,
  count: number,
  filter: Filter = {},
): Promise<void> {
  const draft = {
    type: 'reading' as const,
    data: { person: caller.person.person, verb, count },
    personal: { filter: texts(filter), address: caller.address.slice(0, 64) },
  };
  try {
    await ctx.store.write((tx) => ctx.own.append(tx, [draft]));
    ctx.notify(await ctx.store.read.lastPos());
  } catch (cause) {
    ctx.log.error({ code: codeOf(cause), verb }, 'a reading could not be recorded, so nothing was answered');
    throw new TilsynError(
      'reading.not-recorded',
      `${verb}: the reading could not be recorded, so there is no answer`,
      {
        hint: 'Look at the volume of the collector state directory, then ask again.',
        retryable: true,
        cause,
      },
    );
  }
}

function texts(filter: Filter): Record<string, string> {
  const given = Object.entries(filter).filter(
    ([, value]) => value !== undefined && value !== null && value !== false,
  );
  return Object.fromEntries(
    given.map(([name, value]) => [
      name.slice(0, 40),
      (Array.isArray(value) ? value.join(',') : String(value)).toWellFormed().slice(0, MAX_VALUE),
    ]),
  );
}
