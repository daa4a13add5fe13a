/** The two secrets of a state directory. */
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ensureStateDir } from '../../agent/files.ts';
import { ensureAgentKey, ensureDigestKey, loadAgentKey } from '../../agent/keys.ts';
import { publicText } from '../../protocol/sign.ts';
import { stateDir } from './support.ts';

function fresh(): string {
  const dir = stateDir();
  ensureStateDir(dir);
  return dir;
}

it('both are made once, stay the same, and are readable by their owner only', () => {
  const dir = fresh();
  const key = publicText(ensureAgentKey(dir));
  const digest = ensureDigestKey(dir, randomBytes);
  expect(publicText(ensureAgentKey(dir))).toBe(key);
  expect(publicText(loadAgentKey(dir))).toBe(key);
  expect(ensureDigestKey(dir, randomBytes).equals(digest)).toBe(true);
  expect(digest).toHaveLength(32);
  for (const name of ['agent.key', 'digest.key']) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
});

it('a missing or damaged key is named, with a hint', () => {
  const dir = fresh();
  expect(() => loadAgentKey(dir)).toThrow(expect.objectContaining({ code: 'key.missing', exit: 'notFound' }));
  writeFileSync(join(dir, 'agent.key'), '\0\0\0\0');
  expect(() => loadAgentKey(dir)).toThrow(expect.objectContaining({ code: 'key.unreadable' }));
  expect(() => ensureAgentKey(dir)).toThrow(expect.objectContaining({ code: 'key.unreadable' }));
  writeFileSync(join(dir, 'digest.key'), 'short');
  expect(() => ensureDigestKey(dir, randomBytes)).toThrow(
    expect.objectContaining({ code: 'key.unreadable' }),
  );
});
