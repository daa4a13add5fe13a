/** Ids, time, errors, packs: the small files of protocol/. */
import { describe, expect, it } from 'vitest';
import { codeOf, EXIT, hasCode, TilsynError } from '../../protocol/errors.ts';
import { DATA_CLASSES } from '../../protocol/group.ts';
import { fromB64, idBytes, idFrom, isId, newId, toB64 } from '../../protocol/ids.ts';
import { PACKS, packNamed } from '../../protocol/packs.ts';
import { fromIso, isIso, systemClock, toIso, utcMs } from '../../protocol/time.ts';
import { seeded } from './seeded.ts';

describe('ids', () => {
  it('X4 are 16 random bytes as 32 lower-case hex characters', () => {
    const id = newId(() => Buffer.from('00112233445566778899aabbccddeeff', 'hex'));
    expect(id).toBe('00112233445566778899aabbccddeeff');
    expect(idBytes(id)).toEqual(Buffer.from('00112233445566778899aabbccddeeff', 'hex'));
    expect(idFrom(idBytes(id))).toBe(id);
    expect(idFrom(new Uint8Array(Buffer.concat([Buffer.alloc(3), idBytes(id)])).subarray(3))).toBe(id);
    expect(newId(seeded('a'))).not.toBe(newId(seeded('b')));
  });

  it.each([
    '',
    'ab',
    'AB'.repeat(16),
    `${'ab'.repeat(16)}\n`,
    `0x${'ab'.repeat(15)}`,
    'zz'.repeat(16),
    7,
    null,
    undefined,
  ])('X4 %j is none', (text) => {
    expect(isId(text)).toBe(false);
  });

  it('X4 base64url has one form per value: no padding, no other alphabet, no stray bits', () => {
    expect(toB64(Buffer.from([251, 255]))).toBe('-_8');
    expect(fromB64('-_8')).toEqual(Buffer.from([251, 255]));
    for (const bad of ['+/8', '-_8=', '-_9', '-_8 ', ' -_8', '-_8\n', '-', 'æ'])
      expect(fromB64(bad), JSON.stringify(bad)).toBeNull();
    expect(fromB64('-_8', 3)).toBeNull();
    expect(fromB64('', 0)).toEqual(Buffer.alloc(0));
  });
});

describe('time', () => {
  it('X5 has one form outside: ISO 8601, UTC, milliseconds', () => {
    expect(toIso(utcMs(0))).toBe('1970-01-01T00:00:00.000Z');
    expect(fromIso('2026-11-22T06:12:00.123Z')).toBe(Date.UTC(2026, 10, 22, 6, 12, 0, 123));
    expect(fromIso('1969-12-31T23:59:59.999Z')).toBe(-1);
  });

  it.each([
    '2026-11-22',
    '2026-11-22T06:12:00Z',
    '2026-11-22T06:12:00.123',
    '2026-11-22T06:12:00.123+00:00',
    '2026-11-22t06:12:00.123z',
    '2026-02-29T00:00:00.000Z',
    '2026-04-31T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T23:59:60.000Z',
    '2026-13-01T00:00:00.000Z',
    '+012026-01-01T00:00:00.000Z',
    ' 2026-11-22T06:12:00.123Z',
    '2026-11-22T06:12:00.123Z\n',
  ])('X5 %j is refused', (text) => {
    expect(isIso(text)).toBe(false);
    expect(fromIso(text)).toBeNull();
  });

  it('X5 the system clock: wall time, monotonic time that never falls, timers that can be taken back', async () => {
    expect(fromIso(toIso(systemClock.now()))).not.toBeNull();
    const first = systemClock.mono();
    expect(systemClock.mono()).toBeGreaterThanOrEqual(first);
    const fired: string[] = [];
    const cancel = systemClock.after(0, () => fired.push('cancelled'));
    cancel();
    await new Promise<void>((done) => {
      systemClock.after(1, () => {
        fired.push('kept');
        done();
      });
    });
    expect(fired).toEqual(['kept']);
  });
});

describe('the one error class', () => {
  it('X6 has code, message, hint, exit and retryable; JSON shows the first three', () => {
    const error = new TilsynError('a.b', 'doing x to y', {
      hint: 'try z',
      exit: 'conflict',
      retryable: true,
    });
    expect(error).toMatchObject({ code: 'a.b', hint: 'try z', exit: 'conflict', retryable: true });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      error: { code: 'a.b', message: 'doing x to y', hint: 'try z' },
    });
    expect(new TilsynError('a.b', 'm')).toMatchObject({ hint: null, exit: 'failed', retryable: false });
    expect(new TilsynError('a.b', 'm', { cause: error }).cause).toBe(error);
  });

  it('X6 codeOf gives a code for anything thrown, never its text', () => {
    expect(codeOf(new TilsynError('a.b', 'Peter'))).toBe('a.b');
    expect(codeOf(Object.assign(new Error('Peter'), { code: 'ENOENT' }))).toBe('ENOENT');
    expect(codeOf(new TypeError('Peter'))).toBe('TypeError');
    for (const thrown of ['Peter', null, undefined, 7]) expect(codeOf(thrown)).toBe('unknown');
    expect(hasCode(Object.assign(new Error('x'), { code: 'ENOENT' }), 'EACCES', 'ENOENT')).toBe(true);
    for (const thrown of [new Error('x'), null, 'ENOENT', { code: 2 }])
      expect(hasCode(thrown, 'ENOENT')).toBe(false);
  });

  it('X6 exit codes are those of cli.md', () => {
    expect(EXIT).toEqual({
      done: 0,
      failed: 1,
      usage: 2,
      notFound: 3,
      signedOut: 4,
      forbidden: 5,
      findings: 6,
      conflict: 7,
      integrity: 8,
      unreachable: 9,
      partly: 10,
      timeout: 124,
      interrupted: 130,
    });
  });
});

describe('policy packs', () => {
  it('G1 every pack says day or month for every data class', () => {
    expect(Object.keys(PACKS).sort()).toEqual(
      ['none', 'dk-msp', 'se-remote-access', 'no-cctv', 'au-managed-services', 'hosting'].sort(),
    );
    for (const name of Object.keys(PACKS)) {
      const pack = packNamed(name);
      for (const cls of DATA_CLASSES) expect(['day', 'month']).toContain(pack[cls]);
    }
  });

  it.each(['', 'dk', 'DK-MSP', '__proto__', 'toString'])(
    'G1 there is no pack %j, and the hint lists those there are',
    (name) => {
      expect(() => packNamed(name)).toThrow(
        expect.objectContaining({
          code: 'policy.unknown',
          exit: 'usage',
          hint: expect.stringContaining('dk-msp'),
        }),
      );
    },
  );
});
