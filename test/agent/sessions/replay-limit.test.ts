/** How much of a file is read again after a restart, and what is said where that is not enough. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { SessionBook } from '../../../agent/sessions/book.ts';
import { LogPart } from '../../../agent/sessions/log-part.ts';
import { noPlan } from '../../../agent/sessions/part.ts';
import { makeCsvReader } from '../../../agent/sources/csv-report.ts';
import { loadDeclared } from '../../../agent/sources/declared-load.ts';
import type { CsvSpec } from '../../../agent/sources/declared-schema.ts';
import { Follower } from '../../../agent/sources/follow.ts';
import { newId } from '../../../protocol/ids.ts';
import { utcMs } from '../../../protocol/time.ts';
import { stateDir, world } from '../support.ts';

const { clock } = world();
const key = randomBytes(32);
const row = (n: number) => `{${n}};Ada Example;2026-11-27T10:0${n}:00Z;2026-11-27T10:0${n}:30Z\r\n`;
const HEAD = 'id;username;start_date;end_date\r\n';

/** Reads two rows, starts again with this bound, and reads a third one. */
async function afterRestart(fromHead: number) {
  const path = join(dirname(stateDir()), 'report.csv');
  const found: string[] = [];
  const make = () =>
    new LogPart({
      book: new SessionBook({
        ...{ source: newId<'source'>(randomBytes), tool: 'declared', mode: 'managed', word: 'report' },
        ...{ random: randomBytes, matches: () => true, enrolledAt: null, readFrom: () => null, rows: [] },
      }),
      reader: () =>
        makeCsvReader(loadDeclared('teamviewer-report') as CsvSpec)({
          ...{ zone: 'UTC', ownIps: [], near: () => clock.now() },
        }),
      ...{ clock, bootedAt: () => utcMs(0), found: (finding) => found.push(finding) },
      mostReplayed: { open: 1_000_000, fromHead },
    });
  const read = async (cursor: string | null) => {
    const state = cursor === null ? null : JSON.parse(cursor);
    const feed = new Follower({ path, clock, key, state, isComplete: () => false, isTorn: () => true });
    const part = make();
    await part.restore(cursor, feed, () => ({ history: false }));
    const plan = noPlan();
    const step = await feed.step(100);
    const reasons = step.lines.map((line) => part.line(plan, line, { history: false }));
    const next = JSON.stringify({ ...step.state, ...part.stored(step.state.files) });
    await feed.close();
    return { next, reasons, sessions: plan.rows };
  };
  writeFileSync(path, HEAD + row(1) + row(2));
  const first = await read(null);
  expect(first).toMatchObject({ reasons: [null, null, null], sessions: 2 });
  appendFileSync(path, row(3));
  const second = await read(first.next);
  return { ...second, found };
}

it('R2 a report is known again by its head after a restart, however many rows stand between', async () => {
  expect(await afterRestart(HEAD.length + 2 * row(1).length)).toMatchObject({
    ...{ reasons: [null], sessions: 1, found: [] },
  });
});

it('R2 one that is too long to be read again says so: a finding, and rows that are counted as unreadable', async () => {
  const { reasons, sessions, found } = await afterRestart(HEAD.length);
  expect(found).toEqual(['not-replayed']);
  expect(sessions).toBe(0);
  expect(reasons).toHaveLength(1);
});
