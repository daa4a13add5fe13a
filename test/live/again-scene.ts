/**
 * The same log read twice: by an agent that was installed anew, by two agents, and after what it told of was erased.
 * Nothing comes back, nothing doubles, and what each agent told is there.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must, mustEqual } from '../identity/scenario.ts';
import type { Stage } from '../identity/stage.ts';
import {
  agentWith,
  eventsOf,
  type LiveSession,
  NEEDS_NOTHING,
  type Scene,
  sessionsOf,
  settled,
  startLive,
} from './scene.ts';
import { FakeTeamviewer } from './teamviewer-scene.ts';

const COLLECTOR = fileURLToPath(new URL('./collector-child.ts', import.meta.url));
const CALLS = 8;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Calls that are over, each in the log and as a row. */
function written(files: FakeTeamviewer, from: number, count: number): void {
  for (let n = 0; n < count; n += 1) {
    const call = files.call(from + n * HOUR_MS);
    call.begin();
    call.end();
    call.row();
  }
}

const ids = (sessions: readonly LiveSession[]) => sessions.map(({ id }) => id).toSorted();

/** One session for each call, as it was before, confirmed by both files; and `agents` tellings of each. */
async function mustBeTheSame(stage: Stage, before: readonly LiveSession[], agents: number): Promise<void> {
  const after = await sessionsOf(stage);
  mustEqual(ids(after), ids(before), 'the sessions after it was read again');
  must(
    after.every(({ state, confirmedBy }) => state === 'ended' && confirmedBy.length === 2),
    'a session is not whole',
  );
  const starts = await eventsOf(stage, 'session.started');
  mustEqual(starts.length, before.length * agents, 'events session.started');
  mustEqual(new Set(starts.map(({ log }) => log)).size, agents, 'logs that tell of them');
  const told = new Set(starts.map(({ data }) => String(data.session)));
  const known = new Set(ids(after));
  for (const id of told) {
    if (known.has(id)) continue;
    const { id: answered } = await stage.json<LiveSession>(['session', 'show', id]);
    must(known.has(answered), 'the id of a second telling answers with another session');
  }
}

const reinstalled: Scene = {
  name: 'an agent that was installed anew reads the old log and rows again',
  needs: NEEDS_NOTHING,
  async play(stage) {
    await stage.found();
    const files = new FakeTeamviewer(stage.at('site', 'teamviewer'));
    written(files, Date.now() - CALLS * HOUR_MS, CALLS);
    const first = await agentWith(stage, 'site', [files.source]);
    await startLive(stage, first);
    await settled(stage, first);
    const before = await sessionsOf(stage);
    mustEqual(before.length, CALLS, 'sessions of the first agent');
    await first.stop();
    const second = await agentWith(stage, 'again', [files.source]);
    await startLive(stage, second);
    await settled(stage, second);
    await mustBeTheSame(stage, before, 2);
    await second.stop();
  },
};

const twoAgents: Scene = {
  name: 'two agents on one log, while it is written',
  needs: NEEDS_NOTHING,
  async play(stage) {
    await stage.found();
    const files = new FakeTeamviewer(stage.at('site', 'teamviewer'));
    const one = await agentWith(stage, 'one', [files.source]);
    const other = await agentWith(stage, 'other', [files.source]);
    await Promise.all([startLive(stage, one), startLive(stage, other)]);
    for (let n = 0; n < CALLS; n += 1) {
      const call = files.call();
      call.begin();
      await stage.until('both have told of it', async () => {
        return (await eventsOf(stage, 'session.started')).length === 2 * (n + 1);
      });
      call.end();
      call.row();
    }
    await stage.until('every session is whole', async () => {
      return (await sessionsOf(stage)).every(({ confirmedBy }) => confirmedBy.length === 2);
    });
    await Promise.all([settled(stage, one), settled(stage, other)]);
    const sessions = await sessionsOf(stage);
    mustEqual(sessions.length, CALLS, 'sessions that two agents told of');
    await mustBeTheSame(stage, sessions, 2);
    await Promise.all([one.stop(), other.stop()]);
  },
};

/** The month that is due under a year's policy; the agent's memory of where it stood is gone, its identity is not. */
const afterErasing: Scene = {
  name: 'what was erased is read again, by the same agent and by one that was installed anew',
  needs: NEEDS_NOTHING,
  async play(stage, note) {
    await stage.found();
    await stage.collector?.stop();
    await stage.startCollector({ file: COLLECTOR, config: { keepDays: null } });
    const files = new FakeTeamviewer(stage.at('site', 'teamviewer'));
    written(files, Date.now() - 100 * DAY_MS, CALLS);
    const agent = await agentWith(stage, 'site', [files.source]);
    await startLive(stage, agent);
    await settled(stage, agent);
    const before = await sessionsOf(stage);
    mustEqual(before.length, CALLS, 'sessions before they are erased');
    must(
      before.every(({ peer }) => peer?.id != null),
      'nobody is known before they are erased',
    );
    await agent.stop();
    await stage.collector?.stop();
    await stage.startCollector({ file: COLLECTOR, config: { keepDays: 60 } });
    await stage.until('they are erased', async () => {
      return (await sessionsOf(stage)).every(({ peer }) => (peer?.id ?? null) === null);
    });
    // Another name for the same files: the agent has never read them.
    const moved = new FakeTeamviewer(stage.at('site', 'moved'), files);
    writeFileSync(agent.config, JSON.stringify({ sources: [moved.source] }));
    await startLive(stage, agent);
    await settled(stage, agent);
    await mustStayErased(stage, before, 'the same agent');
    await agent.stop();
    const again = await agentWith(stage, 'again', [files.source]);
    await startLive(stage, again);
    await settled(stage, again);
    const all = await sessionsOf(stage);
    must(all.every(nobody), 'an agent that was installed anew: what was erased came back');
    // Without a name only tellings of one host are known to be one (M2), and this one counts as another.
    note(
      `told again by the same host: ${before.length}; by one that was installed anew: ${all.length} in all`,
    );
    await again.stop();
  },
};

const nobody = ({ peer }: LiveSession) => (peer?.id ?? null) === null;

async function mustStayErased(stage: Stage, before: readonly LiveSession[], who: string): Promise<void> {
  const after = await sessionsOf(stage);
  must(after.every(nobody), `${who}: what was erased came back`);
  mustEqual(ids(after), ids(before), `${who}: the sessions after it was read again`);
}

export const again: readonly Scene[] = [reinstalled, twoAgents, afterErasing];
