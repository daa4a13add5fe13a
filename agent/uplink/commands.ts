/**
 * Commands of the collector. Numbered per (agent, generation) from 1 without holes, signed, applied in order,
 * exactly once in effect. The list of verbs is closed and none of them runs a shell.
 *
 * U11  A command is carried out only when signed by the identity key, for this agent and generation, with
 *     n = applied + 1.
 * U12  n ≤ applied is answered again and not applied again.
 */
import type { CloseName } from '../../protocol/close-code.ts';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import type { AgentFrame, CollectorFrame, FrameOf } from '../../protocol/frame.ts';
import type { AgentId, Id } from '../../protocol/ids.ts';
import { verifyRecord } from '../../protocol/sign.ts';
import type { Applied, Journal } from '../types.ts';

export type Command = FrameOf<CollectorFrame, 'command'>;
export type Query = FrameOf<CollectorFrame, 'query'>;
export type Result = FrameOf<AgentFrame, 'result'>;
export type Outcome = 'done' | 'failed' | 'unsupported';

/** What a verb did. `body` goes to the collector: numbers and words of ours, nothing personal. */
export interface Doing {
  outcome: Outcome;
  body?: Record<string, unknown>;
}

/** Carries out one verb. Safe to be called again: a crash before the outcome was stored repeats it. */
export type Doer = (body: Record<string, unknown>) => Promise<Doing>;

export interface CommandContext {
  agent: AgentId;
  /** Identity key of the collector. */
  identity: string;
  /** Generation of the verified challenge. */
  generation: string;
}

export type Judgement = { do: 'apply' } | { do: 'again' } | { do: 'close'; code: CloseName };

/** Pure (U11, U12). */
export function judge(command: Command, context: CommandContext, applied: Applied): Judgement {
  const { t: _t, ...record } = command;
  if (!verifyRecord('command', context.identity, record)) return { do: 'close', code: 'notProven' };
  if (command.agent !== context.agent) return { do: 'close', code: 'notProven' };
  if (command.generation !== context.generation) return { do: 'close', code: 'generationChanged' };
  const n = applied.generation === context.generation ? applied.n : 0;
  if (command.n <= n) return { do: 'again' };
  return command.n === n + 1 ? { do: 'apply' } : { do: 'close', code: 'outOfOrder' };
}

/** A command's answer, or the code to close with. */
export type Answer = { result: Result } | { close: CloseName };

export async function runCommand(
  command: Command,
  context: CommandContext,
  journal: Pick<Journal, 'applied' | 'applyCommand'>,
  doers: Readonly<Record<string, Doer>>,
): Promise<Answer> {
  const judgement = judge(command, context, journal.applied());
  if (judgement.do === 'close') return { close: judgement.code };
  if (judgement.do === 'again') return { result: resultOf(command.n, true, { outcome: 'applied-before' }) };
  const doing = await carryOut(command, doers);
  // Commit point: the outcome and its event in one transaction. A crash before it carries the verb out again.
  const first = journal.applyCommand(
    context.generation as Id<'generation'>,
    command.n,
    command.verb,
    doing.outcome,
  );
  if (!first) return { result: resultOf(command.n, true, { outcome: 'applied-before' }) };
  return { result: resultOf(command.n, doing.outcome === 'done', { ...doing.body, outcome: doing.outcome }) };
}

async function carryOut(command: Command, doers: Readonly<Record<string, Doer>>): Promise<Doing> {
  const doer = Object.hasOwn(doers, command.verb) ? doers[command.verb] : undefined;
  if (doer === undefined) return { outcome: 'unsupported' };
  try {
    return await doer(command.body);
  } catch (error) {
    // A full disk or a locked database is no outcome: the connection breaks, and the command is given again. Were it taken
    // for done, a hold would never come into force, and nobody would wait for it (H4).
    if (error instanceof TilsynError && error.retryable) throw error;
    // A verb that failed is an outcome, recorded as such; the next command must not wait for it for ever.
    return { outcome: 'failed', body: { code: codeOf(error) } };
  }
}

/** Answers one verb of a query; reads only. */
export type Answerer = (body: Record<string, unknown>) => Promise<Record<string, unknown>>;

/** Never throws: what failed is an answer too. */
export async function answerQuery(
  query: Query,
  answers: Readonly<Record<string, Answerer>>,
): Promise<Result> {
  const answer = Object.hasOwn(answers, query.verb) ? answers[query.verb] : undefined;
  if (answer === undefined) return refuseQuery(query, 'unsupported');
  try {
    return { t: 'result', n: null, query: query.id, ok: true, body: await answer(query.body) };
  } catch (error) {
    return refuseQuery(query, codeOf(error));
  }
}

export function refuseQuery(query: Query, code: string): Result {
  return { t: 'result', n: null, query: query.id, ok: false, body: { code } };
}

function resultOf(n: number, ok: boolean, body: Record<string, unknown>): Result {
  return { t: 'result', n, query: null, ok, body };
}
