/** Sessions, gaps and what waits: the queries that lists and coverage stand on. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { SessionQuery, SessionRow, SourceRow, Store } from '../../collector/store/types.ts';
import { MAX_GAPS, MAX_SOURCES } from '../../collector/store/watching.ts';
import { newId } from '../../protocol/ids.ts';
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
      const { session: id, agent, startedAt, startedPos, mergedInto } = changed;
      expect(await store.read.sessionHeads([row.session, NEW.session()])).toEqual([
        { session: id, agent, startedAt, startedPos, mergedInto },
      ]);
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
      expect(await store.read.mergedInto([one.session], 9)).toEqual([{ root: one.session, row: merged }]);
      expect(await store.read.mergedInto([two.session], 9)).toEqual([]);
    }),
  );

  it(
    'finds a merged session under the host of each that became one with it, also through others',
    on(open, async (store) => {
      const root = session();
      const many = Array.from({ length: 5 }, (_, i) =>
        session({ agent: root.agent, mergedInto: root.session, startedPos: 10 + i }),
      );
      const middle = session({ mergedInto: root.session, startedPos: 20 });
      const far = session({ mergedInto: middle.session, startedPos: 21 });
      const ring = session({ startedPos: 22 });
      await store.write((tx) =>
        tx.putSessions([root, ...many, middle, far, { ...ring, mergedInto: ring.session }]),
      );
      for (const { agent } of [root, middle, far]) {
        expect(await asked(store, { agents: [agent] })).toEqual([root.session]);
        expect(await asked(store, { agents: [agent], since: at(99) })).toEqual([]);
      }
      expect(await asked(store, { agents: [NEW.agent()] })).toEqual([]);
      const under = async (most: number) =>
        (await store.read.mergedInto([root.session], most)).map(({ row }) => row.agent);
      expect((await under(20)).length).toBe(7);
      // Five of the root's own host do not push out the other one.
      expect(await under(2)).toContain(middle.agent);
      expect(await store.read.mergedInto([ring.session], 3)).toEqual([]);
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
    'takes those that nobody has explained, those that began, and those that run',
    on(open, async (store) => {
      const said = session({ startedAt: at(10), explainedPos: 5 });
      const running = session({ startedAt: at(12), endedAt: null, state: 'active' });
      const before = session({ startedAt: at(11), endedAt: null, state: 'active' });
      const moved = { ...running, session: NEW.session(), mergedInto: running.session };
      const [tried, denied] = (['attempted', 'rejected'] as const).map((state) =>
        session({ startedAt: at(14), endedAt: null, state }),
      );
      await store.write((tx) =>
        tx.putSessions([said, running, before, moved, ...[tried, denied].filter((row) => row !== undefined)]),
      );
      expect(await asked(store, { unexplained: true, attempts: false })).toEqual([
        before.session,
        running.session,
      ]);
      expect(await asked(store, { attempts: false })).toHaveLength(3);
      expect(await asked(store, { attempts: true })).toHaveLength(5);
      expect(ids(await store.read.runningSessions(10))).toEqual([before.session, running.session]);
      expect(ids(await store.read.runningSessions(1))).toEqual([before.session]);
    }),
  );

  it(
    'finds twins: one site, equal tool, kind, start, end and occurrence, unmerged',
    on(open, async (store) => {
      const row = session();
      const twin = { ...row, session: NEW.session(), startedPos: 9 };
      const anew = { ...row, session: NEW.session(), agent: NEW.agent(), startedPos: 10 };
      const others = [
        { ...row, session: NEW.session(), site: NEW.customer() as never },
        { ...row, session: NEW.session(), occurrence: 1 },
        { ...row, session: NEW.session(), endedAt: null },
        { ...row, session: NEW.session(), mergedInto: row.session },
      ];
      await store.write((tx) => tx.putSessions([row, twin, anew, ...others]));
      expect(ids(await store.read.twins(row))).toEqual([twin.session, anew.session]);
      expect(await store.read.twinned([anew.session, ...ids(others)])).toEqual([anew.session]);
      const open = others[2];
      expect(open && (await store.read.twins(open))).toEqual([]);
    }),
  );

  it(
    'K7 keeps so many sources of a host, the first ones, and finds them by host',
    on(open, async (store) => {
      const [agent, other] = [NEW.agent(), NEW.agent()];
      const row = (of: typeof agent): SourceRow => ({
        source: newId<'source'>(randomBytes),
        agent: of,
        tool: 'teamviewer',
        state: 'reading',
        since: at(1),
        skipped: 0,
        unreadable: 0,
      });
      const rows = Array.from({ length: MAX_SOURCES + 3 }, () => row(agent));
      const theirs = row(other);
      await store.write(async (tx) => {
        await tx.sources.put(rows);
        await tx.sources.put([theirs, { ...rows[0]!, skipped: 4 }]);
      });
      expect(await store.read.sourcesOf([other])).toEqual([theirs]);
      const kept = await store.read.sourcesOf([agent]);
      expect(kept).toEqual([{ ...rows[0], skipped: 4 }, ...rows.slice(1, MAX_SOURCES)]);
    }),
  );

  it(
    'K7 keeps so many gaps of a host; one more widens the last of its reason',
    on(open, async (store) => {
      const [agent, other] = [NEW.agent(), NEW.agent()];
      const gap = (pos: number, from: number, to: number, reason = 'disk-full') => ({
        pos,
        agent,
        source: null,
        fromAt: at(from),
        toAt: at(to),
        reason,
        count: 3,
      });
      const many = Array.from({ length: MAX_GAPS }, (_, i) => gap(i + 1, i + 100, i + 101));
      await store.write(async (tx) => {
        await tx.putGaps(many);
        await tx.putGaps([gap(5001, 7, 9), gap(5002, 9_000, 9_900), gap(5003, 1, 2, 'restored')]);
        await tx.putGaps([{ ...gap(5004, 1, 2), agent: other }]);
      });
      const kept = await store.read.gaps([agent], at(0), at(99_999));
      const wide = { ...gap(MAX_GAPS, 7, 9_900), count: null };
      expect(kept).toEqual([...many.slice(0, -1), wide, gap(5003, 1, 2, 'restored')]);
      expect(await store.read.gaps([other], at(0), at(99))).toHaveLength(1);
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
