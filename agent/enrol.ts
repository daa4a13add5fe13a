/**
 * Enrolment: from a token to an identity.
 *
 * Crash order: key, then `enrol.json` (the birth that will be sent), then the request, then `bounds.json`, then
 * `agent.json`. A run
 * that was broken off anywhere is repeated with the same token, key and birth, and the collector gives the same
 * answer without taking a second use (N2). The secret of the token is never written.
 */
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../protocol/canonical.ts';
import {
  type EnrolAnswer,
  type EnrolmentToken,
  type EnrolRequest,
  enrolAnswer,
  readToken,
} from '../protocol/enrolment.ts';
import { type ExitName, TilsynError } from '../protocol/errors.ts';
import { verifyGroup } from '../protocol/group.ts';
import { type AgreementId, newId, type Random, type SiteId, toB64 } from '../protocol/ids.ts';
import { newSigningKey, publicText, toPem } from '../protocol/sign.ts';
import { type Clock, SECOND_MS, toIso } from '../protocol/time.ts';
import { ErasedBounds } from './bounds.ts';
import { ensureStateDir, inState, writeAtomic } from './files.ts';
import {
  dropPending,
  type Pending,
  readEnrolment,
  readPending,
  writeEnrolment,
  writePending,
} from './identity.ts';
import { makeBirth } from './journal-succession.ts';
import { AGENT_KEY_FILE, ensureAgentKey } from './keys.ts';
import { lockState } from './lock.ts';
import type { AgentIdentity } from './types.ts';
import { ask } from './uplink/request.ts';
import { type Endpoint, endpointOf, type TlsOptions } from './uplink/tls.ts';

const TIMEOUT_MS = 30 * SECOND_MS;

export interface EnrolOptions {
  /** State directory; made where it is absent. */
  state: string;
  /** The token's text. */
  token: string;
  software: EnrolRequest['software'];
  clock: Clock;
  random: Random;
  proxy: string | null;
}

export interface Enrolled {
  /** True: this state directory was enrolled before; nothing was asked and no use was taken. */
  already: boolean;
  identity: AgentIdentity;
  /** `waiting`: a person has to approve this host first. Null where it was enrolled before. */
  state: EnrolAnswer['state'] | null;
}

/**
 * @throws TilsynError `token.*`, `collector.*`, `ca.mismatch`, `identity.mismatch`, `group.unsigned`, `bounds.unsigned`,
 * `enrol.*`, `state.*`, `proxy.*`
 */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const present = readEnrolment(options.state);
  if (present !== null) return { already: true, identity: present.identity, state: null };
  const token = readToken(options.token);
  const endpoint = endpointOf(token.url);
  ensureStateDir(options.state);
  const lock = lockState(options.state);
  try {
    return await underLock(options, token, endpoint);
  } finally {
    lock.release();
  }
}

async function underLock(
  options: EnrolOptions,
  token: EnrolmentToken,
  endpoint: Endpoint,
): Promise<Enrolled> {
  const { state, proxy, clock } = options;
  const ca = token.trust === 'system' ? null : await fetchCa(endpoint, token.trust.pin, proxy);
  const pending = prepare(options, token);
  const tls = { ca, proxy, timeoutMs: TIMEOUT_MS };
  const answer = await request(endpoint, tls, {
    token: token.token,
    secret: token.secret,
    key: pending.birth.key,
    birth: pending.birth,
    software: options.software,
  });
  checkAnswer(answer, token);
  const identity: AgentIdentity = {
    agent: pending.birth.agent as AgentIdentity['agent'],
    agreement: token.agreement as AgreementId,
    site: token.site as SiteId,
    mode: answer.mode,
    url: token.url,
    collectorName: answer.name,
    identity: answer.identity,
    ca,
    enrolledAt: toIso(clock.now()),
  };
  takeBounds(state, identity, answer);
  writeEnrolment(state, { identity, birth: pending.birth, groups: answer.groups });
  // A crash here leaves an `enrol.json` that nobody reads any more.
  dropPending(state);
  return { already: false, identity, state: answer.state };
}

/** Key and birth, on the disk before they are sent; those of an earlier try with the same token where there was one. */
function prepare({ state, clock, random }: EnrolOptions, token: EnrolmentToken): Pending {
  const before = readPending(state);
  let key = ensureAgentKey(state);
  const same = before?.token === token.token && before.url === token.url;
  if (before !== null && same && before.birth.key === publicText(key)) return before;
  if (before !== null) {
    // Another token may stand for another customer: the collector must not recognise the key of the first try.
    key = newSigningKey();
    writeAtomic(inState(state, AGENT_KEY_FILE), toPem(key));
  }
  const identity = {
    agent: newId<'agent'>(random),
    agreement: token.agreement as AgreementId,
    site: token.site as SiteId,
  };
  const birth = makeBirth({ identity, key, clock, random }, 'enrolled', null);
  const pending = { token: token.token, url: token.url, birth };
  writePending(state, pending);
  return pending;
}

