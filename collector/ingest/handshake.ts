/**
 * From `hello` to `welcome`, without a socket: who it is, whether it may come in, and what it is told.
 *
 * T2  A collector takes nothing but `hello` and `proof` before it has checked the agent's `proof`.
 * B1  A log is never continued after a loss: a successor is born that names its predecessor.
 * W1  An agent is only told of its own logs; a log that is another's, or was not born of its key, is refused.
 */
import { type Birth, birthHash, verifyBirth } from '../../protocol/birth.ts';
import type { CloseName } from '../../protocol/close-code.ts';
import { type AgentFrame, type CollectorFrame, FIRST_CREDITS, type FrameOf } from '../../protocol/frame.ts';
import type { SignedGroup } from '../../protocol/group.ts';
import type { AgentId, LogId } from '../../protocol/ids.ts';
import { toB64 } from '../../protocol/ids.ts';
import { MINUTE_MS, toIso } from '../../protocol/time.ts';
import { CONFLICT, REVOKED } from '../agents.ts';
import { boundsOf } from '../bounds.ts';
import { endForgotten } from '../oneoff/end.ts';
import type { AgentRow, LogRow, Reader, Tx } from '../store/types.ts';
import type { Context, Refusal } from '../types.ts';
import { commandsThrough } from './commands.ts';
import { claimAhead, type Generations } from './generation.ts';
import { supply } from './supply.ts';

export type Hello = FrameOf<AgentFrame, 'hello'>;
export type Welcome = FrameOf<CollectorFrame, 'welcome'>;

export interface Refused {
  close: CloseName;
  refusal: Refusal | null;
}
export const isRefused = (value: object): value is Refused => 'close' in value && 'refusal' in value;

/** Each restored or quarantined state opens one: an honest host has a handful in its life. */
const MAX_LOGS = 256;

export const NOT_PROVEN: Refused = {
  close: 'notProven',
  refusal: {
    code: 'agent.not-proven',
    message: 'letting the agent in: it did not prove its key on this connection',
    hint: 'Look for a TLS-inspecting proxy in between; otherwise enrol the host again.',
    retryAfter: null,
  },
};
const UNKNOWN: Refused = {
  close: 'notProven',
  refusal: {
    code: 'agent.unknown',
    message: 'letting the agent in: this collector knows no such agent',
    hint: 'Enrol the host with a token of this collector, on an empty state directory; after a restore so is every host that was enrolled since the backup (docs/guide/restore.md).',
    retryAfter: null,
  },
};
const WAITING: Refused = {
  close: 'tryLater',
  refusal: {
    code: 'agent.waiting',
    message: 'letting the agent in: it waits for approval',
    hint: 'Run `tilsyn host approve` at the collector.',
    retryAfter: MINUTE_MS / 2,
  },
};
const AHEAD: Refused = {
  close: 'tryLater',
  refusal: {
    code: 'agent.ahead',
    message: 'letting the agent in: it claims more than this collector can ever have acknowledged',
    hint: 'Enrol the host again with an empty state directory.',
    retryAfter: 5 * MINUTE_MS,
  },
};
const GENERATION: Refused = { close: 'generationChanged', refusal: null };
const BIRTH: Refused = {
  close: 'logRefused',
  refusal: {
    code: 'log.not-its-own',
    message: 'letting the agent in: it names a log that is not its own',
    hint: 'Enrol the host again with an empty state directory.',
    retryAfter: null,
  },
};
const TOO_MANY: Refused = {
  close: 'logRefused',
  refusal: {
    code: 'log.too-many',
    message: `letting the agent in: it opened more than ${MAX_LOGS} logs`,
    hint: 'Enrol the host again with an empty state directory.',
    retryAfter: null,
  },
};

/** Why an agent in this state is not let in; null: it may come. */
export function standing(row: AgentRow | null): Refused | null {
  if (row === null) return UNKNOWN;
  if (row.state === 'revoked') return { close: 'revoked', refusal: REVOKED };
  if (row.conflictAt !== null) return { close: 'identityConflict', refusal: CONFLICT };
  return row.state === 'waiting' ? WAITING : null;
}

/** The agent behind a `hello`. Nothing is believed of it yet. */
export async function greet(ctx: Context, hello: Hello): Promise<AgentRow | Refused> {
  const row = await ctx.store.read.agents.get(hello.agent);
  return standing(row) ?? (row as AgentRow);
}

export interface Admission {
  welcome: Welcome;
  add: SignedGroup[];
  /** Commands that the agent has applied; what comes after is sent. */
  applied: number;
  /** The log that `beat.next` speaks of; null where the agent has none. */
  openLog: LogId | null;
}

