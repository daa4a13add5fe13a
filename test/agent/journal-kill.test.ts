/** J1, J2, J10 with a real process that is really killed. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { birthHash } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { beat, LIMITS, type World, world } from './support.ts';

const WRITER = fileURLToPath(new URL('./journal-writer.ts', import.meta.url));

/** Runs a writer on the world's state directory until it dies; returns the last promise it made. */
async function writeUntilKilled(w: World, how: { point?: string; at?: number; lines?: number }) {
  const args = [WRITER, w.dir, JSON.stringify(w.options.identity), how.point ?? '', String(how.at ?? 0)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (how.lines !== undefined && out.split('\n').length > how.lines) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return Number(out.trimEnd().split('\n').at(-1) ?? 0);
}

/** Verifies the chain and that position and events agree; returns the position. */
function verified(w: World): number {
  const { log, birth, next, head } = w.journal.logs()[0]!;
  let prev = birthHash(birth);
  let seq = 0;
  for (let out = w.journal.outgoing(log, 0, LIMITS); out !== null; ) {
    for (const text of out.events) {
      const leaf = JSON.parse(text);
      seq += 1;
      expect(leaf.seq).toBe(seq);
      expect(leaf.prev).toBe(prev.toString('base64url'));
      prev = leafHash(text);
    }
    out = w.journal.outgoing(log, seq, LIMITS);
  }
  expect(seq).toBe(next - 1);
  expect(head.equals(prev)).toBe(true);
  const position = Number(w.journal.cursor(w.journal.sourceId('a source')) ?? 0);
  expect(seq).toBe(position * 2);
  return position;
}

it('J1 J2 J10 killed at any moment: every promise is kept, position and events agree, the chain goes on', async () => {
  let w = world();
  for (const lines of [1, 7, 40, 150]) {
    w.journal.close();
    const promised = await writeUntilKilled(w, { lines });
    w = world(w.options);
    expect(verified(w)).toBeGreaterThanOrEqual(promised);
    expect(w.quarantined).toBeNull();
  }
});

it('J1 killed before the commit: nothing of that append', async () => {
  const w = world();
  w.journal.close();
  const promised = await writeUntilKilled(w, { point: 'agent.append.before-commit', at: 5 });
  expect(promised).toBe(4);
  expect(verified(world(w.options))).toBe(4);
});

it('J1 J10 killed after the commit, before anyone was told: all of it', async () => {
  const w = world();
  w.journal.close();
  const promised = await writeUntilKilled(w, { point: 'agent.append.after-commit', at: 5 });
  expect(promised).toBe(4);
  const again = world(w.options);
  expect(verified(again)).toBe(5);
  again.journal.append([beat]);
  expect(again.journal.backlog()).toBe(11);
});
