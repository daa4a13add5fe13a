/**
 * The one-off rows of the table of crash points (`docs/design/erasing.md`): who is killed, at which step, and what the
 * start that follows had to do, by the collector's own record of the erasure.
 */
import { DAY_MS } from '../../protocol/time.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import { distribution, isOver } from './over.ts';
import type { Live, World } from './world.ts';

export const AGENT_POINTS = [
  'agent.append.before-commit',
  'agent.append.after-commit',
  'agent.append.tidied',
  'agent.erase.before',
  'agent.erase.after',
  'agent.send.before',
  'agent.send.after',
  'agent.ack.before',
  'agent.ack.after',
] as const;
export const COLLECTOR_POINTS = [
  'collector.erase.before',
  'store.commit',
  'store.committed',
  'collector.erase.committed',
  'collector.settled',
  'collector.erase.answered',
  'collector.ingest.before-commit',
  'collector.ingest.after-commit',
  'collector.ack.before',
] as const;
export const BOTH_POINTS = ['collector.erase.before', 'collector.erase.committed'] as const;
/** Of the erasure that needs no agent: a day after the last contact. */
export const CONTACT_POINTS = [
  'collector.erase.before',
  'store.commit',
  'collector.erase.committed',
  'collector.settled',
] as const;

interface Crash {
  what: string;
  ms: number;
  /** What the start had to do. */
  did: string;
}

/** By whose word its group was erased, and whether a start had to do it. */
function didOf(world: World, one: Live, since: number): string {
  const erasure = world.erasure(one);
  must(erasure !== null, 'no erasure is on record');
  const { by, doneAt } = erasure ?? { by: '', doneAt: 0 };
  if (doneAt < since) return `no erasure: it was committed before, by ${by}`;
  return `erased it, by ${by}`;
}

async function agentDies(world: World, point: string): Promise<Crash> {
  const one = await world.live();
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  await world.ask({ do: 'arm', armed: { point, nth: 1 } });
  await world.end(one);
  await world.agentProc.exited;
  const since = Date.now();
  await world.startAgent();
  const ms = await world.gone(one, since);
  await isOver(world, one);
  return { what: `agent at ${point}`, ms, did: didOf(world, one, since) };
}

async function collectorDies(world: World, point: string): Promise<Crash> {
  const one = await world.live();
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  await world.armCollector({ point, nth: 1 });
  await world.end(one);
  await world.collectorProc.exited;
  const since = Date.now();
  await world.startCollector();
  const ms = await world.gone(one, since);
  await isOver(world, one);
  return { what: `collector at ${point}`, ms, did: didOf(world, one, since) };
}

async function bothDie(world: World, point: string): Promise<Crash> {
  const one = await world.live();
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  await world.armCollector({ point, nth: 1 });
  await world.end(one);
  await world.collectorProc.exited;
  await world.agentProc.kill();
  const since = Date.now();
  await world.startCollector();
  await world.startAgent();
  const ms = await world.gone(one, since);
  await isOver(world, one);
  return { what: `both, the collector at ${point}`, ms, did: didOf(world, one, since) };
}

/** In the middle of a session, without an end: the process that knew it is over. */
async function midSession(world: World, who: 'agent' | 'collector' | 'both'): Promise<Crash> {
  const one = await world.live();
  if (who !== 'collector') await world.agentProc.kill();
  if (who !== 'agent') await world.collectorProc.kill();
  const since = Date.now();
  if (who !== 'agent') await world.startCollector();
  if (who !== 'collector') await world.startAgent();
  await world.until('the link is live', ({ live }) => live);
  if (who === 'collector') {
    // The key came again with the new connection: the session lives on.
    await world.stage.until('it is shown again', async () => (await world.shown(one))?.peer !== null, 30);
    const at = await world.end(one);
    const ms = await world.gone(one, at ?? 0);
    await isOver(world, one);
    return { what: 'collector in mid-session', ms, did: 'was given the key again; it ended later' };
  }
  const ms = await world.gone(one, since);
  await isOver(world, one);
  return { what: `${who} in mid-session`, ms, did: didOf(world, one, since) };
}

/** The agent is gone for good, and the collector dies while it erases without it. */
async function contactDies(world: World, point: string): Promise<Crash> {
  const one = await world.live();
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  await world.agentProc.kill();
  await world.armCollector({ point, nth: 1 });
  // The next look is behind the day: it begins the erasure, and dies of it.
  await world.tellCollector({ aheadMs: DAY_MS });
  await world.collectorProc.exited;
  const since = Date.now();
  await world.startCollector(DAY_MS);
  await world.stage.until('nothing is at the collector', () => atCollector(world, one).length === 0);
  const ms = Date.now() - since;
  mustEqual(world.erasure(one)?.by, 'contact', 'who erased it');
  const did = didOf(world, one, since + DAY_MS);
  await world.collectorProc.stop();
  await world.startCollector();
  await world.startAgent();
  await world.gone(one, Date.now());
  await isOver(world, one);
  return { what: `collector at ${point}, the agent away for a day`, ms, did };
}

export function atCollector(world: World, one: Live): string[] {
  return world.left(one).filter((where) => where.includes(' in collector/') || where.includes(' in keys2/'));
}

/** The whole table, printed row by row. */
export async function crashes(world: World): Promise<string> {
  const times: number[] = [];
  const told = ({ what, ms, did }: Crash) => {
    times.push(ms);
    console.log(`    killed: ${what.padEnd(64)} the start ${did}; nothing left ${ms} ms after it`);
  };
  for (const point of AGENT_POINTS) told(await agentDies(world, point));
  for (const point of COLLECTOR_POINTS) told(await collectorDies(world, point));
  for (const point of BOTH_POINTS) told(await bothDie(world, point));
  for (const who of ['agent', 'collector', 'both'] as const) told(await midSession(world, who));
  for (const point of CONTACT_POINTS) told(await contactDies(world, point));
  return distribution(times);
}