/** Lets a proven agent in: its rows, its groups, its cursors. Everything is durable before it is told. */
export async function admit(
  ctx: Context,
  generations: Generations,
  hello: Hello,
  offer: readonly SignedGroup[],
): Promise<Admission | Refused> {
  const agent = hello.agent as AgentId;
  const row = await ctx.store.read.agents.get(agent);
  const refused = standing(row);
  if (refused !== null || row === null) return refused ?? UNKNOWN;
  const generation = ctx.generation();
  const issued = await commandsThrough(ctx.store.read, agent, generation);
  const known = await ctx.store.read.logs(hello.logs.map(({ birth }) => birth.log as LogId));
  // Only what an agent says of its own logs is listened to.
  if (!areOwn(hello, row, known)) return BIRTH;
  const state = { generation, issued, through: new Map(known.map(({ log, through }) => [log, through])) };
  const claim = claimAhead(hello, state);
  if (claim !== null) {
    if (generations.isYoung() || !(await generations.believes(agent, hello, state))) return AHEAD;
    await generations.renew(generation, agent, claim);
    return GENERATION;
  }
  const logs = await register(ctx, row, hello, known, offer);
  if (isRefused(logs)) return logs;
  await supply(ctx, row, ctx.clock.now());
  await endForgotten(ctx, row, hello);
  const applied = hello.applied.generation === generation ? hello.applied.n : 0;
  return {
    welcome: { ...welcomeOf(ctx, logs, issued), bounds: await boundsOf(ctx, row) },
    add: ctx.groups.forAgreement(row.agreement, ctx.clock.now()),
    applied,
    openLog: (hello.logs.at(-1)?.birth.log ?? null) as LogId | null,
  };
}

function welcomeOf(ctx: Context, logs: readonly LogRow[], issued: number): Welcome {
  return {
    t: 'welcome',
    cursors: logs.map(({ log, through, head, state }) => ({ log, through, head: toB64(head), state })),
    credits: { ...FIRST_CREDITS },
    commandsThrough: issued,
    time: toIso(ctx.clock.now()),
  };
}

/** The rows of the logs in `hello`, in its order; new ones, and groups taken back, in one transaction. */
async function register(
  ctx: Context,
  agent: AgentRow,
  hello: Hello,
  known: readonly LogRow[],
  offer: readonly SignedGroup[],
): Promise<LogRow[] | Refused> {
  const births = hello.logs.map(({ birth }) => birth);
  const rows = new Map(known.map((row) => [row.log as string, row]));
  const fresh = births.filter(({ log }) => !rows.has(log));
  const adopted = ctx.groups.adoptable(offer);
  const ending = await predecessors(ctx.store.read, agent, births);
  if (fresh.length + adopted.length + ending.length === 0) return inOrder(births, rows);
  const refused = await ctx.store.write(async (tx) => {
    if ((await tx.countLogs(agent.agent)) + fresh.length > MAX_LOGS) return TOO_MANY;
    await putBirths(ctx, tx, agent, fresh);
    await tx.groups.put(adopted);
    await tx.putLogs((await predecessors(tx, agent, births)).map((row) => ({ ...row, state: 'closed' })));
    tx.afterCommit(() => ctx.groups.committed(adopted));
    return null;
  });
  if (refused !== null) return refused;
  const all = await ctx.store.read.logs(births.map(({ log }) => log as LogId));
  return inOrder(births, new Map(all.map((row) => [row.log as string, row])));
}

function inOrder(births: readonly Birth[], rows: ReadonlyMap<string, LogRow>): LogRow[] {
  return births.map(({ log }) => rows.get(log)).filter((row) => row !== undefined);
}

/** Each log once, and each the agent's own (W1). */
function areOwn({ logs }: Hello, agent: AgentRow, known: readonly LogRow[]): boolean {
  const rows = new Map(known.map((row) => [row.log as string, row]));
  const once = new Set(logs.map(({ birth }) => birth.log)).size === logs.length;
  return once && logs.every(({ birth }) => isOwn(birth, agent, rows.get(birth.log)));
}

/** W1: known by its hash, or born of this agent's key for its agreement. */
function isOwn(birth: Birth, agent: AgentRow, known: LogRow | undefined): boolean {
  if (known !== undefined) {
    return known.agent === agent.agent && birthHash(known.birth).equals(birthHash(birth));
  }
  const its = birth.agent === agent.agent && birth.key === agent.key;
  return its && birth.agreement === agent.agreement && birth.site === agent.site && verifyBirth(birth);
}

async function putBirths(ctx: Context, tx: Tx, agent: AgentRow, births: readonly Birth[]): Promise<void> {
  const createdAt = ctx.clock.now();
  const rows: LogRow[] = births.map((birth) => ({
    log: birth.log as LogId,
    agent: agent.agent,
    birth,
    through: 0,
    head: birthHash(birth),
    state: 'open',
    createdAt,
  }));
  await tx.putLogs(rows);
}

/** Logs of this agent that a successor has ended here, as far as they were to be drained (B1). */
async function predecessors(reader: Reader, agent: AgentRow, births: readonly Birth[]): Promise<LogRow[]> {
  const sizes = new Map<LogId, number>();
  for (const { predecessor } of births) {
    if (predecessor !== null) sizes.set(predecessor.log as LogId, predecessor.size);
  }
  if (sizes.size === 0) return [];
  const rows = await reader.logs([...sizes.keys()]);
  return rows.filter(
    ({ log, agent: owner, state, through }) =>
      owner === agent.agent && state === 'open' && through >= (sizes.get(log) ?? Number.POSITIVE_INFINITY),
  );
}
