/** Attempts by the thousand, and somebody who is really there: B2, B3, B8. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { noOutput, type Output, SessionBook } from '../../../agent/sessions/book.ts';
import { MOST_PEERS } from '../../../agent/sessions/failures.ts';
import type { Beginning, SessionChange } from '../../../agent/sources/change.ts';
import type { SourceId } from '../../../protocol/ids.ts';
import { HOUR_MS, utcMs } from '../../../protocol/time.ts';

const T = Date.UTC(2026, 10, 20, 10);
const START = { basis: 'file-utc', direction: 'incoming', kind: 'remote-control' } as const;

function book(): SessionBook {
  return new SessionBook({
    ...{
      source: 'a'.repeat(32) as SourceId,
      tool: 'teamviewer',
      mode: 'managed',
      word: 'logfile',
      rows: [],
    },
    ...{ random: randomBytes, matches: () => true, enrolledAt: null, readFrom: () => null },
  });
}

/** Attempt `n`, each of another peer, a second after the one before; `n` is also where its lines stand. */
function knock(n: number): Beginning {
  return { ...START, key: `k${n}`, at: utcMs(T + n * 1_000), known: { peerId: String(n) } };
}

/** Feeds attempts and their refusals; every attempt is two lines. */
function refuse(to: SessionBook, out: Output, from: number, until: number): void {
  for (let n = from; n < until; n += 1) {
    const refused: SessionChange = { what: 'rejected', reason: 'wrong-password', count: 1, ...knock(n) };
    to.take(out, { what: 'attempted', ...knock(n) }, { file: 1, start: 20 * n, n: 0 }, false);
    to.take(out, refused, { file: 1, start: 20 * n + 10, n: 0 }, false);
  }
}

function refusals({ drafts }: Output): number {
  return drafts.reduce((sum, { type, data }) => {
    const { count = 1 } = data as { count?: number };
    return type === 'session.rejected' ? sum + count : sum;
  }, 0);
}

const MANY = 1_000;

it('B2 a refusal is told or counted, never both', () => {
  const [one, out] = [book(), noOutput()];
  refuse(one, out, 0, MANY);
  one.tick(out, utcMs(T + 2 * HOUR_MS), utcMs(0));
  expect(refusals(out)).toBe(MANY);
  const rejected = out.drafts.filter(({ type }) => type === 'session.rejected');
  expect(rejected.length).toBeGreaterThan(MOST_PEERS);
  expect(rejected.length).toBeLessThan(300);
});

it.each([100, 300, 999])('B3 nor after a restart behind attempt %i', (at) => {
  const [before, told] = [book(), noOutput()];
  refuse(before, told, 0, at);
  const { open, failing } = before.places();
  const after = book();
  after.restore(open);
  const again = noOutput();
  if (failing !== null) refuse(after, again, failing.start / 20, at);
  after.caughtUp(told, utcMs(T));
  refuse(after, told, at, MANY);
  after.tick(told, utcMs(T + 2 * HOUR_MS), utcMs(0));
  expect(refusals(told)).toBe(MANY);
});

it('B8 knocking pushes nobody out who is there', () => {
  const [one, out] = [book(), noOutput()];
  const started: SessionChange = { what: 'started', auth: null, failedAttempts: null, ...knock(0) };
  one.take(out, started, { file: 1, start: 0, n: 0 }, false);
  for (let n = 1; n < 3_000; n += 1) {
    one.take(out, { what: 'attempted', ...knock(n) }, { file: 1, start: n, n: 0 }, false);
  }
  expect(one.candidates()).toMatchObject([{ key: 'k0', state: 'active' }]);
  expect(one.places().open.length).toBe(1_024);
  const sessions = (type: string) =>
    out.drafts.flatMap((draft) => (draft.type === type ? [(draft.data as { session: string }).session] : []));
  expect(sessions('session.ended')).not.toContain(sessions('session.started')[0]);
});