/**
 * The collector's own CA. Fetched without knowing whom from; believed because its hash is in the token.
 * @returns PEM
 */
async function fetchCa(endpoint: Endpoint, pin: string, proxy: string | null): Promise<string> {
  const tls = { ca: null, proxy, timeoutMs: TIMEOUT_MS, unverified: true };
  const { status, text } = await ask(endpoint, tls, { method: 'GET', path: '/v1/ca' });
  if (status !== 200) throw notACollector(status);
  const certificate = readCertificate(text);
  if (certificate === null || toB64(sha256(certificate.raw)) !== pin) {
    throw new TilsynError(
      'ca.mismatch',
      "checking the collector's CA: it is not the one that the token names; nothing was sent",
      {
        hint: 'Look for a TLS-inspecting proxy in between; otherwise make a new token at the collector.',
        exit: 'integrity',
      },
    );
  }
  return certificate.toString();
}

function readCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

async function request(endpoint: Endpoint, tls: TlsOptions, body: EnrolRequest): Promise<EnrolAnswer> {
  const { status, text } = await ask(endpoint, tls, { method: 'POST', path: '/v1/enrol', body });
  if (status < 200 || status > 299) throw refusal(status, text);
  const answer = enrolAnswer.safeParse(parseJson(text));
  if (answer.success) return answer.data;
  throw notACollector(status);
}

function checkAnswer(answer: EnrolAnswer, token: EnrolmentToken): void {
  if (toB64(sha256(Buffer.from(answer.identity, 'base64url'))) !== token.identity) {
    throw new TilsynError(
      'identity.mismatch',
      "checking the collector's identity key: it is not the one that the token names",
      { hint: 'The collector was set up anew since: make a new token there.', exit: 'integrity' },
    );
  }
  const signed = answer.groups.every(
    (group) => verifyGroup(answer.identity, group) && group.agreement === token.agreement,
  );
  if (signed) return;
  throw new TilsynError(
    'group.unsigned',
    'checking the key groups of the enrolment: one has a wrong signature',
    {
      hint: 'Nothing was enrolled. Look at the health of the collector, then run the same line again.',
      exit: 'integrity',
    },
  );
}

/** Before the enrolment counts (M4). */
function takeBounds(state: string, identity: AgentIdentity, { bounds }: EnrolAnswer): void {
  if (bounds === undefined || new ErasedBounds(state, identity).take(bounds)) return;
  throw new TilsynError('bounds.unsigned', 'checking how far back this host may read: a wrong signature', {
    hint: 'Nothing was enrolled. Look at the health of the collector, then run the same line again.',
    exit: 'integrity',
  });
}

const errorBody = z.object({
  error: z.object({
    code: z.string().regex(/^[a-z][a-z.-]{0,63}$/),
    message: z.string().max(512),
    hint: z.string().max(512).nullable(),
  }),
});

/** Hints of ours, where the collector gives none. */
const HINTS: Readonly<Record<string, string>> = {
  'token.expired': 'Make a new token: `tilsyn token create`; a roll-out takes --ttl 30d.',
  'token.used': 'Make a new token: `tilsyn token create`; a roll-out takes --uses N.',
  'token.unknown': 'Make a new token at the collector that this host shall report to.',
  'token.revoked': 'Ask who revoked it, then make a new token: `tilsyn token create`.',
  'enrol.cidr': 'This host is outside of the networks that the token allows; make one with another --cidr.',
};

/** The collector's own words for a refusal, with a code that scripts can match on. */
function refusal(status: number, text: string): TilsynError {
  const parsed = errorBody.safeParse(parseJson(text));
  if (!parsed.success) return notACollector(status);
  const { code, message, hint } = parsed.data.error;
  const later = status === 429 || status >= 500;
  const exit: ExitName = later ? 'unreachable' : status === 409 ? 'conflict' : 'forbidden';
  const help = hint ?? HINTS[code];
  return new TilsynError(code, message, {
    exit: status === 400 ? 'usage' : exit,
    retryable: later,
    ...(help === undefined ? {} : { hint: help }),
  });
}

function notACollector(status: number): TilsynError {
  return new TilsynError(
    'collector.answer',
    `enrolling: the answer is not a collector's (status ${status})`,
    {
      hint: 'Check the address in the token, and that no proxy answers in its place.',
      exit: 'unreachable',
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
