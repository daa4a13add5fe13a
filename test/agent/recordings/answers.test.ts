import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { recordingAnswers } from '../../../agent/recordings/answers.ts';
import type { Keeper } from '../../../agent/recordings/keeper.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { DAY_MS, MINUTE_MS } from '../../../protocol/time.ts';
import { SweepWorld, THIRTY_DAYS } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);
const ROWS = 4_000;
const PAGE = 500;

interface Item {
  startedAt: string;
  endedAt: string | null;
}

/** A camera with rows a minute apart up to `newest`, and what is asked of it. */
function many({ newest, unbounded = 0 }: { newest: number; unbounded?: number }) {
  const it1 = new SweepWorld({
    policy: { ...THIRTY_DAYS, rules: THIRTY_DAYS.rules.map((rule) => ({ ...rule, keepAtMost: 'P1M' })) },
  });
  it1.write(() => {
    const { catalogue } = it1.base;
    const folder = catalogue.folder(it1.id, null, '').id;
    const camera = catalogue.camera(it1.id, 'gate').id;
    for (let n = 0; n < ROWS; n++) {
      const start = newest - n * MINUTE_MS;
      const row = { folder, name: `${n}.mp4`, camera, start, spread: 0, size: 1, inode: null };
      catalogue.put({ ...row, ends: n < unbounded ? null : start + MINUTE_MS });
    }
  });
  const layout = layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null });
  const root = { id: it1.id, source: it1.source, layout, config: { root: it1.root, mode: 'erase' } };
  const keeper = { roots: [root], around: () => it1.around(), waiting: () => null } as unknown as Keeper;
  const answers = recordingAnswers({ keeper, sweeps: it1.base.sweeps, now: () => it1.trusted });
  const ask = async (verb: string, body: Record<string, unknown> = {}) => {
    let [turns, over] = [0, false];
    const turn = () => {
      turns += 1;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    const answer = (await answers[verb]?.(body)) as { items: Item[]; next: string | null };
    over = true;
    return { ...answer, turns };
  };
  return { it1, ask };
}

describe('agent/recordings/answers: over many rows', () => {
  it('C65 others have their turn after each page that is looked at, though nothing in it fits', async () => {
    // A month of 31 days: what ended 28 days ago or more has to be decided, and is not due.
    const { ask } = many({ newest: NOW - 28 * DAY_MS - 10 * MINUTE_MS });
    const { items, next, turns } = await ask('recordings.due');
    expect([items, next]).toEqual([[], null]);
    expect(turns).toBeGreaterThanOrEqual(ROWS / PAGE - 1);
  });

  it('C65, A2 an interval is read from its beginning, and takes whatever overlaps it and what has no end', async () => {
    const unbounded = 3;
    const { ask } = many({ newest: NOW - 2 * DAY_MS, unbounded });
    const [from, to] = [NOW - 2 * DAY_MS - 20 * MINUTE_MS, NOW - 2 * DAY_MS - 10 * MINUTE_MS];
    const body = { from: new Date(from).toISOString(), to: new Date(to + 1).toISOString(), state: 'present' };
    const { items, turns } = await ask('recordings.list', body);
    expect(items.map(({ startedAt }) => Date.parse(startedAt))).toEqual(
      Array.from({ length: 11 }, (_, n) => from + n * MINUTE_MS),
    );
    expect(turns).toBeLessThan(ROWS / PAGE);
    const open = await ask('recordings.list', { from: body.from, state: 'present', limit: 2 });
    expect(open.items.map(({ endedAt }) => endedAt)).toEqual([null, null]);
    const more = await ask('recordings.list', {
      from: body.from,
      state: 'present',
      limit: 2,
      after: open.next,
    });
    expect(more.items.map(({ endedAt }) => endedAt)).toEqual([
      null,
      new Date(from + MINUTE_MS).toISOString(),
    ]);
  });

  it('C65 pages give each row once, in any order of lengths', async () => {
    const { ask } = many({ newest: NOW - 40 * DAY_MS, unbounded: 7 });
    const seen = new Set<string>();
    for (let after: string | null = null, more = true; more; ) {
      const limit = 1 + (randomBytes(1)[0] ?? 0);
      const page: { items: Item[]; next: string | null } = await ask('recordings.due', {
        limit,
        ...(after === null ? {} : { after }),
      });
      for (const { startedAt } of page.items) {
        expect(seen.has(startedAt)).toBe(false);
        seen.add(startedAt);
      }
      after = page.next;
      more = after !== null;
    }
    expect(seen.size).toBe(ROWS - 7);
  });
});
