/** What the scenarios of the drill share: a collector with agents, an age key, and ways to lose things. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { must } from '../identity/scenario.ts';
import type { Agent, EventItem, Session, Stage } from '../identity/stage.ts';
import { guide } from './guide.ts';

/** An agent comes again within a minute after the collector went on purpose. */
export const REFILL_S = 150;

export async function drained(agents: readonly Agent[], seconds = REFILL_S): Promise<void> {
  await Promise.all(agents.map((agent) => agent.drained(seconds)));
}

/** Enrols, writes rows, and waits until the collector has them. */
export async function watched(stage: Stage, names: readonly string[], rows: number): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (const name of names) {
    const agent = await stage.enrol(name);
    agent.write(0, rows);
    await agent.start();
    agents.push(agent);
  }
  await drained(agents, 60);
  return agents;
}

/** The block of the guide, with or without an escrow. */
export async function backUp(stage: Stage, withKeys: boolean): Promise<void> {
  if (!withKeys) {
    await guide(stage, 'backup');
    return;
  }
  const identity = await generateX25519Identity();
  writeFileSync(stage.at('secret', 'age.txt'), `# made for the drill\n${identity}\n`, { mode: 0o600 });
  await guide(stage, 'backup-keys', { RECIPIENT: await identityToRecipient(identity) });
}

export async function stopAll(stage: Stage, agents: readonly Agent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.stop()));
  await stage.collector?.stop();
}

export async function startAll(stage: Stage, agents: readonly Agent[]): Promise<void> {
  await stage.startCollector();
  for (const agent of agents) await agent.start();
}

/** Loses what matches, from the state directory. */
export function lose(stage: Stage, what: RegExp): void {
  for (const name of readdirSync(stage.collectorState)) {
    if (what.test(name)) rmSync(join(stage.collectorState, name), { recursive: true });
  }
}
export const DATABASE = /^collector\.db/;
export const FIRST_KEYS = /^keys\.slots$/;
export const EVERYTHING = /./;

export function loseSecond(stage: Stage): void {
  rmSync(stage.at('keys2'), { recursive: true });
}

export async function idOf(agent: Agent): Promise<string> {
  return (await agent.status())?.agent ?? '';
}

export async function stateOf(stage: Stage, id: string): Promise<string | undefined> {
  return (await stage.hosts()).find((host) => host.id === id)?.state;
}

/** Peers can be read in all of these sessions, or in none. */
export function mustRead(sessions: readonly Session[], can: boolean, what: string): void {
  const wrong = sessions.filter(
    ({ peer, localUser }) => ((peer?.id ?? null) !== null && localUser !== null) !== can,
  );
  must(
    sessions.length > 0 && wrong.length === 0,
    `${what}: ${wrong.length} of ${sessions.length} are not so`,
  );
}

export async function only(stage: Stage, type: string): Promise<EventItem> {
  const events = await stage.events(type);
  must(events.length === 1, `${events.length} events ${type}, expected one`);
  return events[0] as EventItem;
}
