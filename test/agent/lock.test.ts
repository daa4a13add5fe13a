/** One process per state directory, also when that process is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isLocked, LOCK_FILE, lockState } from '../../agent/lock.ts';
import { stateDir } from './support.ts';

const SCRIPT = `
import { lockState } from ${JSON.stringify(new URL('../../agent/lock.ts', import.meta.url).href)};
lockState(process.argv[1]);
// Nobody refers to the lock any more: collecting garbage must not open it.
gc();
setImmediate(() => {
  gc();
  process.stdout.write('held');
});
setInterval(() => {}, 1000);
`;

async function holder(dir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', SCRIPT, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

it('a second holder is refused with exit conflict, here and in another process', async () => {
  const dir = stateDir();
  const lock = lockState(dir);
  expect(() => lockState(dir)).toThrow(expect.objectContaining({ code: 'state.locked', exit: 'conflict' }));
  expect(isLocked(dir)).toBe(true);
  lock.release();
  expect(isLocked(dir)).toBe(false);
  const child = await holder(dir);
  expect(() => lockState(dir)).toThrow(expect.objectContaining({ code: 'state.locked' }));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

it('kill -9 leaves no stale lock', async () => {
  const dir = stateDir();
  const child = await holder(dir);
  expect(isLocked(dir)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockState(dir).release();
});

it('a refused second try in this process does not let go of the lock', async () => {
  const dir = stateDir();
  const lock = lockState(dir);
  expect(() => lockState(dir)).toThrow();
  expect(isLocked(dir)).toBe(true);
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', SCRIPT, dir], {
    stdio: 'ignore',
  });
  const [code] = await once(child, 'exit');
  expect(code).not.toBe(0);
  lock.release();
});

it('W2 the lock file is private and stays empty, and nothing lies beside it', () => {
  const dir = stateDir();
  const lock = lockState(dir);
  expect(readdirSync(dir)).toEqual([LOCK_FILE]);
  lock.release();
  const { mode, size } = statSync(join(dir, LOCK_FILE));
  expect(mode & 0o777).toBe(0o600);
  expect(size).toBe(0);
});
