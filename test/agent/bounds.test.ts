import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BOUNDS_FILE, ErasedBounds } from '../../agent/bounds.ts';
import { ensureStateDir } from '../../agent/files.ts';
import { type Bounds, laterBounds, readBounds, signBounds } from '../../protocol/bounds.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { utcMs } from '../../protocol/time.ts';
import { identity, stateDir } from './support.ts';

const T = Date.UTC(2026, 9, 1);
const key = newSigningKey();
const bound = (readFrom: number | null, sealFrom: number | null): Bounds => ({
  readFrom: readFrom === null ? null : utcMs(T + readFrom),
  sealFrom: sealFrom === null ? null : utcMs(T + sealFrom),
});

function place() {
  const dir = stateDir();
  ensureStateDir(dir);
  const who = { ...identity(), identity: publicText(key) };
  const say = (bounds: Bounds, change = {}, by = key) => signBounds(by, { ...who, ...change }, bounds);
  return { dir, who, say, open: () => new ErasedBounds(dir, who) };
}

it('M3 a bound only moves on, each by itself, and is there after a restart', () => {
  const { open, say } = place();
  const one = open();
  expect(one.now).toEqual(bound(null, null));
  for (const told of [bound(5, null), bound(3, 9), bound(null, 2)]) expect(one.take(say(told))).toBe(true);
  expect(one.now).toEqual(bound(5, 9));
  expect(open().now).toEqual(bound(5, 9));
});

it('M3 whatever order they come in, the latest of each holds', () => {
  const time = fc.option(fc.integer({ min: 0, max: 99 }));
  const told = fc.array(fc.tuple(time, time), { maxLength: 8 });
  fc.assert(
    fc.property(told, (pairs) => {
      const all = pairs.map(([a, b]) => bound(a, b));
      const end = all.reduce(laterBounds, bound(null, null));
      expect([...all].reverse().reduce(laterBounds, bound(null, null))).toEqual(end);
      for (const one of all) expect(laterBounds(end, one)).toEqual(end);
    }),
  );
});

it('M3 what another key signed, or for another host or agreement, is not taken', () => {
  const { dir, who, open, say } = place();
  const one = open();
  const right = say(bound(1, 1));
  const wrong = [
    say(bound(1, 1), {}, newSigningKey()),
    say(bound(1, 1), { agent: identity().agent }),
    say(bound(1, 1), { agreement: identity().agreement }),
    { ...right, readFrom: null },
    { ...right, agent: identity().agent },
  ];
  for (const signed of wrong) expect(one.take(signed)).toBe(false);
  expect(existsSync(join(dir, BOUNDS_FILE))).toBe(false);
  // A field of a later version is under the signature, and stays.
  expect(readBounds(who.identity, who, right)).toEqual(bound(1, 1));
  expect(readBounds(who.identity, who, { ...right, more: 1 } as never)).toBe(null);
});

it('M3 the file holds two times and nothing else; a damaged one stops the start', () => {
  const { dir, open, say } = place();
  open().take(say(bound(1, null)));
  const path = join(dir, BOUNDS_FILE);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ v: 1, readFrom: T + 1, sealFrom: null });
  writeFileSync(path, '{"v":1');
  expect(open).toThrow(expect.objectContaining({ code: 'state.unreadable' }));
});

it('M3 where it cannot be written it holds in memory, and is written when it is said again', () => {
  const { dir, open, say } = place();
  const one = open();
  const path = join(dir, BOUNDS_FILE);
  mkdirSync(join(path, 'in the way'), { recursive: true });
  expect(() => one.take(say(bound(2, null)))).toThrow();
  expect(one.now).toEqual(bound(2, null));
  rmSync(path, { recursive: true });
  one.take(say(bound(2, null)));
  expect(open().now).toEqual(bound(2, null));
});
