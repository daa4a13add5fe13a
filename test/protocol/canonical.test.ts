/** X1, X2: canonical text and the hashes of the log. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonical, isCanonical, leafHash, nodeHash, sha256, wellFormed } from '../../protocol/canonical.ts';

describe('X1 canonical text (RFC 8785)', () => {
  // Each pair: a text as a person might write it, and the one canonical text of the same value.
  const vectors: [name: string, written: string, text: string][] = [
    ['white space goes', '{ "b" : [ 1 , 2 ] ,\n "a" : { } }', '{"a":{},"b":[1,2]}'],
    [
      'keys sort by code unit, not as numbers',
      '{"2":0,"10":1,"1":2,"":3,"B":4,"a":5}',
      '{"":3,"1":2,"10":1,"2":0,"B":4,"a":5}',
    ],
    [
      'keys sort inside arrays too',
      '[7,{"z":null,"y":[{"d":1,"c":2}]}]',
      '[7,{"y":[{"c":2,"d":1}],"z":null}]',
    ],
    [
      'no locale: ø after z, capital before small',
      '{"øre":1,"zebra":2,"Æble":3,"aal":4}',
      '{"aal":4,"zebra":2,"Æble":3,"øre":1}',
    ],
    [
      'code units, not code points: an astral key sorts before U+FB00',
      '{"\\ufb00":1,"\\ud83d\\udd12":2,"\\u20ac":3}',
      '{"€":3,"🔒":2,"\ufb00":1}',
    ],
    ['no normalisation: a + ring stays two characters', '"a\\u030a"', '"a\u030a"'],
    [
      'short escapes, lower-case \\u for other controls, nothing else escaped',
      '"\\u0008\\u0009\\u000A\\u000C\\u000D\\u001F\\u007f\\u0080\\/\\"\\\\"',
      '"\\b\\t\\n\\f\\r\\u001f\u007f\u0080/\\"\\\\"',
    ],
    [
      'numbers as ECMAScript writes them',
      '[4.50,2e-3,1E30,1e21,1e20,0.0000001,0.000001,-0,5e-324,9007199254740991]',
      '[4.5,0.002,1e+30,1e+21,100000000000000000000,1e-7,0.000001,0,5e-324,9007199254740991]',
    ],
    ['literals', '[ null, true, false ]', '[null,true,false]'],
  ];

  it.each(vectors)('X1 %s', (_name, written, text) => {
    expect(canonical(JSON.parse(written))).toBe(text);
    expect(isCanonical(text, JSON.parse(text))).toBe(true);
    if (written !== text) expect(isCanonical(written, JSON.parse(written))).toBe(false);
  });

  // Bits of a double and its text: the table of RFC 8785, appendix B.
  const doubles: [hex: string, text: string][] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ];
  it.each(doubles)('X1 double %s is written %s', (hex, text) => {
    expect(canonical(Buffer.from(hex, 'hex').readDoubleBE())).toBe(text);
  });

  const refused: [name: string, text: string][] = [
    ['a key twice', '{"a":1,"a":1}'],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['keys in another order', '{"b":1,"a":2}'],
    ['a space', '{"a": 1}'],
    ['a trailing newline', '{"a":1}\n'],
    ['an escape that need not be', '"\\u0041"'],
    ['an escaped slash', '"\\/"'],
    ['an upper-case escape', '"\\u001F"'],
    ['1.0', '1.0'],
    ['1e0', '1e0'],
    ['minus zero', '-0'],
    ['an integer over 2^53 that a double cannot hold', '9007199254740993'],
    ['more digits than a double has', '0.10000000000000000001'],
    ['a lone surrogate, escaped', '"\\ud800"'],
    ['a lone surrogate as a key', '{"\\udfff":1}'],
  ];
  it.each(refused)('X1 refuses %s', (_name, text) => {
    expect(isCanonical(text, JSON.parse(text))).toBe(false);
  });

  it('X1 a key called __proto__ is a key like any other', () => {
    const text = '{"__proto__":{"a":1},"b":2}';
    expect(isCanonical(text, JSON.parse(text))).toBe(true);
    expect(canonical(wellFormed(JSON.parse(text)))).toBe(text);
  });

  it('X1 what has no canonical form is an error with a code, and without the text itself', () => {
    for (const value of [undefined, Number.NaN, Number.POSITIVE_INFINITY, { secret: '\ud800' }, 1n]) {
      let thrown: unknown;
      try {
        canonical(value);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ name: 'TilsynError', code: 'canonical.unencodable' });
      expect(String(thrown)).not.toContain('secret');
    }
  });

  it('X1 wellFormed makes any text encodable, keys included, and leaves good text alone', () => {
    const dirty = { 'k\ud800': ['a\udc00b', { n: 1, ok: 'æøå🔒' }], x: null };
    expect(canonical(wellFormed(dirty))).toBe('{"k\ufffd":["a\ufffdb",{"n":1,"ok":"æøå🔒"}],"x":null}');
  });
});

describe('X2 hashes of the log (RFC 6962)', () => {
  const hex = (bytes: Buffer) => bytes.toString('hex');

  it('X2 known answers for leaves and a node', () => {
    expect(hex(sha256(''))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(hex(leafHash(''))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(hex(leafHash('L123456'))).toBe('395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56');
    expect(hex(nodeHash(Buffer.from('N123'), Buffer.from('N456')))).toBe(
      'aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb',
    );
  });

  it('X2 known roots of trees of one to eight leaves', () => {
    const leaves = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ].map((text) => leafHash(Buffer.from(text, 'hex')));
    // The tree as RFC 6962 defines it: split at the largest power of two below the size.
    const root = (part: Buffer[]): Buffer => {
      const [only] = part;
      if (part.length === 1 && only !== undefined) return only;
      let split = 1;
      while (split * 2 < part.length) split *= 2;
      return nodeHash(root(part.slice(0, split)), root(part.slice(split)));
    };
    expect(leaves.map((_leaf, i) => hex(root(leaves.slice(0, i + 1))))).toEqual([
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]);
  });

  it('X2 text is hashed as UTF-8, with one zero byte before it', () => {
    const raw = createHash('sha256')
      .update(Buffer.concat([Buffer.from([0]), Buffer.from('{"a":"æ🔒"}', 'utf8')]))
      .digest();
    expect(leafHash('{"a":"æ🔒"}')).toEqual(raw);
    expect(leafHash(Buffer.from('{"a":"æ🔒"}', 'utf8'))).toEqual(raw);
  });
});
