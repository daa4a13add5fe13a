/** The agent was last heard of a day ago (S1, O8): the collector's part goes, in time and not before. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, toIso, utcMs } from '../../protocol/time.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import { atCollector } from './crashes.ts';
import { isOver } from './over.ts';
import type { Live, World } from './world.ts';

/** The collector looks every minute, and one look early. */
const EARLY_MS = MINUTE_MS;
/** Of the agent's last frame, written by the collector now and then. */
const SEEN_MS = 2 * MINUTE_MS;

async function mustBeThere(world: World, one: Live, when: string): Promise<void> {
  // What this look finds is only half of it: when it went, says the collector's own record, below.
  await sleep(SECOND_MS);
  must(atCollector(world, one).length > 0, `${when} it is gone`);
  mustEqual([world.groupState(one), world.erasure(one)], ['live', null], `its group, ${when}`);
}

/** The collector runs all the time, and so does its clock. */
export async function contactLost(world: World): Promise<string> {
  const one = await world.live();
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  await world.agentProc.kill();
  const killedAt = Date.now();
  await sleep(SECOND_MS);
  const seen = world.lastSeen();
  must(
    Math.abs(killedAt - seen) < SEEN_MS,
    `last seen ${toIso(utcMs(seen))}, killed ${killedAt - seen} ms later`,
  );
  const aheadOf = (ms: number) => ({ aheadMs: seen + ms - Date.now() });
  for (const [when, ms] of [
    ['after 12 hours', DAY_MS / 2],
    ['after 23 hours', 23 * HOUR_MS],
    ['one and a half minutes before the day is over', DAY_MS - 90 * SECOND_MS],
  ] as const) {
    await world.tellCollector(aheadOf(ms));
    await mustBeThere(world, one, when);
  }
  await world.tellCollector(aheadOf(DAY_MS - 20 * SECOND_MS));
  await world.stage.until('nothing is at the collector', () => atCollector(world, one).length === 0);
  const erasure = world.erasure(one);
  const after = (erasure?.doneAt ?? 0) - seen;
  mustEqual([erasure?.by, erasure?.dueAt], ['contact', seen + DAY_MS], 'the erasure on record');
  must(after >= DAY_MS - EARLY_MS && after <= DAY_MS, `erased ${after} ms after the last contact`);
  mustEqual(world.groupState(one), 'erased', 'its group');
  const shown = await world.shown(one);
  mustEqual([shown?.peer, shown?.personal], [null, 'erased'], 'what is shown');
  // The agent's own part waits for its next start; its clock, like the collector's, is that of today again.
  await world.collectorProc.stop();
  mustEqual(atCollector(world, one), [], 'what the stopped collector has left');
  await world.startCollector();
  await world.startAgent();
  await world.gone(one, Date.now());
  await isOver(world, one);
  return `still there 90 s before the day was over; erased ${((DAY_MS - after) / 1000).toFixed(0)} s before it was`;
}

/** The collector was down as the day ended: erased by its start. */
export async function neverBack(world: World): Promise<string> {
  const one = await world.live();
  await world.agentProc.kill();
  await world.collectorProc.stop();
  must(world.left(one).length > 0, 'what nobody ended is still there, sealed');
  await world.startCollector(DAY_MS);
  mustEqual(world.groupState(one), 'erased', 'its group, as soon as the port is open');
  mustEqual(atCollector(world, one), [], 'what the collector has left');
  await world.collectorProc.stop();
  await world.startCollector();
  await world.startAgent();
  await world.gone(one, Date.now());
  await isOver(world, one);
  return 'erased at the start of the collector, a day later; the agent’s own part with its next start';
}
