/** T1, T2: mutual proof. */
import { describe, expect, it } from 'vitest';
import type { AgentFrame, CollectorFrame, FrameOf } from '../../protocol/frame.ts';
import { makeChallenge, makeProof, verifyChallenge, verifyProof } from '../../protocol/handshake.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { idOf } from './seeded.ts';

const nonce = (byte: number) => Buffer.alloc(32, byte).toString('base64url');
const identity = newSigningKey();
const agentKey = newSigningKey();
const channel = nonce(9);
const hello: FrameOf<AgentFrame, 'hello'> = {
  t: 'hello',
  agent: idOf('a9'),
  instance: idOf('11'),
  nonce: nonce(1),
  logs: [],
  applied: { generation: null, n: 0 },
  groups: [],
  software: { version: '0.1.0', platform: 'linux', node: '26.10.0' },
  time: '2026-11-22T06:12:00.123Z',
};
const challenge = makeChallenge(
  identity,
  hello,
  { nonce: nonce(2), name: 'tilsyn.test', generation: idOf('e7'), time: '2026-11-22T06:12:00.200Z' },
  channel,
);
const proof = makeProof(agentKey, hello, challenge, channel);

/** Every fact that both signatures must cover, each changed alone. */
const twists: [name: string, hello: object, challenge: object, channel: string][] = [
  ['another agent', { agent: idOf('aa') }, {}, channel],
  ['another instance', { instance: idOf('12') }, {}, channel],
  ["another agent's nonce", { nonce: nonce(3) }, {}, channel],
  ["another collector's nonce", {}, { nonce: nonce(3) }, channel],
  ['another name', {}, { name: 'tilsyn.evil' }, channel],
  ['another generation', {}, { generation: idOf('e8') }, channel],
  ['another time', {}, { time: '2026-11-22T06:12:00.201Z' }, channel],
  ['another channel (a relay in between)', {}, {}, nonce(8)],
  ['no channel', {}, {}, ''],
];

describe('challenge', () => {
  it('T1 the right one is believed', () => {
    expect(verifyChallenge(publicText(identity), hello, challenge, channel)).toBe(true);
  });
  it.each(twists)('T1 %s is not', (_name, h, c, ch) => {
    const key = publicText(identity);
    expect(
      verifyChallenge(
        key,
        { ...hello, ...h },
        { ...challenge, ...c } as CollectorFrame & typeof challenge,
        ch,
      ),
    ).toBe(false);
  });
  it('T1 another identity is not', () => {
    expect(verifyChallenge(publicText(newSigningKey()), hello, challenge, channel)).toBe(false);
  });
});

describe('proof', () => {
  it('T2 the right one is believed', () => {
    expect(verifyProof(publicText(agentKey), hello, challenge, channel, proof)).toBe(true);
  });
  it.each(twists)('T2 %s is not', (_name, h, c, ch) => {
    expect(verifyProof(publicText(agentKey), { ...hello, ...h }, { ...challenge, ...c }, ch, proof)).toBe(
      false,
    );
  });
  it("T2 another agent's key is not", () => {
    expect(verifyProof(publicText(newSigningKey()), hello, challenge, channel, proof)).toBe(false);
  });
  it('T2 X3 a challenge reflected back is no proof, and a proof no challenge, even under one key', () => {
    const own = makeChallenge(agentKey, hello, challenge, channel);
    expect(verifyProof(publicText(agentKey), hello, own, channel, own.sig)).toBe(false);
    expect(verifyChallenge(publicText(agentKey), hello, { ...challenge, sig: proof }, channel)).toBe(false);
  });
  it('T2 a proof of an earlier connection is not taken on the next', () => {
    const next = makeChallenge(
      identity,
      { ...hello, nonce: nonce(5) },
      { ...challenge, nonce: nonce(6) },
      nonce(7),
    );
    expect(verifyProof(publicText(agentKey), { ...hello, nonce: nonce(5) }, next, nonce(7), proof)).toBe(
      false,
    );
  });
});
