/**
 * `npm run test:oneoff [-- --sessions N] [--queued N] [--only WORD] [--keep]`
 *
 * Live one-off sessions with canaries, in real processes, and their end: how long until nothing of them, and no key
 * that opens them, lies on any disk of either side. Idle; with 100,000 events queued ahead; with agent, collector or
 * both killed at each step; with the ack lost; and with an agent that never comes back (S1, S3, S5, O8). A search that
 * cannot fail shows nothing: while they live the parts are found at both sides, and at last a key is laid down on purpose.
 * Then outgoing sessions, of which those with a managed device stay (`outgoing.ts`).
 */
import { rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { must, mustEqual, mustVerify } from '../identity/scenario.ts';
import { endAll } from '../identity/stage.ts';
import { hitLine } from '../privacy/search.ts';
import { ackLost } from './again.ts';
import { contactLost, neverBack } from './contact.ts';
import { crashes } from './crashes.ts';
import { outgoingSessions } from './outgoing.ts';
import { distribution, isOver } from './over.ts';
import { type Live, World } from './world.ts';

const { values: args } = parseArgs({
  options: {
    sessions: { type: 'string', default: '40' },
    queued: { type: 'string', default: '100000' },
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

let passed = 0;
let failed = 0;

async function scene(name: string, act: () => Promise<string>): Promise<void> {
  if (args.only !== undefined && !name.includes(args.only)) return;
  const began = performance.now();
  try {
    const note = await act();
    passed += 1;
    console.log(`✓ ${name}: ${note} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`✗ ${name}\n    ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  }
}

async function ending(world: World): Promise<number> {
  const one = await world.live();
  const at = await world.end(one);
  must(at !== null, 'the agent died');
  const ms = await world.gone(one, at ?? 0);
  await isOver(world, one);
  return ms;
}

async function idle(world: World): Promise<string> {
  const times: number[] = [];
  for (let n = 0; n < Number(args.sessions); n += 1) times.push(await ending(world));
  return distribution(times);
}

async function shownOnce(world: World): Promise<string> {
  const one = await world.live();
  const before = await world.shown(one);
  mustEqual(before?.peer?.id, one.canaries.peerId, 'the peer of a live session');
  mustEqual([before?.erasedAt, before?.localUser], [null, one.canaries.user], 'while it lives');
  const at = await world.end(one);
  await world.gone(one, at ?? 0);
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  const after = await world.shown(one);
  mustEqual([after?.peer, after?.localUser, after?.personal], [null, null, 'erased'], 'when it is over');
  must(after?.erasedAt !== null && after?.state === 'ended', 'it says when it was erased, and that it ended');
  // The answer of the command was what the reader asked for; it lies in this process, not on the disk.
  return 'live: peer and user; over: neither, and when they were erased';
}

async function queued(world: World): Promise<string> {
  const lives: Live[] = [];
  for (let n = 0; n < 5; n += 1) lives.push(await world.live());
  await world.ask({ do: 'link', on: false });
  await world.ask({ do: 'fill', count: Number(args.queued) });
  await world.ask({ do: 'link', on: true });
  await world.until('the link is live', ({ live }) => live);
  const times: number[] = [];
  const waiting: number[] = [];
  for (const one of lives) {
    waiting.push((await world.state()).backlog);
    const at = await world.end(one);
    times.push(await world.gone(one, at ?? 0));
  }
  must((waiting[0] ?? 0) > 10_000, `only ${waiting[0]} events waited`);
  for (const one of lives) await isOver(world, one);
  const still = (await world.state()).backlog;
  await world.until('all is acked', ({ backlog }) => backlog === 0);
  return `${distribution(times)}; waiting at each end: ${waiting.join(', ')}, after the last: ${still}`;
}

async function verified(world: World): Promise<string> {
  await world.until('all is acked', ({ backlog, lane }) => backlog === 0 && lane === 0);
  await world.agentProc.stop();
  await mustVerify(world.stage, world.agent);
  await world.collectorProc.stop();
  const hits = world.search();
  mustEqual(hits.map(hitLine), [], 'canaries and keys, in every form');
  const leak = world.stage.at('tmp', 'leak');
  const before = world.search().length;
  writeFileSync(leak, `key: ${world.anyKey()}`);
  must(world.search().length > before, 'a key that was laid down on purpose was not found');
  rmSync(leak);
  return 'both ledgers verify; no canary and no key in any file or cell; a planted one is found';
}

const began = performance.now();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}
const world = await World.open();
try {
  await scene('a session ends', () => idle(world));
  await scene('what readers see', () => shownOnce(world));
  await scene(`with ${args.queued} events queued ahead`, () => queued(world));
  await scene('killed at each step', () => crashes(world));
  await scene('the ack lost and the batch sent again', () => ackLost(world));
  await scene('an agent that never comes back', () => neverBack(world));
  await scene('a day after the last contact', () => contactLost(world));
  await scene('afterwards', () => verified(world));
} finally {
  await world.close(args.keep);
}
await scene('outgoing sessions', () => outgoingSessions(args.keep));
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`oneoff: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
