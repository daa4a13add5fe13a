import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOOK_BYTES, LOOKS, soundIn, soundOf } from '../../../agent/recordings/audio.ts';
import { box, hdlr } from './boxes.ts';

const stbl = box('minf', box('stbl', Buffer.alloc(5_000)));
const trak = (...kinds: string[]): Buffer =>
  box('trak', box('tkhd', Buffer.alloc(84)), box('mdia', ...kinds.map(hdlr), stbl));
const mp4 = (...traks: Buffer[]): Buffer =>
  Buffer.concat([
    box('ftyp', Buffer.from('isom0000')),
    box('mdat', Buffer.alloc(100_000)),
    box('moov', ...traks),
  ]);

/** An element with an eight-byte size; null: the size is left open. */
function element(id: number[], bytes: Buffer, open = false): Buffer {
  const size = Buffer.alloc(8, 0xff);
  if (!open) size.writeBigUInt64BE(BigInt(bytes.length));
  size[0] = 0x01;
  return Buffer.concat([Buffer.from(id), size, bytes]);
}

const entry = (kind: number): Buffer =>
  element([0xae], Buffer.concat([element([0xd7], Buffer.of(1)), element([0x83], Buffer.of(kind))]));
const tracks = (...kinds: number[]): Buffer =>
  element([0x16, 0x54, 0xae, 0x6b], Buffer.concat(kinds.map(entry)));
const cluster = element([0x1f, 0x43, 0xb6, 0x75], Buffer.alloc(50_000));
const mkv = (open: boolean, ...parts: Buffer[]): Buffer =>
  Buffer.concat([
    element([0x1a, 0x45, 0xdf, 0xa3], Buffer.alloc(20)),
    element([0x18, 0x53, 0x80, 0x67], Buffer.concat(parts), open),
  ]);

function probe(file: Buffer): { sound: string; looks: number; longest: number } {
  let looks = 0;
  let longest = 0;
  const sound = soundIn((at, bytes) => {
    looks += 1;
    longest = Math.max(longest, bytes);
    return file.subarray(at, at + bytes);
  }, file.length);
  return { sound, looks, longest };
}

describe('a sound track', () => {
  it('C60 is seen in an MP4 that has one, and not in one that has none', () => {
    expect(probe(mp4(trak('vide'), trak('soun'))).sound).toBe('audio');
    expect(probe(mp4(trak('vide'))).sound).toBe('none');
    expect(probe(mp4(trak('vide'), trak('meta'))).sound).toBe('none');
  });

  it('C60 is seen in a Matroska file that has one, its size known or left open', () => {
    for (const open of [false, true]) {
      expect(probe(mkv(open, tracks(1, 2), cluster)).sound).toBe('audio');
      expect(probe(mkv(open, tracks(1), cluster)).sound).toBe('none');
    }
  });

  it('C60 is unknown where the list of tracks is not there, or a track does not say its kind', () => {
    expect(probe(box('moof', Buffer.alloc(50))).sound).toBe('unknown');
    expect(probe(mp4()).sound).toBe('unknown');
    expect(probe(mp4(trak('vide', 'vide'), trak())).sound).toBe('unknown');
    expect(probe(mkv(false, cluster, tracks(1))).sound).toBe('unknown');
    expect(probe(Buffer.alloc(0)).sound).toBe('unknown');
  });

  it('C60 is never denied in a file that was cut', () => {
    for (const whole of [mp4(trak('vide'), trak('soun')), mkv(false, tracks(1, 2), cluster)]) {
      fc.assert(
        fc.property(fc.nat(whole.length - 1), (cut) => {
          expect(probe(whole.subarray(0, cut)).sound).not.toBe('none');
        }),
      );
    }
  });

  it('C61 no bytes make it throw, and it looks seldom and little', () => {
    const shape = fc.constantFrom(mp4(trak('vide'), trak('soun')), mkv(false, tracks(1, 2)));
    const change = fc.array(fc.tuple(fc.nat(8_000), fc.integer({ min: 0, max: 255 })), {
      maxLength: 12,
    });
    const hurt = fc.tuple(shape, change).map(([file, changes]) => {
      const bytes = Buffer.from(file);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
    const any = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    const many = fc.constant(mp4(...Array.from({ length: 3_000 }, () => trak('vide'))));
    fc.assert(
      fc.property(fc.oneof(hurt, any, many), (file) => {
        const { looks, longest } = probe(file);
        expect(looks).toBeLessThanOrEqual(LOOKS);
        expect(longest).toBeLessThanOrEqual(LOOK_BYTES);
      }),
      { numRuns: 400 },
    );
  });

  it('C61 a list with more tracks than are looked at is unknown, not none', () => {
    expect(probe(mp4(...Array.from({ length: 3_000 }, () => trak('vide')))).sound).toBe('unknown');
  });

  it('C60 is read from a real file; a folder has none to tell of', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tilsyn-audio-'));
    const path = join(folder, '00.10.mp4');
    writeFileSync(path, mp4(trak('vide'), trak('soun')));
    const found = [path, folder].map((name) => {
      const fd = openSync(name, 'r');
      const sound = soundOf(fd);
      closeSync(fd);
      return sound;
    });
    rmSync(folder, { recursive: true });
    expect(found).toEqual(['audio', 'unknown']);
  });
});
