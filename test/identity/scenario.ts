/** What every scenario of identity is made of: a stage, facts that must hold, and notes for its line. */
import { join } from 'node:path';
import { compareChains, verifyChains } from '../support/verify-chains.ts';
import { type Agent, rowStart, type Session, type Stage } from './stage.ts';

export interface Scenario {
  name: string;
  play(stage: Stage, note: (text: string) => void): Promise<void>;
}

/** @throws Error with `what` where it is not so */
export function must(ok: boolean, what: string): void {
  if (!ok) throw new Error(what);
}

export function mustEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  must(a === e, `${what}: ${a}, expected ${e}`);
}

/** Every row of this agent's file, up to `rows`, is exactly one session, with its own start and people. */
export async function mustBeExactly(stage: Stage, name: string, rows: number): Promise<void> {
  const sessions = (await stage.sessions()).filter(({ peer }) => peer?.names[0]?.endsWith(` of ${name}`));
  const seen = new Map<number, Session>();
  for (const session of sessions) {
    const n = Number(/^Peer (\d+) of/.exec(session.peer?.names[0] ?? '')?.[1]);
    must(!seen.has(n), `row ${n} of ${name} is there twice: ${seen.get(n)?.id} and ${session.id}`);
    seen.set(n, session);
    must(Date.parse(session.startedAt) === rowStart(n), `row ${n} of ${name} starts at ${session.startedAt}`);
    must(session.state === 'ended', `row ${n} of ${name} is ${session.state}`);
  }
  mustEqual(sessions.length, rows, `sessions of ${name}`);
}

/**
 * No chain is broken on any side, and both sides have the same bytes, but for what a restored copy wrote into a log
 * that had gone on without it: that end of it is the agent's own, and its successor says where it was left.
 */
export async function mustVerify(stage: Stage, ...agents: Agent[]): Promise<void> {
  // Agents first: what one believes to be acked by now, the collector has a moment later.
  const sides = agents.map((agent) => ({
    state: agent.state,
    name: agent.name,
    agent: verifyChains(join(agent.state, 'agent.db'), 'agent'),
  }));
  const collector = verifyChains(join(stage.collectorState, 'collector.db'), 'collector');
  const problems = [...collector.problems];
  const left = new Set(
    [...collector.chains.values()]
      .filter(({ birth }) => birth.reason === 'restored' && birth.predecessor !== null)
      .map(({ birth }) => birth.predecessor?.log ?? ''),
  );
  for (const { state, name, agent } of sides) {
    const own =
      left.size > 0 ? agent.problems.filter((text) => !text.includes('(restored)')) : agent.problems;
    for (const log of left) agent.chains.delete(log);
    problems.push(...own.map((text) => `${name}: ${text}`));
    problems.push(...compareChains(agent, collector).map((text) => `${name}: ${text}`));
    await stage.json(['agent', 'check', '--state', state]);
  }
  must(problems.length === 0, problems.join('; '));
}

/** A refusal has a code of its own, says what was being done, and names something that helps. */
export function mustSay(
  refused: { code: string; message: string; hint: string | null } | null | undefined,
  code: string,
): void {
  mustEqual(refused?.code, code, 'code');
  must((refused?.message.length ?? 0) > 20, `${code}: its message says too little: ${refused?.message}`);
  must((refused?.hint?.length ?? 0) > 10, `${code}: it has no hint`);
}
