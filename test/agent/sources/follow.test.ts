/** Growing, halves, encodings, refusals: the file keeps its name. Rotations are in `follow-rotation.test.ts`. */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isTornRow } from '../../../agent/sources/teamviewer.ts';
import { fakeRow, fakeRows, records, row } from '../../fixtures/teamviewer.ts';
import { FollowWorld, NAME } from './follow-world.ts';

let world: FollowWorld;
beforeEach(() => {
  world = new FollowWorld();
});
afterEach(() => world.end());

const ROWS = fakeRows(0, 40);

describe('growing', () => {
  test('F1: rows appended one by one come one by one, before their newline', async () => {
    for (const text of ROWS) {
      world.append(`\n${text}`);
      expect(await world.pump()).toEqual([text]);
    }
    world.append('\n');
    expect(await world.settle()).toEqual([]);
    expect(world.kinds()).toEqual(['opened first']);
  });

  test('F1: offsets are bytes, `end` is where the next line starts', async () => {
    world.write(records(ROWS));
    await world.pump(7);
    const bytes = readFileSync(world.path);
    for (const line of world.lines) {
      expect(bytes.subarray(line.start, line.end).toString().trimEnd()).toBe(line.text.trimEnd());
    }
    expect(world.lines.at(-1)?.end).toBe(bytes.length);
    expect(world.texts()).toEqual(ROWS);
  });

  test('F1: CRLF, leading newline missing, final newline present', async () => {
    world.write(`${ROWS[0]}${records(ROWS.slice(1), '\r\n')}\r\n`);
    expect(await world.settle()).toEqual(ROWS);
  });

  test('F10: half a row waits, the other half completes it', async () => {
    const text = row({ peerName: 'Søren' });
    const bytes = Buffer.from(`\n${text}`);
    for (let at = 0; at < bytes.length - 1; at++) {
      world.append(bytes.subarray(at, at + 1));
      expect(await world.pump()).toEqual([]);
    }
    world.append(bytes.subarray(bytes.length - 1));
    expect(await world.pump()).toEqual([text]);
  });

  test('F10: a row without trailing tab comes when the file is quiet, and once', async () => {
    const text = row().slice(0, -1);
    world.write(`\n${text}`);
    expect(await world.pump()).toEqual([]);
    world.mono += 999;
    expect(await world.pump()).toEqual([]);
    world.mono += 1;
    expect(await world.pump()).toEqual([text]);
    world.append(`\n${ROWS[1]}`);
    expect(await world.settle()).toEqual([ROWS[1]]);
  });

  test('F10: a row cut off in the middle waits for its rest, however long that takes', async () => {
    const torn = new FollowWorld({ isTorn: isTornRow });
    const text = row();
    for (const cut of [12, 30, text.indexOf('Remote') + 4, text.indexOf('{') + 5]) {
      torn.append(`\n${text.slice(0, cut)}`);
      expect(await torn.settle()).toEqual([]);
      torn.mono += 60_000;
      await torn.restart();
      expect(await torn.settle()).toEqual([]);
      torn.append(text.slice(cut));
      expect(await torn.pump()).toEqual([text]);
    }
    torn.append(`\n${text.slice(0, 40)}`);
    await torn.settle();
    torn.append(`\n${ROWS[1]}`);
    expect(await torn.pump()).toEqual([text.slice(0, 40), ROWS[1]]);
    await torn.end();
  });

  test('F10: growth starts the wait anew', async () => {
    world.write('\nhalf');
    await world.pump();
    world.mono += 900;
    world.append(' a');
    await world.pump();
    world.mono += 900;
    expect(await world.pump()).toEqual([]);
    world.mono += 100;
    expect(await world.pump()).toEqual(['half a']);
  });

  test('F10: a carriage return behind a delivered row is not a row', async () => {
    world.write(`\r\n${ROWS[0]}\r`);
    expect(await world.pump()).toEqual([ROWS[0]]);
    world.append(`\n${ROWS[1]}`);
    expect(await world.pump()).toEqual([ROWS[1]]);
  });

  test('F1: a file of 0 bytes, a file that is not there yet, blank lines only', async () => {
    expect(await world.settle()).toEqual([]);
    world.write('');
    expect(await world.settle()).toEqual([]);
    world.append('\n\n\r\n');
    expect(await world.settle()).toEqual([]);
    world.append(ROWS[0] ?? '');
    expect(await world.settle()).toEqual([ROWS[0]]);
    expect(world.kinds()).toEqual(['opened appeared']);
  });

  test('F8: the first look says first, a restart says nothing', async () => {
    world.write(records(ROWS.slice(0, 3)));
    await world.pump();
    await world.restart();
    world.append(records(ROWS.slice(3)));
    await world.pump();
    expect(world.texts()).toEqual(ROWS);
    expect(world.kinds()).toEqual(['opened first']);
  });
});

describe('accepting', () => {
  test('F7: a rejected step, and one that was never answered, is given again', async () => {
    world.write(records(ROWS));
    const first = await world.follower.step(10);
    expect(first.more).toBe(true);
    expect(first.notices).toHaveLength(1);
    world.follower.reject();
    const again = await world.follower.step(10);
    expect(again).toEqual(first);
    expect(await world.follower.step(10)).toEqual(first);
  });

  test('F7: accepting a step that is no longer the last one is refused', async () => {
    world.write(records(ROWS));
    const first = await world.follower.step(10);
    await world.follower.step(10);
    expect(() => world.follower.accept(first)).toThrow(/another step/);
  });

  test('F8: killed after each stored step, nothing is lost and nothing comes twice', async () => {
    world.write(records(ROWS));
    for (let n = 0; n < ROWS.length / 3; n++) {
      const step = await world.follower.step(3);
      world.lines.push(...step.lines);
      world.stored = JSON.stringify(step.state);
      await world.restart();
    }
    expect(world.texts()).toEqual(ROWS);
  });

  test('behindBytes counts down to 0', async () => {
    world.write(records(ROWS));
    const first = await world.follower.step(1);
    expect(first.behindBytes).toBe(world.size() - (first.lines[0]?.end ?? 0));
    await world.pump();
    expect((await world.follower.step(1)).behindBytes).toBe(0);
  });
});

