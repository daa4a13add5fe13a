import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { camerasRows } from '../../../agent/recordings/rows-in-time.ts';
import type { RowPlace } from '../../../agent/recordings/told-store.ts';

interface Fake {
  state: number;
  end: number;
  name: string;
}

/** As the index has them, in pages of two. */
function storeOf(all: readonly Fake[]) {
  return {
    rows(_camera: number, { state, end, folder, name }: RowPlace) {
      const after = (row: Fake) => row.end > end || (row.end === end && folder === 0 && row.name > name);
      const rows = all
        .filter((row) => row.state === state && after(row))
        .sort((a, b) => a.end - b.end || (a.name < b.name ? -1 : 1))
        .slice(0, 2);
      const last = rows.at(-1);
      const next =
        last === undefined || rows.length < 2 ? null : { state, end: last.end, folder: 0, name: last.name };
      return {
        rows: rows.map((row) => {
          return { start: 0, spread: 0, ends: row.end < 0 ? null : row.end, size: null, ...row };
        }),
        next,
      };
    },
  };
}

describe('agent/recordings/rows-in-time', () => {
  it('C71 every row once, in the order of ends, and none of a later page ends before what was said', async () => {
    const rows = fc.uniqueArray(
      fc.record({
        state: fc.integer({ min: 0, max: 3 }),
        end: fc.integer({ min: -1, max: 12 }),
        name: fc.string({ minLength: 6, maxLength: 6, unit: fc.constantFrom('a', 'b', 'c', '1', '2') }),
      }),
      { selector: ({ name }) => name, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(rows, fc.option(fc.integer({ min: 0, max: 12 })), async (all, from) => {
        const seen: Fake[] = [];
        let through = Number.NEGATIVE_INFINITY;
        for await (const page of camerasRows(storeOf(all), 1, from, async () => {})) {
          const found = page.rows as unknown as Fake[];
          for (const { end } of found) expect(end).toBeGreaterThanOrEqual(through);
          through = page.through;
          seen.push(...found);
        }
        const wanted = all.filter(({ end }) => from === null || end > from);
        expect(seen.map(({ name }) => name).sort()).toEqual(wanted.map(({ name }) => name).sort());
        expect(seen.map(({ end }) => end)).toEqual(seen.map(({ end }) => end).sort((a, b) => a - b));
      }),
    );
  });
});
