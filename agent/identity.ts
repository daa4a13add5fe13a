/**
 * Who this agent is: `agent.json`, written once by `agent enrol`, and `enrol.json`, an enrolment under way. Both
 * lie beside the database and outlive its loss; neither holds a secret (the key is `agent.key`).
 */
import { z } from 'zod';
import { type Birth, birthRecord } from '../protocol/birth.ts';
import { TilsynError } from '../protocol/errors.ts';
import { MODES } from '../protocol/event.ts';
import { b64, id, iso, type SignedGroup, signedGroup } from '../protocol/group.ts';
import { inState, readText, removeFile, writeAtomic } from './files.ts';
import type { AgentIdentity } from './types.ts';

export const IDENTITY_FILE = 'agent.json';
export const PENDING_FILE = 'enrol.json';

const enrolmentFile = z.object({
  v: z.literal(1),
  agent: id,
  agreement: id,
  site: id,
  mode: z.enum(MODES),
  /** `wss://host:port`. */
  url: z.string().max(512),
  collectorName: z.string().max(128),
  /** Ed25519 identity key of the collector. */
  identity: b64.length(43),
  /** PEM of the collector's own CA, which is then the only root; null: the system's roots. */
  ca: z.string().max(16_384).nullable(),
  enrolledAt: iso,
  /** The first log's birth, as the collector has it. */
  birth: birthRecord,
  /** The key groups that came with the enrolment, for the time before the first connection. */
  groups: z.array(signedGroup).max(2048),
});

const pendingFile = z.object({
  v: z.literal(1),
  /** Id of the token, not its secret: the technician has that. */
  token: id,
  url: z.string().max(512),
  birth: birthRecord,
});

/** What `agent.json` holds. */
export interface Enrolment {
  identity: AgentIdentity;
  birth: Birth;
  groups: SignedGroup[];
}

export type Pending = Omit<z.infer<typeof pendingFile>, 'v'>;

/** Null where this state directory is not enrolled. @throws TilsynError `state.unreadable` */
export function readEnrolment(dir: string): Enrolment | null {
  const text = readText(inState(dir, IDENTITY_FILE));
  if (text === null) return null;
  const parsed = enrolmentFile.safeParse(parse(text));
  if (!parsed.success) {
    throw new TilsynError('state.unreadable', `reading ${IDENTITY_FILE}: it is damaged`, {
      hint: `Restore ${IDENTITY_FILE} from a backup; or move the state directory away and enrol this host anew.`,
      exit: 'integrity',
    });
  }
  const { v: _v, birth, groups, ...identity } = parsed.data;
  return { identity: identity as AgentIdentity, birth, groups };
}

/** @throws TilsynError `agent.not-enrolled` */
export function requireEnrolment(dir: string): Enrolment {
  const enrolment = readEnrolment(dir);
  if (enrolment !== null) return enrolment;
  throw new TilsynError('agent.not-enrolled', 'starting the agent: this state directory is not enrolled', {
    hint: 'Get a token with `tilsyn token create` at the collector, then `tilsyn agent enrol --state DIR --token-file F`.',
    exit: 'notFound',
  });
}

/** The commit point of an enrolment: before it the agent is not enrolled, after it it is. */
export function writeEnrolment(dir: string, { identity, birth, groups }: Enrolment): void {
  const text = JSON.stringify({ v: 1, ...identity, birth, groups }, null, 2);
  writeAtomic(inState(dir, IDENTITY_FILE), `${text}\n`);
}

/** Null where there is none, or one that cannot be read: then the enrolment simply begins anew. */
export function readPending(dir: string): Pending | null {
  const text = readText(inState(dir, PENDING_FILE));
  const parsed = text === null ? null : pendingFile.safeParse(parse(text));
  return parsed?.success ? parsed.data : null;
}

export function writePending(dir: string, pending: Pending): void {
  writeAtomic(inState(dir, PENDING_FILE), `${JSON.stringify({ v: 1, ...pending }, null, 2)}\n`);
}

export function dropPending(dir: string): void {
  removeFile(inState(dir, PENDING_FILE));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