describe('bytes', () => {
  test('UTF-8 with a byte order mark, one byte at a time', async () => {
    for (const byte of Buffer.from(`\ufeff${ROWS[2]}\n`)) {
      world.append(Buffer.from([byte]));
      await world.pump();
    }
    expect(world.texts()).toEqual([ROWS[2]]);
  });

  test.each([
    ['with', '\ufeff'],
    ['without', ''],
  ])('UTF-16LE %s a mark, split inside a code unit, over a restart', async (_label, mark) => {
    const bytes = Buffer.from(`${mark}${ROWS[2]}${records(ROWS.slice(3, 6), '\r\n')}`, 'utf16le');
    for (let at = 0; at < bytes.length; at += 33) {
      world.append(bytes.subarray(at, at + 33));
      await world.pump();
      if (at % 2 === 0) await world.restart();
    }
    expect(await world.settle()).toEqual([]);
    expect(world.texts()).toEqual(ROWS.slice(2, 6));
    expect(world.lines.every((line) => line.problem === null)).toBe(true);
  });

  test('UTF-16LE: a letter whose code has the byte of a newline is no newline', async () => {
    const text = row({ peerName: 'Ċħ\u0a0a' });
    world.write(Buffer.from(`\ufeff\n${text}`, 'utf16le'));
    expect(await world.pump()).toEqual([text]);
  });

  test('bytes that are no text are marked, the rest of the line is as written', async () => {
    const [before = '', after = ''] = row({ peerName: 'S|ren' }).split('|');
    world.write(Buffer.concat([Buffer.from(`\n${before}`), Buffer.from([0xf8]), Buffer.from(`${after}\n`)]));
    await world.pump();
    expect(world.lines).toMatchObject([{ text: `${before}\ufffd${after}`, problem: 'encoding' }]);
  });

  test('a run of NULs, as power cuts leave it, is one unreadable line', async () => {
    world.write(Buffer.concat([Buffer.alloc(300), Buffer.from(records(ROWS.slice(0, 2)))]));
    await world.pump();
    expect(world.lines.map((line) => line.problem)).toEqual(['encoding', null, null]);
  });

  test('F11: a line that is too long is said once, then passed over, also across a restart', async () => {
    world.write(`\n${ROWS[0]}\n`);
    for (let n = 0; n < 40; n++) {
      world.append('x'.repeat(30_000));
      await world.pump();
      if (n === 20) await world.restart();
    }
    world.append(`\n${ROWS[1]}\n${'y'.repeat(65_537)}\n${ROWS[2]}\n${'z'.repeat(65_536)}\n`);
    await world.settle();
    const problems = world.lines.map((line) => line.problem);
    expect(problems).toEqual([null, 'too-long', null, 'too-long', null, null]);
    expect(world.lines.filter((line) => line.problem === 'too-long').map((line) => line.text)).toEqual([
      '',
      '',
    ]);
  });

  test('F11: 64 MiB without a newline is read in bounded memory', async () => {
    const block = Buffer.alloc(4 * 1024 * 1024, 'x');
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 16; n++) {
      world.append(block);
      await world.pump();
    }
    expect(world.lines.map((line) => line.problem)).toEqual(['too-long']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  test('lines that fall on the edges of blocks are whole', async () => {
    const many = fakeRows(0, 12_000);
    world.write(records(many));
    expect(await world.pump(5000)).toEqual(many);
  });
});

describe('refusals', () => {
  test.each(['EACCES', 'EBUSY', 'EIO'])('F12: %s is said once, and once that it is over', async (code) => {
    let refuse = true;
    await world.end();
    const hit = (point: string) => {
      if (refuse && point === (code === 'EIO' ? 'follow.read' : 'follow.open')) {
        throw Object.assign(new Error('refused'), { code });
      }
    };
    world = new FollowWorld({ faults: { hit } });
    world.write(records(ROWS));
    await world.pump();
    await world.restart();
    await world.pump();
    refuse = false;
    await world.pump();
    await world.pump();
    expect(world.texts()).toEqual(ROWS);
    const said = world.kinds().filter((kind) => !kind.startsWith('opened'));
    expect(said).toEqual([`unreadable-file ${code}`, `recovered ${code}`]);
  });

  test('F12: a folder in its place', async () => {
    mkdirSync(world.path);
    await world.pump();
    await world.pump();
    rmdirSync(world.path);
    await world.pump();
    world.write(records(ROWS));
    await world.pump();
    expect(world.kinds()).toEqual(['unreadable-file EISDIR', 'opened appeared', 'recovered EISDIR']);
    expect(world.texts()).toEqual(ROWS);
  });

  test('F12: history that lay beside a file which could not be read at first is still not read', async () => {
    let refuse = true;
    await world.end();
    const hit = () => {
      if (refuse) throw Object.assign(new Error('refused'), { code: 'EACCES' });
    };
    world = new FollowWorld({ faults: { hit } });
    world.write(records([fakeRow(900)]), `${NAME}.1`);
    world.write(records(ROWS));
    await world.pump();
    refuse = false;
    await world.pump();
    expect(world.texts()).toEqual(ROWS);
  });

  test('F13: the file is not touched', async () => {
    world.write(records(ROWS));
    const before = readFileSync(world.path);
    await world.settle();
    expect(readFileSync(world.path).equals(before)).toBe(true);
  });
});
