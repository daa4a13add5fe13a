/** The file changes its name, its content or its inode. Each case is a bug that other tailers have had. */
import { copyFileSync, mkdirSync, statSync, truncateSync, utimesSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FollowState } from '../../../agent/sources/follow.ts';
import { fakeRows, records } from '../../fixtures/teamviewer.ts';
import { FollowWorld, NAME } from './follow-world.ts';

let world: FollowWorld;
beforeEach(() => {
  world = new FollowWorld();
});
afterEach(() => world.end());

const [A, B, C, D] = [fakeRows(0, 10), fakeRows(10, 20), fakeRows(20, 30), fakeRows(30, 40)] as const;
const OLD = 'Connections_incoming_OLD.txt';

/** Writes A, reads it, and appends B unread. */
async function half(): Promise<void> {
  world.write(records(A));
  await world.pump();
  world.append(records(B));
}

describe('renamed away while running', () => {
  test('F2: the old file first, then the new one from 0', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual(['opened first', 'rotated renamed', 'opened rotated']);
  });

  test('F2: seen in between, with nothing at the path; `rotating` until the first accepted new line', async () => {
    await half();
    expect(world.follower.rotating).toBe(false);
    world.rename(NAME, OLD);
    await world.pump();
    expect(world.follower.rotating).toBe(true);
    world.write('');
    await world.pump();
    expect(world.follower.rotating).toBe(true);
    await world.restart();
    expect(world.follower.rotating).toBe(true);
    world.write(records(C));
    await world.pump();
    expect(world.follower.rotating).toBe(false);
    expect(world.texts()).toEqual([...A, ...B, ...C]);
  });

  test('F2: deleted after the rename, before it was read', async () => {
    await half();
    world.rename(NAME, OLD);
    world.remove(OLD);
    world.write(records(C));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual(['opened first', 'rotated removed', 'opened rotated']);
  });

  test('F2: deleted at its path: what was unread is read through the open handle', async () => {
    await half();
    world.remove();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
    world.write(records(C));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual(['opened first', 'rotated removed', 'opened appeared']);
  });

  test('F2: bytes appended to the renamed file, before and after the new one has content', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write('');
    await world.pump();
    world.mono += 3_600_000;
    await world.pump();
    world.append(records(C.slice(0, 5)), OLD);
    await world.pump();
    world.append(records(D));
    await world.pump();
    world.mono += 30_000;
    world.append(records(C.slice(5)), OLD);
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C.slice(0, 5), ...D, ...C.slice(5)]);
  });

  test('F2: half a row at the rename is completed in the renamed file', async () => {
    world.write(`\n${A[0]?.slice(0, 30)}`);
    await world.pump();
    world.rename(NAME, OLD);
    world.write(records(B));
    await world.pump();
    world.append(A[0]?.slice(30) ?? '', OLD);
    await world.pump();
    expect(world.texts()).toEqual([...B, A[0]]);
  });

  test('F2: a renamed file is let go a while after its successor has content, and not read again', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    await world.pump();
    world.mono += 61_000;
    await world.pump();
    const state = (await world.follower.step(1)).state;
    expect([state.files.length, state.known.length]).toEqual([1, 1]);
    world.rename(OLD, 'Connections_incoming-20261122.txt');
    world.rename(NAME, OLD);
    world.write(records(D));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F3: two rotations between two looks', async () => {
    await half();
    world.rename(NAME, `${NAME}.2`);
    world.write(records(C), `${NAME}.1`);
    world.write(records(D));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
    expect(world.kinds()).toContain('opened unseen');
  });

  test('F2: a long backlog in the renamed file is read to its end, however long that takes', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    for (let n = 0; n < 40; n++) {
      world.mono += 61_000;
      const step = await world.follower.step(1);
      world.lines.push(...step.lines);
      world.follower.accept(step);
    }
    expect(world.texts()).toEqual([...A, ...B, ...C]);
  });

  test('F3: more history than is remembered stays unread by its age', async () => {
    for (let n = 1; n <= 40; n++) {
      world.write(records(fakeRows(1000 + n, 1001 + n)), `${NAME}.${n}`);
      const then = new Date(Date.now() - n * 3_600_000);
      utimesSync(world.at(`${NAME}.${n}`), then, then);
    }
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
  });

  test('F7: a step that saw the rotation and was not stored, twice', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    const first = await world.follower.step(15);
    world.follower.reject();
    expect(await world.follower.step(15)).toEqual(first);
    world.follower.reject();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual(['opened first', 'rotated renamed', 'opened rotated']);
  });
});

