/** Remote desktop from the event log to the events of a session, across a restart of the agent (R2, B5). */
import { describe, expect, it } from 'vitest';
import { SessionBook } from '../../../agent/sessions/book.ts';
import { LogPart } from '../../../agent/sessions/log-part.ts';
import { noPlan } from '../../../agent/sessions/part.ts';
import type { FollowState } from '../../../agent/sources/follow.ts';
import { makeRdpReader } from '../../../agent/sources/rdp.ts';
import { WevtutilFeed } from '../../../agent/sources/rdp-feed.ts';
import { newId } from '../../../protocol/ids.ts';
import { type Clock, utcMs } from '../../../protocol/time.ts';
import { knock, logoff, logon, lsm, windowStation } from '../../fixtures/rdp.ts';
import { FakeWindows } from './fake-windows.ts';

let seed = 0;
const random = (bytes: number) => Buffer.alloc(bytes, ++seed);
const source = newId<'source'>(random);

class Agent {
  readonly windows = new FakeWindows();
  cursor: string | null = null;
  mono = 0;
  readonly drafts: { type: string; data: Record<string, unknown> }[] = [];
  #feed!: WevtutilFeed;
  #part!: LogPart;

  readonly #clock: Clock = {
    now: () => utcMs(Date.UTC(2026, 2, 12, 23)),
    mono: () => this.mono,
    after: () => () => {},
  };

  async start(): Promise<void> {
    const state = this.cursor === null ? null : (JSON.parse(this.cursor) as FollowState);
    this.#feed = new WevtutilFeed({ run: this.windows.run, clock: this.#clock, state });
    this.#part = new LogPart({
      book: new SessionBook({
        ...{ source, tool: 'rdp', mode: 'managed', word: 'event-log', random, matches: () => true },
        ...{ enrolledAt: null, readFrom: () => null, rows: [] },
      }),
      reader: () => makeRdpReader({ zone: 'UTC', near: () => this.#clock.now(), ownIps: [] }),
      clock: this.#clock,
      bootedAt: () => utcMs(0),
      found: () => undefined,
    });
    await this.#part.restore(this.cursor, this.#feed, () => ({ history: false }));
  }

  async look(): Promise<void> {
    this.mono += 30_000;
    const step = await this.#feed.step(200);
    const plan = noPlan();
    for (const line of step.lines) expect(this.#part.line(plan, line, { history: false })).toBeNull();
    this.#part.tick(plan, { now: this.#clock.now(), past: true, atEnd: true });
    this.cursor = JSON.stringify({ ...step.state, ...this.#part.stored(step.state.files) });
    this.#feed.accept(step);
    this.drafts.push(...plan.drafts.map(({ type, data }) => ({ type, data: { ...data } })));
  }

  of(type: string): unknown[] {
    return this.drafts.filter((draft) => draft.type === type).map(({ data }) => data.session);
  }
}

describe('a session that outlives the agent', () => {
  it('ends under its own id, whichever log began it, hours later', async () => {
    const agent = new Agent();
    await agent.start();
    agent.windows.write((record) => knock({ at: '10:00:00', record }));
    agent.windows.write((record) => logon({ at: '10:00:00.5', record }));
    agent.windows.write((record) => lsm(21, { at: '10:00:02', record }));
    agent.windows.write((record) => lsm(21, { at: '10:30:00', record, session: 5, user: 'PLANT01\\a.dahl' }));
    await agent.look();
    expect(agent.of('session.started')).toHaveLength(2);
    await agent.start();
    agent.windows.write((record) => windowStation(4779, { at: '19:00:00', record }));
    agent.windows.write((record) => lsm(23, { at: '20:00:00', record }));
    agent.windows.write((record) => logoff(4634, { at: '20:00:01', record }));
    await agent.look();
    await agent.start();
    agent.windows.write((record) => lsm(23, { at: '21:00:00', record, session: 5, user: 'PLANT01\\a.dahl' }));
    await agent.look();
    expect(agent.of('session.ended')).toEqual(agent.of('session.started'));
    expect(
      agent.drafts.filter(({ type }) => type === 'session.ended').map(({ data }) => data.reason),
    ).toEqual(['completed', 'completed']);
  });

  it('tells when nobody is connected to it any more, and when somebody is again', async () => {
    const agent = new Agent();
    await agent.start();
    agent.windows.write((record) => logon({ at: '10:00:00.5', record }));
    agent.windows.write((record) => lsm(21, { at: '10:00:02', record }));
    await agent.look();
    const news = () => {
      const all = agent.drafts.filter(({ type }) => type === 'session.updated').map(({ data }) => data);
      return all.flatMap(({ session, connection }) =>
        connection === undefined ? [] : [{ session, connection }],
      );
    };
    expect(news()).toEqual([]);
    agent.windows.write((record) => lsm(24, { at: '11:00:00', record }));
    await agent.look();
    const [session] = agent.of('session.started');
    const cut = { session, connection: { state: 'disconnected', at: '2026-03-12T11:00:00.000Z' } };
    expect(news()).toEqual([cut]);
    await agent.start();
    agent.windows.write((record) => lsm(25, { at: '15:00:00', record }));
    await agent.look();
    expect(news()).toEqual([
      cut,
      { session, connection: { state: 'connected', at: '2026-03-12T15:00:00.000Z' } },
    ]);
    expect(agent.of('session.ended')).toEqual([]);
  });

  it('ends as unknown where the log was cleared meanwhile', async () => {
    const agent = new Agent();
    await agent.start();
    agent.windows.write((record) => lsm(21, { at: '10:00:00', record }));
    await agent.look();
    for (const channel of agent.windows.logs.keys()) agent.windows.clear(channel);
    await agent.start();
    await agent.look();
    expect(agent.of('session.ended')).toEqual(agent.of('session.started'));
    expect(agent.drafts.at(-1)?.data.reason).toBe('unknown');
  });
});
