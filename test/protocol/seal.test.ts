/** P1–P3: commitments, sealed parts and wraps, checked against bytes put together here by hand. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { GroupId, LogId } from '../../protocol/ids.ts';
import {
  commitment,
  MAX_PART_BYTES,
  makeWrap,
  openPart,
  openWrap,
  type PartPlace,
  sealPart,
  x25519Private,
} from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { idOf, seeded } from './seeded.ts';

const log = idOf<'log'>('1f');
const otherLog = idOf<'log'>('2f');
const group = idOf<'group'>('a1');
const later = idOf<'group'>('b2');
const place: PartPlace = { log, seq: 412, group, under: group };
const p = { technician: 'Ærø', peerId: '1660360496' };
const r = Buffer.alloc(32, 0x5a);
const key = Buffer.alloc(32, 0x11);

function u64be(n: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32BE(Math.floor(n / 2 ** 32), 0);
  out.writeUInt32BE(n % 2 ** 32, 4);
  return out;
}

describe('P1 commitment', () => {
  it('P1 is HMAC-SHA-256 under r of the label, a zero byte, log, seq, group and JCS(P)', () => {
    const bytes = Buffer.concat([
      Buffer.from('tilsyn/pii/v1', 'ascii'),
      Buffer.from([0]),
      Buffer.from('1f'.repeat(16), 'hex'),
      u64be(412),
      Buffer.from('a1'.repeat(16), 'hex'),
      Buffer.from('{"peerId":"1660360496","technician":"Ærø"}', 'utf8'),
    ]);
    const expected = createHmac('sha256', r).update(bytes).digest('base64url');
    expect(commitment(r, place, p)).toBe(expected);
    // The same, computed by another implementation (Python): a change of layout must not pass unnoticed.
    expect(expected).toBe('zqN-ML5gkEHjhHrAqxGnM0s7LDa1NkDypv976NKjBKI');
  });

  it('P1 seq is a u64: above 2^32 it does not wrap', () => {
    expect(commitment(r, { ...place, seq: 412 + 2 ** 32 }, p)).not.toBe(commitment(r, place, p));
  });

  it('P1 changes with r, log, seq, group and P; not with the group it lies under', () => {
    const c = commitment(r, place, p);
    expect(commitment(Buffer.alloc(32, 1), place, p)).not.toBe(c);
    expect(commitment(r, { ...place, log: otherLog }, p)).not.toBe(c);
    expect(commitment(r, { ...place, seq: 413 }, p)).not.toBe(c);
    expect(commitment(r, { ...place, group: later }, p)).not.toBe(c);
    expect(commitment(r, place, { ...p, peerId: '1660360497' })).not.toBe(c);
    expect(commitment(r, { ...place, under: later }, p)).toBe(c);
  });

  it('P1 the same P sealed twice shows two commitments, for r is fresh', () => {
    const random = seeded('fresh');
    expect(sealPart(key, place, p, random).c).not.toBe(sealPart(key, place, p, random).c);
  });
});

describe('P2 sealed part', () => {
  it('P2 is nonce(12), AES-256-GCM of length, JSON and zeros to 256, tag(16); AAD is log, seq, group, c', () => {
    const { c, body } = sealPart(key, place, p, seeded('layout'), r);
    expect(c).toBe(commitment(r, place, p));
    expect(body.length).toBe(12 + 256 + 16);
    const cipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, 12));
    cipher.setAAD(
      Buffer.concat([
        Buffer.from('1f'.repeat(16), 'hex'),
        u64be(412),
        Buffer.from('a1'.repeat(16), 'hex'),
        Buffer.from(c, 'base64url'),
      ]),
    );
    cipher.setAuthTag(body.subarray(-16));
    const clear = Buffer.concat([cipher.update(body.subarray(12, -16)), cipher.final()]);
    const text = `{"p":{"peerId":"1660360496","technician":"Ærø"},"r":"${r.toString('base64url')}"}`;
    const length = Buffer.byteLength(text);
    expect(clear.readUInt32BE(0)).toBe(length);
    expect(clear.toString('utf8', 4, 4 + length)).toBe(text);
    expect(clear.subarray(4 + length).every((byte) => byte === 0)).toBe(true);
  });

  it('P2 opens with its own key and place', () => {
    const { c, body } = sealPart(key, place, p, seeded('open'));
    const opened = openPart(key, place, c, body);
    expect(opened?.p).toEqual(p);
    expect(commitment(opened?.r ?? Buffer.alloc(0), place, p)).toBe(c);
  });

  it('P2 any other key, log, seq, group or commitment opens nothing', () => {
    const { c, body } = sealPart(key, place, p, seeded('tamper'));
    expect(openPart(Buffer.alloc(32, 0x12), place, c, body)).toBeNull();
    expect(openPart(key, { ...place, log: otherLog }, c, body)).toBeNull();
    expect(openPart(key, { ...place, seq: 411 }, c, body)).toBeNull();
    expect(openPart(key, { ...place, under: later }, c, body)).toBeNull();
    expect(openPart(key, { ...place, group: later }, c, body)).toBeNull();
    expect(openPart(key, place, commitment(Buffer.alloc(32), place, p), body)).toBeNull();
    for (const bad of ['', 'AAAA', `${c}=`, 'æ'.repeat(43)])
      expect(openPart(key, place, bad, body)).toBeNull();
  });

  it('P2 every flipped byte and every shorter or longer body is refused', () => {
    const { c, body } = sealPart(key, place, p, seeded('flip'));
    for (let i = 0; i < body.length; i += 1) {
      const bad = Buffer.from(body);
      bad[i] = (bad[i] ?? 0) ^ 1;
      expect(openPart(key, place, c, bad)).toBeNull();
    }
    for (const length of [0, 1, 12, 28, 200, body.length - 1])
      expect(openPart(key, place, c, body.subarray(0, length))).toBeNull();
    expect(openPart(key, place, c, Buffer.concat([body, Buffer.alloc(1)]))).toBeNull();
    expect(openPart(key, place, c, Buffer.alloc(1024 * 1024))).toBeNull();
  });

  it('P2 an agent that seals one thing and commits to another is found out', () => {
    const real = sealPart(key, place, p, seeded('lie'), r);
    // AAD and ciphertext agree with the false c; only the commitment itself gives it away.
    const falseC = Buffer.alloc(32, 9).toString('base64url');
    const body = reseal(falseC, `{"p":{"peerId":"1"},"r":"${r.toString('base64url')}"}`);
    expect(openPart(key, place, falseC, body)).toBeNull();
    expect(openPart(key, place, real.c, real.body)).not.toBeNull();
  });

  it.each([
    ['not JSON', 'nonsense'],
    ['no object', '7'],
    ['p is missing', `{"r":"${r.toString('base64url')}"}`],
    ['p is null', `{"p":null,"r":"${r.toString('base64url')}"}`],
    ['r is short', '{"p":{},"r":"AAAA"}'],
    ['a lone surrogate in P', `{"p":{"peerId":"\\ud800"},"r":"${r.toString('base64url')}"}`],
  ])('P2 clear text that is no part (%s) gives null and never throws', (_name, text) => {
    expect(openPart(key, place, commitment(r, place, {}), reseal(commitment(r, place, {}), text))).toBeNull();
  });

  it('P2 a length word beyond the part gives null', () => {
    const c = commitment(r, place, p);
    expect(openPart(key, place, c, reseal(c, 'x', 5000))).toBeNull();
  });

  it('P2 P of 16 KiB is sealed, one byte more has its own code', () => {
    const fits = { a: 'x'.repeat(MAX_PART_BYTES - 8) };
    const { c, body } = sealPart(key, place, fits, seeded('big'));
    expect(openPart(key, place, c, body)?.p).toEqual(fits);
    expect(() => sealPart(key, place, { a: `${fits.a}x` }, seeded('big'))).toThrow(
      expect.objectContaining({ code: 'seal.too-large' }),
    );
  });

  it('P4 what opens can be sealed anew: a P that fits the padding and is over 16 KiB does not open', () => {
    for (const [more, opens] of [
      [0, true],
      [1, false],
      [100, false],
    ] as const) {
      const big = { a: 'x'.repeat(MAX_PART_BYTES - 8 + more) };
      const c = commitment(r, place, big);
      const body = reseal(c, `{"p":${JSON.stringify(big)},"r":"${r.toString('base64url')}"}`);
      expect(openPart(key, place, c, body) !== null, String(more)).toBe(opens);
    }
  });

  it('P2 lengths say little: short and longer P give the same size', () => {
    const sizes = [1, 20, 60, 120].map(
      (n) => sealPart(key, place, { peerId: 'x'.repeat(n) }, seeded('pad')).body.length,
    );
    expect(new Set(sizes)).toEqual(new Set([284]));
  });
});

describe('P3 regroup', () => {
  it('P3 a part moved to another group keeps P, r and c, under another key, nonce and AAD', () => {
    const first = sealPart(key, place, p, seeded('one'));
    const opened = openPart(key, place, first.c, first.body);
    expect(opened).not.toBeNull();
    if (opened === null) return;
    const moved: PartPlace = { ...place, under: later };
    const newKey = Buffer.alloc(32, 0x33);
    const second = sealPart(newKey, moved, opened.p, seeded('two'), opened.r);
    expect(second.c).toBe(first.c);
    expect(second.body.subarray(0, 12)).not.toEqual(first.body.subarray(0, 12));
    expect(openPart(newKey, moved, first.c, second.body)).toEqual(opened);
    // Neither place opens the other's body.
    expect(openPart(newKey, place, first.c, second.body)).toBeNull();
    expect(openPart(key, moved, first.c, first.body)).toBeNull();
  });
});

describe('P2 wrap', () => {
  const privateKey = x25519Private(Buffer.alloc(32, 0x77));
  const groupKey = publicText(privateKey);
  const content = Buffer.alloc(32, 0x44);

  it('P2 is eph(32), nonce(12), the closed key(32), tag(16), by X25519 and HKDF as written down', () => {
    const wrap = makeWrap(groupKey, log, group, content, seeded('wrap'));
    expect(wrap.body.length).toBe(92);
    const eph = wrap.body.subarray(0, 32);
    const shared = diffieHellman({
      privateKey: createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), Buffer.alloc(32, 0x77)]),
        format: 'der',
        type: 'pkcs8',
      }),
      publicKey: createPublicKey({
        key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), eph]),
        format: 'der',
        type: 'spki',
      }),
    });
    const salt = Buffer.concat([eph, Buffer.from(groupKey, 'base64url')]);
    const wrapKey = Buffer.from(hkdfSync('sha256', shared, salt, 'tilsyn/wrap/v1', 32));
    const cipher = createDecipheriv('aes-256-gcm', wrapKey, wrap.body.subarray(32, 44));
    cipher.setAAD(Buffer.from(wrap.id + '1f'.repeat(16) + 'a1'.repeat(16), 'hex'));
    cipher.setAuthTag(wrap.body.subarray(76));
    expect(Buffer.concat([cipher.update(wrap.body.subarray(44, 76)), cipher.final()])).toEqual(content);
  });

  it('P2 opens with the private half; no other key, log, group or id does', () => {
    const wrap = makeWrap(groupKey, log, group, content, seeded('wrap'));
    expect(openWrap(privateKey, groupKey, log, wrap)).toEqual(content);
    const other = x25519Private(Buffer.alloc(32, 0x78));
    expect(openWrap(other, publicText(other), log, wrap)).toBeNull();
    expect(openWrap(other, groupKey, log, wrap)).toBeNull();
    expect(openWrap(privateKey, publicText(other), log, wrap)).toBeNull();
    expect(openWrap(privateKey, groupKey, otherLog as LogId, wrap)).toBeNull();
    expect(openWrap(privateKey, groupKey, log, { ...wrap, group: later as GroupId })).toBeNull();
    expect(openWrap(privateKey, groupKey, log, { ...wrap, id: idOf<'wrap'>('cc') })).toBeNull();
  });

  it('P2 every flipped byte, every other length and a null ephemeral point give null', () => {
    const wrap = makeWrap(groupKey, log, group, content, seeded('wrap'));
    for (let i = 0; i < wrap.body.length; i += 1) {
      const bad = Buffer.from(wrap.body);
      bad[i] = (bad[i] ?? 0) ^ 1;
      expect(openWrap(privateKey, groupKey, log, { ...wrap, body: bad })).toBeNull();
    }
    for (const body of [Buffer.alloc(0), wrap.body.subarray(0, 91), Buffer.alloc(93), Buffer.alloc(92)])
      expect(openWrap(privateKey, groupKey, log, { ...wrap, body })).toBeNull();
  });

  it('P2 two wraps of one content key share no byte of key material in the open', () => {
    const random = seeded('two wraps');
    const one = makeWrap(groupKey, log, group, content, random);
    const two = makeWrap(groupKey, log, group, content, random);
    expect(one.id).not.toBe(two.id);
    expect(one.body.subarray(0, 32)).not.toEqual(two.body.subarray(0, 32));
    expect(one.body.includes(content.subarray(0, 8))).toBe(false);
  });
});

/** A body whose AAD and tag are right for `c`, with any clear text. */
function reseal(c: string, text: string, length = Buffer.byteLength(text)): Buffer {
  const clear = Buffer.alloc(Math.ceil((4 + Buffer.byteLength(text)) / 256) * 256);
  clear.writeUInt32BE(length);
  clear.write(text, 4, 'utf8');
  const nonce = Buffer.alloc(12, 3);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(
    Buffer.concat([
      Buffer.from(log + u64be(412).toString('hex') + group, 'hex'),
      Buffer.from(c, 'base64url'),
    ]),
  );
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}
