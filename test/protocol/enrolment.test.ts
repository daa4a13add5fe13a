/** N1, N2: what an enrolment token and request look like. Their use is tested at the collector. */
import { describe, expect, it } from 'vitest';
import {
  type EnrolmentToken,
  enrolAnswer,
  enrolRequest,
  readToken,
  tokenText,
} from '../../protocol/enrolment.ts';
import { idOf } from './seeded.ts';

const b32 = (byte: number) => Buffer.alloc(32, byte).toString('base64url');
const token: EnrolmentToken = {
  v: 1,
  url: 'wss://collector.example:8443',
  identity: b32(1),
  trust: { pin: b32(2) },
  agreement: idOf('c4'),
  site: idOf('d5'),
  token: idOf('70'),
  secret: b32(3),
};

describe('token text', () => {
  it('N1 is one word that survives a round trip, also with blanks and a line end around it', () => {
    const text = tokenText(token);
    expect(text).toMatch(/^tilsyn1\.[A-Za-z0-9_-]+$/);
    expect(readToken(text)).toEqual(token);
    expect(readToken(`  ${text}\r\n`)).toEqual(token);
    expect(readToken(tokenText({ ...token, trust: 'system' }))).toEqual({ ...token, trust: 'system' });
  });

  it('N1 fields of a later version are ignored', () => {
    expect(readToken(tokenText({ ...token, later: true } as never))).toEqual(token);
  });

  const text = tokenText(token);
  it.each([
    ['empty', ''],
    ['the prefix alone', 'tilsyn1.'],
    ['without the prefix', text.slice(8)],
    ['of another version', text.replace('tilsyn1.', 'tilsyn2.')],
    ['cut off', text.slice(0, -20)],
    ['broken by a blank', `${text.slice(0, 40)} ${text.slice(40)}`],
    ['padded', `${text}==`],
    ['in quotes', `"${text}"`],
    ['twice', text + text],
    ['not JSON inside', `tilsyn1.${Buffer.from('hello').toString('base64url')}`],
    ['without a secret', tokenText({ ...token, secret: undefined } as never)],
    ['with a short secret', tokenText({ ...token, secret: 'AAAA' })],
    ['with v 2 inside', tokenText({ ...token, v: 2 } as never)],
    ['without a pin', tokenText({ ...token, trust: 'none' } as never)],
  ])('N1 %s: one error, which never repeats the text', (_name, bad) => {
    let thrown: unknown;
    try {
      readToken(bad);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'token.malformed', exit: 'usage' });
    if (bad.length > 8) expect(JSON.stringify(thrown) + String(thrown)).not.toContain(bad.slice(8, 40));
  });
});

describe('request and answer', () => {
  const request = {
    token: token.token,
    secret: token.secret,
    key: b32(4),
    birth: {
      v: 1,
      log: idOf('1f'),
      agent: idOf('a9'),
      agreement: idOf('c4'),
      site: idOf('d5'),
      key: b32(4),
      predecessor: null,
      reason: 'enrolled',
      at: '2026-11-22T06:12:00.123Z',
      sig: 'AAAA',
    },
    software: { version: '0.1.0', platform: 'linux', node: '26.10.0' },
  };

  it('N2 known fields are strict, unknown ones ignored', () => {
    expect(enrolRequest.safeParse(request).success).toBe(true);
    expect(enrolRequest.safeParse({ ...request, later: 1 }).success).toBe(true);
    expect(enrolRequest.safeParse({ ...request, key: 'AAAA' }).success).toBe(false);
    expect(enrolRequest.safeParse({ ...request, birth: { ...request.birth, v: 2 } }).success).toBe(false);
    expect(
      enrolRequest.safeParse({ ...request, software: { ...request.software, version: 'x'.repeat(33) } })
        .success,
    ).toBe(false);
  });

  it('N2 an answer names collector, identity, generation, mode, state and groups', () => {
    const answer = {
      name: 'tilsyn.test',
      identity: b32(1),
      generation: idOf('e7'),
      mode: 'managed',
      state: 'approved',
      groups: [],
    };
    expect(enrolAnswer.safeParse(answer).success).toBe(true);
    for (const field of Object.keys(answer))
      expect(enrolAnswer.safeParse({ ...answer, [field]: undefined }).success).toBe(false);
  });
});
