/** The ack is lost and the batch is sent again (S5, O5): while the session lives, and when it is over. */
import { must, mustEqual } from '../identity/scenario.ts';
import { isOver } from './over.ts';
import type { Live, World } from './world.ts';

/** A session whose batch is stored, whose ack is lost with the collector, and whose agent knows nothing of it. */
async function unacked(world: World): Promise<Live> {
  await world.until('all is acked', ({ backlog, live }) => live && backlog === 0);
  await world.armCollector({ point: 'collector.ack.before', nth: 1 });
  const one = await world.live();
  await world.collectorProc.exited;
  must((await world.state()).backlog > 0, 'the agent has an ack: nothing would be sent again');
  return one;
}

async function mustBeOnce(world: World, one: Live): Promise<void> {
  await world.until('all is acked', ({ backlog, live }) => live && backlog === 0);
  const items = await world.stage.sessions();
  mustEqual(items.filter(({ id }) => id === one.told.session).length, 1, 'times that it is listed');
}

async function ends(world: World, one: Live): Promise<void> {
  const at = await world.end(one);
  await world.gone(one, at ?? 0);
  await isOver(world, one);
}

/** Leaves and parts of before come again on a new connection; those of the dead group bring nothing back. */
async function sentAgain(world: World, one: Live): Promise<void> {
  await world.ask({ do: 'link', on: false });
  const before = world.leaves();
  await world.ask({ do: 'link', on: true });
  await world.until('the link is live', ({ live }) => live);
  await world.ask({ do: 'fill', count: 1 });
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  must(world.leaves() > before, 'nothing came behind what was sent again');
  await isOver(world, one);
}

export async function ackLost(world: World): Promise<string> {
  await world.agentProc.stop();
  await world.startAgent({ resend: true });
  // Sent again with its parts, while it lives.
  const living = await unacked(world);
  await world.startCollector();
  await mustBeOnce(world, living);
  must((await world.shown(living))?.peer?.id === living.canaries.peerId, 'sent again, it is not shown');
  await ends(world, living);
  await sentAgain(world, living);
  // Over before the batch was sent again: the collector has its parts, and no word of its end.
  const over = await unacked(world);
  await world.end(over);
  must(
    world.left(over).some((where) => where.includes('collector')),
    'the collector has no part of it',
  );
  const since = Date.now();
  await world.startCollector();
  await world.gone(over, since);
  await isOver(world, over);
  await mustBeOnce(world, over);
  await sentAgain(world, over);
  await world.agentProc.stop();
  await world.startAgent();
  return 'with its parts while it lives; without them when it is over; and once more after that: nothing is back';
}
