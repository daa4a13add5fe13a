/** Sessions, gaps and what waits: the queries that lists and coverage stand on. */
import { expect, it } from 'vitest';
import type { SessionQuery, SessionRow, Store } from '../../collector/store/types.ts';
import { type Open, on } from './store-open.ts';
import { at, NEW, session } from './store-rows.ts';

const ids = (rows: readonly SessionRow[]) => rows.map((row) => row.session);

async function asked(store: Store, query: Partial<SessionQuery>): Promise<string[]> {
  return ids(await store.read.sessions({ customers: null, limit: 100, ...query }));
}

export function sessionContract(open: Open): void {
  it(
    'gives sessions back as they were put, and replaces them',
    on(open, async (store) => {
      const row = session();
      await store.write((tx) => tx.putSessions([row]));
      const changed = {
        ...row,
        state: 'unknown-end' as const,
        endedAt: null,
        confirmedBy: ['a', 'b'],
        partPos: [],
      };
      await store.write((tx) => tx.putSessions([changed]));
      expect(await store.read.sessionsById([row.session, NEW.session()])).toEqual([changed]);
      expect((await store.read.counts()).sessions).toBe(1);
    }),
  );

  it(
    'pages by (startedAt, session), each session once, however many start at one time',
    on(open, async (store) => {
      const rows = Array.from({ length: 25 }, (_, i) => session({ startedAt: at(Math.floor(i / 10)) }));
      await store.write((tx) => tx.putSessions(rows));
      const seen: SessionRow[] = [];
      for (;;) {
        const last = seen.at(-1);
        const after =
          last === undefined ? {} : { after: { startedAt: last.startedAt, session: last.session } };
        const page = await store.read.sessions({ customers: null, limit: 4, ...after });
        if (page.length === 0) break;
        seen.push(...page);
      }
      const order = (a: SessionRow, b: SessionRow) =>
        a.startedAt - b.startedAt || (a.session < b.session ? -1 : 1);
      expect(seen).toEqual(rows.toSorted(order));
    }),
  );

  it(
    'binds a query to customers, agents and what the session is',
    on(open, async (store) => {
      const one = session();
      const two = session({ tool: 'sshd', kind: 'shell', mode: 'one-off', state: 'active', endedAt: null });
      const merged = session({ mergedInto: one.session, startedAt: at(11) });
      await store.write((tx) => tx.putSessions([one, two, merged]));
      expect(await asked(store, { customers: [] })).toEqual([]);
      expect(await asked(store, { customers: [two.customer] })).toEqual([two.session]);
      expect(await asked(store, { agents: [one.agent] })).toEqual([one.session]);
      expect(await asked(store, { agents: [] })).toEqual([]);
      for (const query of [{ tool: 'sshd' }, { kind: 'shell' }, { mode: 'one-off' }, { state: 'active' }]) {
        expect(await asked(store, query), JSON.stringify(query)).toEqual([two.session]);
      }
      expect(await asked(store, { customers: [merged.customer] })).toEqual([]);
      expect(await asked(store, { customers: [merged.customer], merged: true })).toEqual([merged.session]);
      expect(ids(await store.read.mergedInto([one.session]))).toEqual([merged.session]);
      expect(await store.read.mergedInto([two.session])).toEqual([]);
    }),
  );

  it(
    'takes sessions by start, or with overlaps by any part, half open',
    on(open, async (store) => {
      const over = session({ startedAt: at(10), endedAt: at(20) });
      const running = session({ startedAt: at(12), endedAt: null, state: 'active' });
      const attempt = session({ startedAt: at(14), endedAt: null, state: 'attempted' });
      const instant = session({ startedAt: at(30), endedAt: at(30) });
      await store.write((tx) => tx.putSessions([over, running, attempt, instant]));
      expect(await asked(store, { since: at(10), until: at(12) })).toEqual([over.session]);
      expect(await asked(store, { since: at(11), until: at(30) })).toEqual([
        running.session,
        attempt.session,
      ]);
      const overlaps = (since: number, until: number) =>
        asked(store, { since: at(since), until: at(until), overlaps: true });
      expect(await overlaps(19, 25)).toEqual([over.session, running.session]);
      expect(await overlaps(20, 25)).toEqual([running.session]);
      expect(await overlaps(5, 10)).toEqual([]);
      expect(await overlaps(30, 31)).toEqual([running.session, instant.session]);
    }),
  );

  it(
    'finds twins: one agent, equal tool, kind, start, end and occurrence, unmerged',
    on(open, async (store) => {
      const row = session();
      const twin = { ...row, session: NEW.session(), startedPos: 9 };
      const others = [
        { ...row, session: NEW.session(), agent: NEW.agent() },
        { ...row, session: NEW.session(), occurrence: 1 },
        { ...row, session: NEW.session(), endedAt: null },
        { ...row, session: NEW.session(), mergedInto: row.session },
      ];
      await store.write((tx) => tx.putSessions([row, twin, ...others]));
      expect(ids(await store.read.twins(row))).toEqual([twin.session]);
      const open = others[2];
      expect(open && (await store.read.twins(open))).toEqual([]);
    }),
  );

  it(
    'lists gaps that touch a range, half open, of these agents',
    on(open, async (store) => {
      const agent = NEW.agent();
      const gap = (pos: number, from: number, to: number) => ({
        pos,
        agent,
        source: null,
        fromAt: at(from),
        toAt: at(to),
        reason: 'disk-full',
        count: 3,
      });
      const rows = [gap(1, 0, 10), gap(2, 10, 10), gap(3, 15, 30)];
      await store.write((tx) => tx.putGaps([...rows, { ...gap(4, 0, 99), agent: NEW.agent() }]));
      expect(await store.read.gaps([agent], at(10), at(15))).toEqual([rows[1]]);
      expect(await store.read.gaps([agent], at(9), at(16))).toEqual(rows);
      expect(await store.read.gaps([agent], at(30), at(99))).toEqual([]);
      expect(await store.read.gaps([], at(0), at(99))).toEqual([]);
    }),
  );

  it(
    'keeps what waits for a start, and empties all projections at once',
    on(open, async (store) => {
      const [one, two] = [NEW.session(), NEW.session()];
      const rows = [5, 3].map((pos) => ({ session: one, pos }));
      await store.write((tx) => tx.putWaiting([...rows, ...rows, { session: two, pos: 4 }]));
      expect(await store.read.waiting([one])).toEqual([rows[1], rows[0]]);
      await store.write((tx) => tx.dropWaiting([one]));
      expect(await store.read.waiting([one, two])).toEqual([{ session: two, pos: 4 }]);
      await store.write(async (tx) => {
        await tx.putSessions([session()]);
        await tx.clearProjections();
      });
      expect(await store.read.waiting([two])).toEqual([]);
      expect((await store.read.counts()).sessions).toBe(0);
    }),
  );
}
