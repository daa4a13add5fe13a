/**
 * Questions to a host over its live link. Nothing of an answer is stored: it goes to whoever asked, and is gone.
 *
 * M11 An answer counts for the question that it names, of the host that was asked, once, and in time.
 * M13 A host that goes away in the middle of a question is not waited for: whoever asked is told at once that it is gone.
 * M12 Few questions wait for one host at a time; a host that has none is told apart from one that does not answer.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { AgentFrame, FrameOf } from '../../protocol/frame.ts';
import { type AgentId, newId } from '../../protocol/ids.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import type { Context } from '../types.ts';

type ResultFrame = FrameOf<AgentFrame, 'result'>;
export type Answer = Record<string, unknown>;

const TIMEOUT_MS = 20 * SECOND_MS;
/** As many as an agent lets wait. */
const PER_AGENT = 8;

type End = ResultFrame | 'silent' | 'gone';
interface Waiting {
  agent: AgentId;
  settle(end: End): void;
}

const WAITING = new WeakMap<Context, Map<string, Waiting>>();

function waitingOf(ctx: Context): Map<string, Waiting> {
  const known = WAITING.get(ctx) ?? new Map<string, Waiting>();
  WAITING.set(ctx, known);
  return known;
}

/** @throws TilsynError `host.offline`, `host.silent`, `host.busy`, `host.refused` */
export async function askHost(ctx: Context, agent: AgentId, verb: string, body: Answer): Promise<Answer> {
  const waiting = waitingOf(ctx);
  if ([...waiting.values()].filter((one) => one.agent === agent).length >= PER_AGENT) throw busy();
  const id = newId<'query'>(ctx.random);
  const { promise, resolve } = Promise.withResolvers<End>();
  waiting.set(id, { agent, settle: resolve });
  const cancel = ctx.clock.after(TIMEOUT_MS, () => resolve('silent'));
  try {
    if (!ctx.links.send(agent, { t: 'query', id, verb, body })) throw offline();
    const frame = await promise;
    if (frame === 'silent') throw silent();
    if (frame === 'gone') throw offline();
    if (!frame.ok) throw refused(frame.body);
    return frame.body;
  } finally {
    cancel();
    waiting.delete(id);
  }
}

/** M11; an answer that nobody waits for any more is nobody's. */
export function takeAnswer(ctx: Context, agent: AgentId, frame: ResultFrame): void {
  const waiting = frame.query === null ? undefined : waitingOf(ctx).get(frame.query);
  if (waiting?.agent === agent) waiting.settle(frame);
}

/** M13: its link has ended. */
export function endQuestions(ctx: Context, agent: AgentId): void {
  for (const one of waitingOf(ctx).values()) if (one.agent === agent) one.settle('gone');
}

function offline(): TilsynError {
  return new TilsynError('host.offline', 'asking a host: it is not connected now', {
    hint: 'tilsyn host show HOST says when it was last seen; what it told of before stands in tilsyn event list.',
    exit: 'unreachable',
  });
}

function silent(): TilsynError {
  return new TilsynError('host.silent', 'asking a host: it is connected and has not answered in time', {
    hint: 'It may be busy with its first scan. Ask again.',
    exit: 'timeout',
  });
}

function busy(): TilsynError {
  return new TilsynError('host.busy', 'asking a host: others are asking it already', {
    hint: 'Ask again in a moment.',
    retryable: true,
  });
}

function refused({ code }: Answer): TilsynError {
  const old = code === 'unsupported';
  return new TilsynError(
    'host.refused',
    `asking a host: it ${old ? 'does not know this question' : 'could not answer'}`,
    {
      hint: old ? 'Its agent is older than this collector: upgrade it.' : 'Its own log says why.',
      exit: 'failed',
    },
  );
}
