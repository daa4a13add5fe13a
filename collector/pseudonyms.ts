/**
 * Pseudonyms of the people at both ends of a session. Made at read time and kept nowhere, neither in clear nor as a
 * hash: who has them once has nothing to look them up in.
 *
 * W14 A pseudonym is an HMAC under a key that is derived from a key group's private half, and lasts as long as that
 *     group: of somebody in the roster their account's, of anybody else that of the session's own span. Once the group
 *     is erased, nobody can tell whose pseudonym it was.
 */
import { createHmac } from 'node:crypto';
import { sha256 } from '../protocol/canonical.ts';

/** Crockford's digits: nothing that is read for something else. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 30 bits: of a thousand people in one month, two share one with a probability of 1 in 2,000. */
const LENGTH = 6;
const LABEL = 'tilsyn/pseudonym/v1';

/** `P`: who was at the other end; `U`: whose account it was at this end. */
export type Prefix = 'P' | 'U';

/** `key`: of a group (`Opener.originKey`). No origin is made of such a text: none of them begins with this label. */
export function pseudonym(prefix: Prefix, key: Buffer, who: string): string {
  return spell(prefix, createHmac('sha256', key).update(`${LABEL}\0${prefix}\0${who}`).digest());
}

/** Where no key lives that could tell two sessions' people apart or together: one that says nothing but "this session's". */
export function pseudonymOfSession(prefix: Prefix, session: string): string {
  return spell(prefix, sha256(`${LABEL}\0${prefix}\0${session}`));
}

function spell(prefix: Prefix, bytes: Buffer): string {
  let bits = bytes.readUIntBE(0, 5);
  let text = '';
  for (let i = 0; i < LENGTH; i += 1) {
    text += DIGITS[bits % 32];
    bits = Math.floor(bits / 32);
  }
  return `${prefix}-${text}`;
}
