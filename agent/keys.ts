/**
 * The two secrets of a state directory, files of mode 0600: `agent.key`, the agent's Ed25519 key, which is its
 * identity; and `digest.key`, 32 random bytes under which labels and lines become digests, which never leave
 * this machine.
 */
import type { KeyObject } from 'node:crypto';
import { TilsynError } from '../protocol/errors.ts';
import { fromB64, type Random, toB64 } from '../protocol/ids.ts';
import { fromPem, newSigningKey, toPem } from '../protocol/sign.ts';
import { inState, readText, writeAtomic } from './files.ts';

export const AGENT_KEY_FILE = 'agent.key';
export const DIGEST_KEY_FILE = 'digest.key';
const DIGEST_KEY_BYTES = 32;

/** The agent's key. @throws TilsynError `key.missing`, `key.unreadable` */
export function loadAgentKey(dir: string): KeyObject {
  const pem = readText(inState(dir, AGENT_KEY_FILE));
  if (pem !== null) return fromPem(pem);
  throw new TilsynError('key.missing', 'reading the agent key: the state directory has none', {
    hint: 'Enrol the agent: `tilsyn agent enrol --state DIR --token-file F`.',
    exit: 'notFound',
  });
}

/**
 * The agent's key, made where there is none yet. It is on the disk before it is used anywhere: an enrolment
 * that is broken off is tried again with the same key (N2).
 */
export function ensureAgentKey(dir: string): KeyObject {
  if (readText(inState(dir, AGENT_KEY_FILE)) !== null) return loadAgentKey(dir);
  const key = newSigningKey();
  writeAtomic(inState(dir, AGENT_KEY_FILE), toPem(key));
  return key;
}

/**
 * The digest key, made where there is none yet. Without the old one sources get new ids and files are looked at
 * as new: read again, and merged by origin at the collector.
 * @throws TilsynError `key.unreadable`
 */
export function ensureDigestKey(dir: string, random: Random): Buffer {
  const path = inState(dir, DIGEST_KEY_FILE);
  const text = readText(path);
  if (text === null) {
    const key = random(DIGEST_KEY_BYTES);
    writeAtomic(path, `${toB64(key)}\n`);
    return key;
  }
  const key = fromB64(text.trim(), DIGEST_KEY_BYTES);
  if (key !== null) return key;
  throw new TilsynError('key.unreadable', 'reading digest.key: not 32 bytes', {
    hint: 'Restore it from a backup, or remove it: sources are then read again from their beginning.',
    exit: 'integrity',
  });
}