describe('renamed away while stopped', () => {
  test('F3: rotate_while_down: the rest of the old file, then the new one', async () => {
    await half();
    world.rename(NAME, OLD);
    world.write(records(C));
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual(['opened first', 'rotated renamed', 'opened rotated']);
  });

  test.each([`${NAME}.1`, 'Connections_incoming-2026-11-22.txt', 'elsewhere.bak'])(
    'F3: the old file is found under the name %s',
    async (name) => {
      await half();
      world.rename(NAME, name);
      await world.restart();
      await world.pump();
      expect(world.texts()).toEqual([...A, ...B]);
      world.write(records(C));
      await world.pump();
      expect(world.texts()).toEqual([...A, ...B, ...C]);
    },
  );

  test('F3: two rotations, and history that was there before us stays unread', async () => {
    world.write(records(fakeRows(900, 910)), `${NAME}.1`);
    await half();
    world.rename(`${NAME}.1`, `${NAME}.3`);
    world.rename(NAME, `${NAME}.2`);
    world.write(records(C), `${NAME}.1`);
    world.write(records(D));
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F3: five rotations within one tick of the clock come in the order of their numbers', async () => {
    await half();
    const rows = fakeRows(100, 150);
    world.rename(NAME, `${NAME}.6`);
    for (let n = 5; n >= 1; n--) world.write(records(rows.slice(50 - n * 10, 60 - n * 10)), `${NAME}.${n}`);
    const now = new Date(Date.now() + 5000);
    for (let n = 5; n >= 1; n--) utimesSync(world.at(`${NAME}.${n}`), now, now);
    world.write(records(D));
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...rows, ...D]);
  });

  test('F3: killed in the middle of the old file, rotated again, killed again', async () => {
    await half();
    world.rename(NAME, `${NAME}.1`);
    world.write(records(C));
    await world.restart();
    const step = await world.follower.step(4);
    world.lines.push(...step.lines);
    world.stored = JSON.stringify(step.state);
    world.rename(`${NAME}.1`, `${NAME}.2`);
    world.rename(NAME, `${NAME}.1`);
    world.write(records(D));
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F3: backup copies beside it are not sessions again', async () => {
    await half();
    copyFileSync(world.path, world.at('Connections_incoming-20261120.txt'));
    await world.pump();
    world.append(records(C));
    copyFileSync(world.path, world.at('Connections_incoming-20261121.txt'));
    world.rename(NAME, OLD);
    world.write(records(D));
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F6: the new file has the inode of the old one, which lies elsewhere as a copy', async () => {
    await half();
    copyFileSync(world.path, world.at(OLD));
    world.remove();
    world.write(records([...C, ...D]));
    forgeInode();
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F6, F9: the inode is used again and the old file is gone', async () => {
    await half();
    const step = await world.follower.step(1);
    world.stored = JSON.stringify(step.state);
    world.lines.push(...step.lines);
    const unread = world.size() - (step.lines[0]?.end ?? 0);
    world.remove();
    world.write(records([...C, ...D]));
    forgeInode();
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, B[0], ...C, ...D]);
    expect(world.notices.at(-1)).toEqual({
      kind: 'lost',
      reason: 'truncated',
      offset: step.lines[0]?.end,
      length: unread,
    });
  });

  /** File systems give a freed inode out again whenever they like; here, always. */
  function forgeInode(): void {
    const state = JSON.parse(world.stored ?? '') as FollowState;
    const ino = statSync(world.path, { bigint: true }).ino.toString();
    for (const file of state.files) file.ino = ino;
    world.stored = JSON.stringify(state);
  }
});

