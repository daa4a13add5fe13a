/** X3: signatures. */
import { createPrivateKey, sign as rawSign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  fromPem,
  newSigningKey,
  publicKey,
  publicText,
  type SignName,
  signRecord,
  toPem,
  verifyRecord,
} from '../../protocol/sign.ts';

const NAMES: SignName[] = ['birth', 'challenge', 'proof', 'command', 'group'];
// PKCS 8 around 32 raw bytes (RFC 8410): a key that is the same in every run.
const fixedKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
  format: 'der',
  type: 'pkcs8',
});

describe('X3 signatures', () => {
  it('X3 the signed bytes are "tilsyn/<name>/v1", a zero byte, and the canonical record without sig', () => {
    const signed = signRecord('birth', fixedKey, { b: 'æ', a: 1 });
    const bytes = Buffer.concat([
      Buffer.from('tilsyn/birth/v1', 'ascii'),
      Buffer.from([0]),
      Buffer.from('{"a":1,"b":"æ"}', 'utf8'),
    ]);
    expect(signed).toEqual({ b: 'æ', a: 1, sig: rawSign(null, bytes, fixedKey).toString('base64url') });
  });

  it('X3 every pair of names: a signature for one never verifies as the other', () => {
    const key = publicText(fixedKey);
    for (const made of NAMES) {
      const record = signRecord(made, fixedKey, { agent: 'x', n: 1 });
      for (const read of NAMES) expect(verifyRecord(read, key, record)).toBe(made === read);
    }
  });

  it('X3 a changed, added or missing field, another key and a damaged signature are refused', () => {
    const key = publicText(fixedKey);
    const record = signRecord('command', fixedKey, { n: 1, verb: 'selftest' });
    expect(verifyRecord('command', key, { verb: 'selftest', n: 1, sig: record.sig } as never)).toBe(true);
    expect(verifyRecord('command', key, { ...record, n: 2 } as never)).toBe(false);
    expect(verifyRecord('command', key, { ...record, extra: null } as never)).toBe(false);
    expect(verifyRecord('command', key, { n: 1, sig: record.sig } as never)).toBe(false);
    expect(verifyRecord('command', publicText(newSigningKey()), record)).toBe(false);
    const flipped = `${record.sig.startsWith('A') ? 'B' : 'A'}${record.sig.slice(1)}`;
    expect(verifyRecord('command', key, { ...record, sig: flipped })).toBe(false);
  });

  it('X3 verifying never throws, whatever it is given', () => {
    const record = signRecord('group', fixedKey, { a: 1 });
    const key = publicText(fixedKey);
    for (const sig of ['', 'AAAA', `${record.sig}=`, `${record.sig}AA`, 'not base64 at all!', null, 7, {}]) {
      expect(verifyRecord('group', key, { ...record, sig: sig as string })).toBe(false);
    }
    for (const bad of ['', 'AAAA', 'A'.repeat(44), '\u0000'.repeat(43)]) {
      expect(verifyRecord('group', bad, record)).toBe(false);
    }
    expect(verifyRecord('group', key, { ...record, a: '\ud800' } as never)).toBe(false);
  });

  it('X3 keys survive their text forms; what is no key has its own code', () => {
    const key = newSigningKey();
    expect(publicText(fromPem(toPem(key)))).toBe(publicText(key));
    expect(publicText(publicKey(publicText(key)))).toBe(publicText(key));
    for (const attempt of [() => publicKey('AAAA'), () => fromPem('-----BEGIN NOTHING-----')]) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'key.unreadable' }));
    }
  });
});
