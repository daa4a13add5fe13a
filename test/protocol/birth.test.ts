/** B1: birth records. L2: the first `prev` is the birth's hash. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Birth,
  birthHash,
  birthRecord,
  MAX_BIRTH_BYTES,
  signBirth,
  verifyBirth,
} from '../../protocol/birth.ts';
import { canonical } from '../../protocol/canonical.ts';
import { newSigningKey, publicText, signRecord } from '../../protocol/sign.ts';
import { idOf } from './seeded.ts';

const key = newSigningKey();
const unsigned: Omit<Birth, 'sig'> = {
  v: 1,
  log: idOf('1f'),
  agent: idOf('a9'),
  agreement: idOf('c4'),
  site: idOf('d5'),
  key: publicText(key),
  predecessor: { log: idOf('2f'), size: 41, head: Buffer.alloc(32, 5).toString('base64url') },
  reason: 'restored',
  at: '2026-11-22T06:12:00.123Z',
};
const birth = signBirth(key, unsigned);

describe('birth record', () => {
  it('L2 its hash leaves out sig: 0x00 and the canonical text of the rest', () => {
    const expected = createHash('sha256')
      .update(Buffer.concat([Buffer.from([0]), Buffer.from(canonical(unsigned), 'utf8')]))
      .digest();
    expect(birthHash(birth)).toEqual(expected);
    expect(birthHash({ ...birth, sig: 'AAAA' })).toEqual(expected);
  });

  it('B1 is signed by the key that it names, over owner, agreement and ancestry', () => {
    expect(verifyBirth(birth)).toBe(true);
    const other = newSigningKey();
    const changes: Partial<Birth>[] = [
      { log: idOf('3f') },
      { agent: idOf('b0') },
      { agreement: null },
      { site: null },
      { key: publicText(other) },
      { predecessor: null },
      { predecessor: { log: idOf('2f'), size: 40, head: null } },
      { reason: 'enrolled' },
      { at: '2026-11-22T06:12:00.124Z' },
    ];
    for (const change of changes) {
      expect(verifyBirth({ ...birth, ...change })).toBe(false);
      expect(birthHash({ ...birth, ...change })).not.toEqual(birthHash(birth));
    }
    expect(verifyBirth({ ...signBirth(other, unsigned) })).toBe(false);
  });

  it('B2 one over 4 KiB is no birth, however well it is signed', () => {
    const padded = (size: number) =>
      signBirth(key, { ...unsigned, pad: 'x'.repeat(size) } as Omit<Birth, 'sig'>);
    const room = MAX_BIRTH_BYTES - Buffer.byteLength(canonical(padded(0)));
    expect(verifyBirth(padded(room))).toBe(true);
    expect(verifyBirth(padded(room + 1))).toBe(false);
  });

  it('X3 a proof over the same fields is no birth', () => {
    expect(verifyBirth(signRecord('proof', key, unsigned) as Birth)).toBe(false);
  });

  it('B1 fields of a later version survive reading, so that signature and hash still agree', () => {
    const later = signBirth(key, {
      ...unsigned,
      zone: 'x',
      predecessor: { ...unsigned.predecessor, why: 7 },
    } as never);
    const read = birthRecord.parse(JSON.parse(JSON.stringify(later)));
    expect(verifyBirth(read)).toBe(true);
    expect(birthHash(read)).toEqual(birthHash(later));
  });

  it.each<[string, Record<string, unknown>]>([
    ['another version', { v: 2 }],
    ['an unknown reason', { reason: 'because' }],
    ['no predecessor field', { predecessor: undefined }],
    ['a predecessor of negative size', { predecessor: { log: idOf('2f'), size: -1, head: null } }],
    ['a time without milliseconds', { at: '2026-11-22T06:12:00Z' }],
    ['an id in capitals', { log: 'AB'.repeat(16) }],
  ])('B1 refuses %s', (_name, change) => {
    expect(birthRecord.safeParse({ ...birth, ...change }).success).toBe(false);
    expect(birthRecord.safeParse(birth).success).toBe(true);
  });
});