describe('truncated', () => {
  test('F5: in place, shorter than the offset', async () => {
    world.write(records(A));
    await world.pump();
    world.write(records(B.slice(0, 2)));
    await world.pump();
    world.append(records(B.slice(2)));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
    expect(world.kinds()).toEqual(['opened first', 'truncated rewritten']);
  });

  test('F5: in place and regrown past the offset between two looks', async () => {
    world.write(records(A));
    await world.pump();
    world.write(records([...B, ...C, ...D]));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });

  test('F5: in place, and renamed before the next look', async () => {
    world.write(records(A));
    await world.pump();
    world.write(records(B));
    world.rename(NAME, OLD);
    world.write(records(C));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C]);
    expect(world.kinds()).toEqual([
      'opened first',
      'truncated rewritten',
      'rotated renamed',
      'opened rotated',
    ]);
  });

  test('F5: same size, other content', async () => {
    const other = A.map((text) => text.replace('2016', '2017'));
    world.write(records(A));
    await world.pump();
    world.write(records(other));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...other]);
  });

  test('F5, F8: while stopped; the new generation is stored, a second restart does not read it again', async () => {
    world.write(records(A));
    await world.pump();
    world.write(records(B));
    await world.restart();
    await world.pump();
    await world.restart();
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
  });

  test('F6: an offset beyond the end, same beginning: read again from 0, and said', async () => {
    world.write(records(fakeRows(0, 40)));
    await world.pump();
    truncateSync(world.path, 2000);
    await world.restart();
    await world.pump();
    expect(world.kinds()).toEqual(['opened first', 'truncated shortened']);
    expect(world.texts().slice(40, 45)).toEqual(fakeRows(0, 5));
  });

  test('F5: rewritten between the look and the read: no line of the new content is cut in the middle', async () => {
    await world.end();
    let strike = false;
    const hit = (point: string) => {
      if (!strike || point !== 'follow.read') return;
      strike = false;
      world.write(records([...B, ...C, ...D]));
    };
    world = new FollowWorld({ faults: { hit } });
    world.write(records(A));
    await world.pump();
    strike = true;
    await world.pump();
    expect(strike).toBe(false);
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
    expect(world.kinds()).toEqual(['opened first', 'truncated rewritten']);
  });

  test('F6: shortened, grown again, gone and come back: taken up where we stood last', async () => {
    const rows = fakeRows(0, 60);
    world.write(records(rows.slice(0, 40)));
    await world.pump();
    truncateSync(world.path, Buffer.byteLength(records(rows.slice(0, 20))));
    await world.pump();
    world.append(records(rows.slice(20)));
    mkdirSync(world.at('away'));
    world.rename(NAME, 'away/tmp');
    await world.restart();
    await world.pump();
    world.rename('away/tmp', NAME);
    await world.pump();
    expect(world.texts().slice(40)).toEqual(rows);
  });

  test('F9: unread bytes are cut off', async () => {
    await half();
    const step = await world.follower.step(1);
    world.stored = JSON.stringify(step.state);
    world.lines.push(...step.lines);
    await world.restart();
    const end = step.lines[0]?.end ?? 0;
    const size = world.size();
    truncateSync(world.path, end);
    await world.pump();
    await world.pump();
    expect(world.notices.at(-1)).toEqual({
      kind: 'lost',
      reason: 'shortened',
      offset: end,
      length: size - end,
    });
    expect(world.kinds().filter((kind) => kind.startsWith('lost'))).toHaveLength(1);
  });

  test.each(['running', 'stopped'])(
    'F4: copytruncate while %s: the unread rest is in the copy',
    async (how) => {
      await half();
      copyFileSync(world.path, world.at(`${NAME}.1`));
      world.write(records(C));
      if (how === 'stopped') await world.restart();
      await world.pump();
      world.append(records(D));
      await world.pump();
      expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
      expect(world.kinds()).toEqual(['opened first', 'rotated copied', 'opened rotated']);
    },
  );

  test('F4: copied and truncated while only its first two bytes had been seen', async () => {
    world.write('\n1');
    await world.pump();
    world.write(records(A));
    copyFileSync(world.path, world.at(`${NAME}.1`));
    world.write(records(B));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
  });

  test('F4: copytruncate to nothing, twice while stopped', async () => {
    await half();
    copyFileSync(world.path, world.at(`${NAME}.2`));
    world.write(records(C));
    copyFileSync(world.path, world.at(`${NAME}.1`));
    world.write('');
    await world.restart();
    await world.pump();
    world.write(records(D));
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B, ...C, ...D]);
  });
});

describe('gone', () => {
  test('F9: deleted while stopped, with unread bytes: lost once, with its range', async () => {
    await half();
    const step = await world.follower.step(3);
    world.lines.push(...step.lines);
    world.stored = JSON.stringify(step.state);
    const size = world.size();
    world.remove();
    await world.restart();
    await world.pump();
    await world.restart();
    await world.pump();
    const offset = step.lines.at(-1)?.end ?? 0;
    expect(world.notices.filter((notice) => notice.kind === 'lost')).toEqual([
      { kind: 'lost', reason: 'removed', offset, length: size - offset },
    ]);
  });

  test('F9: deleted while stopped, all read: nothing is lost', async () => {
    world.write(records(A));
    await world.pump();
    world.remove();
    await world.restart();
    await world.pump();
    expect(world.kinds()).toEqual(['opened first', 'rotated removed']);
  });

  test('F1: a file that comes back is taken up where we stood', async () => {
    await half();
    mkdirSync(world.at('away'));
    world.rename(NAME, 'away/tmp');
    await world.restart();
    await world.pump();
    world.rename('away/tmp', NAME);
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
    expect(world.kinds().at(-1)).toBe('opened returned');
  });

  test('F1: replaced by a copy of itself with a row more, as editors and restores do', async () => {
    world.write(records(A));
    await world.pump();
    copyFileSync(world.path, world.at('tmp'));
    world.append(records(B), 'tmp');
    world.rename('tmp', NAME);
    await world.pump();
    expect(world.texts()).toEqual([...A, ...B]);
  });
});
