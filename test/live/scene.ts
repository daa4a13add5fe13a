/** What every scene of the live suite is made of: an agent with sources of its own, looks at the collector, times. */
import { writeFileSync } from 'node:fs';
import type { Agent, EventItem, Session, Stage } from '../identity/stage.ts';
import type { Needs } from './programs.ts';

export interface Scene {
  name: string;
  needs: Needs;
  play(stage: Stage, note: (text: string) => void): Promise<void>;
}

export const NEEDS_NOTHING: Needs = { programs: {}, root: false };

/** As `session list -o json` has it. */
export interface LiveSession extends Session {
  tool: string;
  endBasis: string | null;
  endReason: string | null;
  startBasis: string;
  auth: string | null;
  confirmedBy: string[];
  mergedFrom: { id: string; hostId: string }[];
}

export interface LiveEvent extends EventItem {
  receivedAt: string;
}

/** An enrolled agent that reads what it is told to. */
export async function agentWith(stage: Stage, name: string, sources: readonly object[]): Promise<Agent> {
  const agent = await stage.enrol(name);
  writeFileSync(agent.config, JSON.stringify({ sources }));
  return agent;
}

/** Started, and connected; the files it reads have been looked at once. */
export async function startLive(stage: Stage, agent: Agent): Promise<void> {
  await agent.start();
  await agent.linked();
  await stage.until(`agent ${agent.name} has looked at its files`, async () => {
    const sources = (await agent.status())?.sources ?? [];
    return sources.length > 0 && sources.every(({ state }) => state === 'caught-up' || state === 'no-file');
  });
}

/** Everything it could read is at the collector. */
export async function settled(stage: Stage, agent: Agent): Promise<void> {
  await stage.until(`agent ${agent.name} has sent everything`, async () => {
    const now = await agent.status();
    if (now?.collector.state !== 'live' || now.backlog > 0 || now.sources.length === 0) return false;
    return now.sources.every(({ state, behindBytes }) => state === 'caught-up' && behindBytes === 0);
  });
}

/** All of them, those that never began too. */
export async function sessionsOf(stage: Stage): Promise<LiveSession[]> {
  const list = ['session', 'list', '--attempts', '--limit', '1000'];
  return (await stage.json<{ items: LiveSession[] }>(list)).items;
}

/** Looks at the collector until a session is as it should be. */
export async function appears(
  stage: Stage,
  what: string,
  is: (session: LiveSession) => boolean,
  seconds = 15,
): Promise<LiveSession> {
  let found: LiveSession | undefined;
  await stage.until(
    what,
    async () => {
      found = (await sessionsOf(stage)).find(is);
      return found !== undefined;
    },
    seconds,
  );
  return found as LiveSession;
}

export async function eventsOf(stage: Stage, ...types: string[]): Promise<LiveEvent[]> {
  return (await stage.events(...types)) as LiveEvent[];
}

/** Milliseconds from what the tool's log says to the collector's receipt, for each event of a type. */
export async function delays(
  stage: Stage,
  type: 'session.started' | 'session.ended',
  sessions: ReadonlySet<string>,
): Promise<number[]> {
  const field = type === 'session.started' ? 'startedAt' : 'endedAt';
  const events = (await eventsOf(stage, type)).filter(({ data }) => sessions.has(String(data.session)));
  return events.map(({ receivedAt, data }) => Date.parse(receivedAt) - Date.parse(String(data[field])));
}

/** What is promised, and what even a machine that is busy with other suites does not take. */
const PROMISED_MS = 2_000;
const GROSS_MS = 10_000;

/** `median 310 ms, most 480 ms of 10`; throws on gross misses only. */
export function distribution(what: string, times: readonly number[], count: number): string {
  const sorted = times.toSorted((a, b) => a - b);
  const [median = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  const text = `${what}: median ${median} ms, most ${most} ms of ${sorted.length}`;
  if (sorted.length !== count) throw new Error(`${text}, expected ${count}`);
  if (median > PROMISED_MS || most > GROSS_MS) throw new Error(`${text}: too late`);
  return text;
}
