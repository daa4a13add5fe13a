/**
 * Mutual proof on each connection. Both sides sign both nonces, the names and ids, the generation and the
 * channel's exporter value (RFC 9266), so that nobody in between can pose, relay or change frames.
 *
 * H1 is kept for holds; these are T1 and T2.
 * T1  An agent sends nothing but `hello` before it has checked the collector's `challenge`.
 * T2  A collector takes nothing but `hello` and `proof` before it has checked the agent's `proof`.
 */
import type { KeyObject } from 'node:crypto';
import type { AgentFrame, CollectorFrame, FrameOf } from './frame.ts';
import { signRecord, verifyRecord } from './sign.ts';

/** Label and length of the TLS exporter value, RFC 9266 section 4.2. */
export const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
export const EXPORTER_BYTES = 32;

type Hello = FrameOf<AgentFrame, 'hello'>;
type Challenge = FrameOf<CollectorFrame, 'challenge'>;

function challengeRecord(hello: Hello, challenge: Omit<Challenge, 't' | 'sig'>, channel: string) {
  return {
    agent: hello.agent,
    instance: hello.instance,
    agentNonce: hello.nonce,
    nonce: challenge.nonce,
    name: challenge.name,
    generation: challenge.generation,
    time: challenge.time,
    channel,
  };
}

/** The collector's answer to `hello`. `channel` = base64url of the exporter value. */
export function makeChallenge(
  identity: KeyObject,
  hello: Hello,
  challenge: Omit<Challenge, 't' | 'sig'>,
  channel: string,
): Challenge {
  const { sig } = signRecord('challenge', identity, challengeRecord(hello, challenge, channel));
  return { t: 'challenge', ...challenge, sig };
}

export function verifyChallenge(
  identityKey: string,
  hello: Hello,
  challenge: Challenge,
  channel: string,
): boolean {
  return verifyRecord('challenge', identityKey, {
    ...challengeRecord(hello, challenge, channel),
    sig: challenge.sig,
  });
}

/** The agent's signature over the same facts. */
export function makeProof(agentKey: KeyObject, hello: Hello, challenge: Challenge, channel: string): string {
  return signRecord('proof', agentKey, challengeRecord(hello, challenge, channel)).sig;
}

export function verifyProof(
  agentKey: string,
  hello: Hello,
  challenge: Challenge,
  channel: string,
  sig: string,
): boolean {
  return verifyRecord('proof', agentKey, { ...challengeRecord(hello, challenge, channel), sig });
}
