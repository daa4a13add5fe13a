/** What a follower has seen while nothing could be stored is not forgotten with the step. */
import { appendFileSync, mkdtempSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Follower } from '../../agent/sources/follow.ts';
import { systemClock } from '../../protocol/time.ts';

let dir = '';
let path = '';
let open: Follower[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tilsyn-full-'));
  path = join(dir, 'log.txt');
});
afterEach(async () => {
  for (const follower of open) await follower.close();
  open = [];
  rmSync(dir, { recursive: true });
});

/** A follower that has read the first line and was then started anew, as after a kill. */
async function restarted(): Promise<Follower> {
  appendFileSync(path, 'a first line that is long enough to be recognised by its beginning\n');
  const first = newFollower(null);
  const step = await first.step(10);
  expect(step.lines).toHaveLength(1);
  first.accept(step);
  return newFollower(structuredClone(step.state));
}

function newFollower(state: ConstructorParameters<typeof Follower>[0]['state']): Follower {
  const follower = new Follower({
    ...{ path, clock: systemClock, state, key: Buffer.alloc(32, 1) },
    isComplete: () => true,
  });
  open.push(follower);
  return follower;
}

test('F9: a file that is emptied while nothing can be stored is lost with all that was seen of it', async () => {
  const follower = await restarted();
  const at = (await follower.step(10)).state.files[0]?.offset ?? 0;
  appendFileSync(path, 'one\ntwo\n');
  expect((await follower.step(10)).lines).toHaveLength(2);
  follower.reject();
  truncateSync(path);
  appendFileSync(path, 'x\n');
  const step = await follower.step(10);
  expect(step.notices).toContainEqual({ kind: 'lost', reason: 'truncated', offset: at, length: 8 });
  expect(step.lines.map(({ text }) => text)).toEqual(['x']);
});

test('F2: a file that is deleted while nothing can be stored is read to its end all the same', async () => {
  const follower = await restarted();
  appendFileSync(path, 'one\ntwo\n');
  expect((await follower.step(10)).lines).toHaveLength(2);
  follower.reject();
  unlinkSync(path);
  appendFileSync(path, 'x\n');
  const step = await follower.step(10);
  expect(step.lines.map(({ text }) => text)).toEqual(['one', 'two', 'x']);
  expect(step.notices.filter(({ kind }) => kind === 'lost')).toEqual([]);
});

test('F9: the same of a file that was never stored at all, its notices included', async () => {
  const follower = newFollower(null);
  appendFileSync(path, 'one\ntwo\n');
  expect((await follower.step(10)).notices.map(({ kind }) => kind)).toEqual(['opened']);
  follower.reject();
  truncateSync(path);
  appendFileSync(path, 'x\n');
  const step = await follower.step(10);
  expect(step.notices.map(({ kind }) => kind)).toEqual(['opened', 'truncated', 'lost']);
  expect(step.notices).toContainEqual({ kind: 'lost', reason: 'truncated', offset: 0, length: 8 });
  expect(step.lines.map(({ text }) => text)).toEqual(['x']);
});
