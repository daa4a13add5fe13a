/**
 * Commands to agents: numbered per (agent, generation) from 1 without holes, signed, exactly once in effect.
 *
 * M1  A command exists once its row and `command.issued` are committed; sending it is not part of that.
 * M2  On each connection what the agent has not applied is sent, in order, each once.
 * M3  A result is stored once; a repeated one changes nothing. What is kept of it are numbers and short words.
 * M10 A result that was lost on the way is taken from the agent's log, which says the same: no command waits for ever.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { type EventData, isRecognised } from '../../protocol/event.ts';
import type { AgentFrame, CollectorFrame, FrameOf, Verb } from '../../protocol/frame.ts';
import { type AgentId, type Id, newId, type PersonId } from '../../protocol/ids.ts';
import { signRecord } from '../../protocol/sign.ts';
import { wakeEraser } from '../erasing/wake.ts';
import type { AgentRow, CommandRow, Reader, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';

type CommandFrame = FrameOf<CollectorFrame, 'command'>;
type ResultFrame = FrameOf<AgentFrame, 'result'>;

const MAX_BODY_BYTES = 16 * 1024;
const MAX_RESULT_FIELDS = 32;
const WORD = /^[A-Za-z0-9._-]{1,64}$/;

/** @throws TilsynError `agent.unknown`, `agent.revoked`, `command.too-large` */
export async function issueCommand(
  ctx: Context,
  agent: AgentId,
  verb: Verb,
  body: Record<string, unknown>,
  person: PersonId | null,
  reason: string | null = null,
): Promise<CommandRow> {
  return await ctx.store.write((tx) => issueIn(ctx, tx, agent, { verb, body, person, reason }));
}

/** As `issueCommand`, inside the caller's transaction: what it belongs to and the order are one. */
export async function issueIn(
  ctx: Context,
  tx: Tx,
  agent: AgentId,
  wanted: { verb: Verb; body: Record<string, unknown>; person: PersonId | null; reason?: string | null },
): Promise<CommandRow> {
  const { verb, body, person, reason = null } = wanted;
  if (Buffer.byteLength(JSON.stringify(body)) > MAX_BODY_BYTES) {
    throw new TilsynError('command.too-large', `issuing ${verb}: its body is over ${MAX_BODY_BYTES} bytes`, {
      hint: 'Narrow the scope, and give several commands.',
      exit: 'usage',
    });
  }
  mayGet(await tx.agents.get(agent), verb);
  const generation = ctx.generation();
  const n = (await commandsThrough(tx, agent, generation)) + 1;
  const record = { n, id: newId<'command'>(ctx.random), generation, agent, verb, body };
  const { sig } = signRecord('command', ctx.identity, record);
  const row: CommandRow = {
    command: record.id,
    agent,
    generation,
    n,
    verb,
    body,
    sig,
    createdBy: person,
    createdAt: ctx.clock.now(),
    resultAt: null,
    ok: null,
    result: null,
  };
  await tx.commands.put([row]);
  const personal = reason === null ? null : { reason };
  await ctx.own.append(tx, [
    { type: 'command.issued', data: { agent, generation, n, verb, person }, personal },
  ]);
  // A crash between the commit and this: the agent gets it when it connects again (M2).
  tx.afterCommit(() => ctx.links.nudge(agent));
  return row;
}

function mayGet(row: AgentRow | null, verb: Verb): void {
  if (row === null) {
    throw new TilsynError('agent.unknown', `issuing ${verb}: there is no such host`, {
      hint: 'List them with `tilsyn host list`.',
      exit: 'notFound',
    });
  }
  if (row.state === 'revoked') {
    throw new TilsynError('agent.revoked', `issuing ${verb}: the host was revoked and gets no commands`, {
      exit: 'conflict',
    });
  }
}

/** Number of the last command issued to this agent in this generation; 0: none. */
export async function commandsThrough(
  reader: Reader | Tx,
  agent: AgentId,
  generation: Id<'generation'>,
): Promise<number> {
  const rows = await reader.commands.list({ agent, generation });
  return rows.reduce((most, { n }) => Math.max(most, n), 0);
}

/** Frames of the commands after `n`, in order. */
export async function commandsAfter(ctx: Context, agent: AgentId, n: number): Promise<CommandFrame[]> {
  const rows = await ctx.store.read.commands.list({ agent, generation: ctx.generation() });
  return rows
    .filter((row) => row.n > n)
    .sort((a, b) => a.n - b.n)
    .map((row) => ({
      t: 'command',
      n: row.n,
      id: row.command,
      generation: row.generation,
      agent,
      verb: row.verb,
      body: row.body,
      sig: row.sig,
    }));
}

/** Stores a command's result, once (M3). Results of unknown numbers are passed over. */
export async function storeResult(ctx: Context, agent: AgentId, frame: ResultFrame): Promise<void> {
  const { n, ok, body } = frame;
  if (n === null) return;
  const generation = ctx.generation();
  const [known] = await ctx.store.read.commands.list({ agent, generation, n });
  if (known === undefined || isAnswered(known)) return;
  await ctx.store.write(async (tx) => {
    const [row] = await tx.commands.list({ agent, generation, n });
    if (row === undefined || isAnswered(row)) return;
    const resultAt = row.resultAt ?? ctx.clock.now();
    await tx.commands.put([{ ...row, resultAt, ok: row.ok ?? ok, result: harmless(body) }]);
    if (wakes(row.verb)) tx.afterCommit(() => wakeEraser(ctx));
  });
}

/** What the log has said alone is told in full by the answer, where that comes. */
function isAnswered({ resultAt, result }: CommandRow): boolean {
  return resultAt !== null && result?.from !== 'log';
}

function wakes(verb: string): boolean {
  return verb === 'agreement.end' || verb === 'agreement.erase';
}

/** Data of a `command.applied`, and who says it. */
export interface AppliedSaid {
  agent: AgentId;
  data: unknown;
}

/**
 * Outcomes that agents say in their logs, inside the transaction that stores those leaves (M10). An agent that died, or
 * whose connection broke, between doing a command and answering it never answers: it knows that it was done.
 */
export async function noteApplied(ctx: Context, tx: Tx, leaves: readonly AppliedSaid[]): Promise<void> {
  for (const { agent, data } of leaves) {
    if (!isRecognised('command.applied', data)) continue;
    const { generation, n, verb, outcome } = data as EventData<'command.applied'>;
    const [row] = await tx.commands.list({ agent, generation: generation as Id<'generation'>, n });
    if (row === undefined || row.resultAt !== null || row.verb !== verb) continue;
    const ok = outcome === 'done';
    await tx.commands.put([{ ...row, resultAt: ctx.clock.now(), ok, result: { outcome, from: 'log' } }]);
    if (wakes(verb)) tx.afterCommit(() => wakeEraser(ctx));
  }
}

/** Numbers, truth values and short words: nothing personal gets into the registry by this door. */
export function harmless(body: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(body).filter(([key, value]) => WORD.test(key) && isHarmless(value));
  return Object.fromEntries(kept.slice(0, MAX_RESULT_FIELDS));
}

function isHarmless(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return typeof value === 'boolean' || value === null || (typeof value === 'string' && WORD.test(value));
}
