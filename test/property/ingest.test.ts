/** Whatever an agent sends again, in whatever pieces, with whatever failures: what is stored is its log, once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAgentFrame } from '../../protocol/frame.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { ownEvents, startWorld, type World } from '../collector/running.ts';
import { type AgentDouble, DoubleSealer, random, type Sealed } from '../support/agent-double.ts';

interface Made {
  texts: string[];
  sealed: (Sealed | null)[];
}

/** A log of `size` leaves; every third one has a sealed part. */
function makeLog(one: AgentDouble, sealer: DoubleSealer, size: number): Made {
  const made: Made = { texts: [], sealed: [] };
  for (let i = 0; i < size; i += 1) {
    const seq = one.chain.next;
    if (i % 3 > 0) {
      made.texts.push(one.chain.heartbeat().text);
      made.sealed.push(null);
      continue;
    }
    const sealed = sealer.seal(one.chain.log, seq, { technician: `person ${seq}` });
    const data = { session: newId(random), auth: null, failedAttempts: null, files: null, confirmedBy: [] };
    const pii = [{ group: sealer.group.group as GroupId, c: sealed.c }];
    made.texts.push(one.chain.add('session.updated', data, pii).text);
    made.sealed.push(sealed);
  }
  return made;
}

/** Sends everything after the collector's cursor in pieces of `piece`; stops where the connection ends. */
async function drain(one: AgentDouble, made: Made, from: number, piece: number): Promise<void> {
  const link = await one.connect();
  let next = Math.min(from, link.welcome?.cursors[0]?.through ?? 0);
  while (next < made.texts.length) {
    const to = Math.min(made.texts.length, next + piece);
    const sealed = made.sealed.slice(next, to).filter((s) => s !== null);
    link.send(one.batch(made.texts.slice(next, to), sealed));
    const came = await link.next('ack', 'refuse', 'closed');
    if (came.t !== 'ack') return;
    next = Math.max(came.through, to);
  }
  await link.close();
}

const step = fc.record({
  from: fc.nat(40),
  piece: fc.integer({ min: 1, max: 25 }),
  fails: fc.constantFrom(
    '',
    'collector.ingest.before-commit',
    'collector.ingest.after-commit',
    'store.commit',
  ),
});

async function check(world: World, one: AgentDouble, made: Made): Promise<void> {
  const { store, opener } = world.handle.ctx;
  const leaves = await store.read.leavesOf(one.chain.log, 1, 1_000);
  expect(leaves.map(({ bytes }) => bytes)).toEqual(made.texts);
  const opened = await opener.open(
    store.read,
    leaves.map(({ pos }) => pos),
  );
  expect(opened.size).toBe(made.sealed.filter((s) => s !== null).length);
}

describe('ingest', () => {
  it('I1, I2, G1: any pieces, resends and failures lead to the same log and the same parts', async () => {
    let failing = '';
    const hit = (point: string) => {
      if (point !== failing) return;
      failing = '';
      throw new Error('as asked');
    };
    const world = await startWorld({ faults: { hit } });
    const run = async (size: number, steps: { from: number; piece: number; fails: string }[]) => {
      const one = await world.agent();
      await (await one.connect()).close();
      const made = makeLog(one, new DoubleSealer(one.group('span'), one.chain.log), size);
      for (const { from, piece, fails } of steps) {
        const { promise, resolve } = Promise.withResolvers<void>();
        void world.handle.ctx.store.write(async () => resolve());
        await promise;
        failing = fails;
        await drain(one, made, from, piece);
        failing = '';
      }
      await drain(one, made, 1_000, 7);
      await check(world, one, made);
    };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 4 }), run),
      { numRuns: 25 },
    );
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    expect(await ownEvents(world, 'sealed.dropped')).toEqual([]);
    expect(await ownEvents(world, 'log.forked')).toEqual([]);
  });

  it('reading a frame never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((v) => JSON.stringify({ t: 'batch', log: v })),
        ),
        (text) => {
          expect(readAgentFrame(text).ok).toBe(false);
        },
      ),
    );
  });
});
