/** The agent's words of the handshake, and what it makes of the collector's. No socket here. */
import type { KeyObject } from 'node:crypto';
import type { CloseName } from '../../protocol/close-code.ts';
import { hasCode, TilsynError } from '../../protocol/errors.ts';
import type { AgentFrame, CollectorFrame, FrameOf } from '../../protocol/frame.ts';
import { type SignedGroup, verifyGroup } from '../../protocol/group.ts';
import { makeProof, verifyChallenge } from '../../protocol/handshake.ts';
import { type GroupId, type Id, type LogId, type Random, toB64 } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { AgentIdentity, Journal, LogSummary } from '../types.ts';
import type { Flow } from './machine.ts';
import { type Cursor, type LogPlan, reconcile } from './reconcile.ts';

export type Hello = FrameOf<AgentFrame, 'hello'>;
export type Challenge = FrameOf<CollectorFrame, 'challenge'>;
export type Software = Hello['software'];

const MAX_HELLO_GROUPS = 2048;
/** Groups that one `proof` or `erase` frame may hold. */
export const MAX_FRAME_GROUPS = 1024;

export interface HelloFacts {
  identity: AgentIdentity;
  /** New at each start of the process. */
  instance: Id<'instance'>;
  software: Software;
  random: Random;
  now: UtcMs;
}

export function makeHello(facts: HelloFacts, journal: Journal): Hello {
  return {
    t: 'hello',
    agent: facts.identity.agent,
    instance: facts.instance,
    nonce: toB64(facts.random(32)),
    logs: journal.logs().map(({ birth, next, head, acked }) => ({ birth, next, head: toB64(head), acked })),
    applied: journal.applied(),
    groups: journal
      .heldGroups()
      .slice(-MAX_HELLO_GROUPS)
      .map(({ group }) => group),
    software: facts.software,
    time: toIso(facts.now),
  };
}

/** Null where this is the collector that the agent was enrolled at; otherwise why it is not. */
export function doubtOf(
  identity: AgentIdentity,
  hello: Hello,
  challenge: Challenge,
  channel: string,
): TilsynError | null {
  const signed = verifyChallenge(identity.identity, hello, challenge, channel);
  if (signed && challenge.name === identity.collectorName) return null;
  const what = signed
    ? 'it has another name than the one this agent was enrolled at'
    : 'it did not prove its identity key';
  return new TilsynError('collector.not-proven', `checking the collector: ${what}; nothing was sent`, {
    hint: 'Look for a TLS-inspecting proxy in between. If the collector was set up anew, enrol this host again with a new token.',
    exit: 'integrity',
  });
}

/** `proof`, with the groups held where the collector's generation is new to us: it may have lost its own rows. */
export function makeProofFrame(
  key: KeyObject,
  hello: Hello,
  challenge: Challenge,
  channel: string,
  journal: Journal,
): FrameOf<AgentFrame, 'proof'> {
  const sig = makeProof(key, hello, challenge, channel);
  if (journal.applied().generation === challenge.generation) return { t: 'proof', sig };
  // Groups of our own making are signed by nobody, and are handed over with their keys.
  const signed = journal.heldGroups().filter(({ kind }) => kind !== 'oneoff');
  return { t: 'proof', sig, offer: signed.slice(-MAX_FRAME_GROUPS) };
}

export interface Settled {
  flows: Flow[];
  /** What was done about logs that cannot go on; the open one has a successor now. */
  ended: { log: LogId; plan: Exclude<LogPlan, { do: 'resume' }> }[];
  succeeded: boolean;
}

/**
 * Brings the journal in line with the collector's cursors. Each log is one durable step of the journal's own, so
 * a crash in between is met again by the next `welcome`.
 */
export function settle(cursors: readonly Cursor[], journal: Journal): Settled {
  reopen(cursors, journal);
  const settled: Settled = { flows: [], ended: [], succeeded: false };
  for (const summary of journal.logs()) {
    const cursor = cursors.find((one) => one.log === summary.log);
    const plan = reconcile(viewOf(summary, journal), cursor);
    if (plan.do === 'resume') {
      settled.flows.push(resumed(summary, plan, journal));
    } else {
      journal.succeed(summary.log, plan.reason, plan.predecessor);
      settled.ended.push({ log: summary.log, plan });
      settled.succeeded ||= plan.do === 'succeed';
    }
  }
  return settled;
}

/**
 * A closed log that was wholly acked is not in `hello`; a restored collector may be behind in it all the same.
 * Where both agree at the cursor, what it lost is unacked again and joins the outbox.
 */
function reopen(cursors: readonly Cursor[], journal: Journal): void {
  const listed = new Set<string>(journal.logs().map(({ log }) => log));
  for (const cursor of cursors) {
    const log = cursor.log as LogId;
    if (listed.has(log) || !agrees(cursor, log, journal)) continue;
    try {
      journal.rewind(log, cursor.through);
    } catch (error) {
      // No longer kept: its loss is written down by name instead.
      if (!hasCode(error, 'journal.not-kept')) throw error;
      journal.succeed(log, 'collector-restored', { size: cursor.through, head: cursor.head });
    }
  }
}

function agrees(cursor: Cursor, log: LogId, journal: Journal): boolean {
  if (cursor.state === 'frozen' || cursor.state === 'quarantined') return false;
  try {
    const ours = journal.hashAt(log, cursor.through);
    return ours !== null && toB64(ours) === cursor.head;
  } catch (error) {
    // A log of this agent that this state directory never knew, or has lost.
    if (hasCode(error, 'journal.unknown-log')) return false;
    throw error;
  }
}

function viewOf({ log, next, acked, open }: LogSummary, journal: Journal) {
  const hashAt = (seq: number) => {
    const hash = journal.hashAt(log, seq);
    return hash === null ? null : toB64(hash);
  };
  return { log, next, acked, open, hashAt };
}

function resumed(
  { log, acked }: LogSummary,
  plan: Extract<LogPlan, { do: 'resume' }>,
  journal: Journal,
): Flow {
  if (plan.rewind) journal.rewind(log, plan.through);
  else if (plan.through > acked) journal.acked(log, plan.through);
  return { log, sent: plan.through, acked: plan.through, drained: false };
}

/**
 * Takes in a `groups` frame. A wrong signature on a proven connection is a fault of the collector's.
 * @returns what to close with; null where all was well
 */
export function takeGroups(
  frame: FrameOf<CollectorFrame, 'groups'>,
  identity: AgentIdentity,
  journal: Journal,
): CloseName | null {
  if (!frame.add.every((group) => verifyGroup(identity.identity, group))) return 'badFrame';
  const ours = frame.add.filter((group: SignedGroup) => group.agreement === identity.agreement);
  if (ours.length > 0) journal.addGroups(ours);
  if (frame.dead.length > 0) journal.deadGroups(frame.dead as GroupId[]);
  return null;
}
