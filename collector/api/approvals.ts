/** `GET /v1/approvals`; `POST /v1/approvals/:approval/approve`, `/refuse`. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { isId } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { APPROVAL_STATES, approvalState, type Decision, decide, runDue, secondsOf } from '../approvals.ts';
import { unknownApproval, withoutReason } from '../approvals-errors.ts';
import type { Auth, Caller } from '../auth.ts';
import { within } from '../people.ts';
import type { ApprovalRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer, rowsAfter } from './registry.ts';
import { field, type Room, route } from './room.ts';

const listQuery = z.strictObject({
  state: z.enum(APPROVAL_STATES).optional(),
  limit: field.limit,
  after: field.after,
});
const approval = z.strictObject({
  reason: field.reason,
  /** Without a second person, where there is none. */
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});
const refusal = z.strictObject({ reason: field.reason, dryRun: field.dryRun });

export function approvalRoutes(room: Room): void {
  const { ctx, auth } = room;
  route(room, {
    method: 'GET',
    path: '/v1/approvals',
    verb: 'approval.list',
    input: listQuery,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route<typeof approval, { approval: string }>(room, {
    method: 'POST',
    path: '/v1/approvals/:approval/approve',
    verb: 'approval.approve',
    input: approval,
    handle: async ({ caller, params, input }) => {
      if (input.alone && input.reason === null) throw withoutReason();
      const how = input.alone ? 'alone' : 'approve';
      return act(ctx, auth, caller, { ...input, approval: params.approval, how });
    },
  });
  route<typeof refusal, { approval: string }>(room, {
    method: 'POST',
    path: '/v1/approvals/:approval/refuse',
    verb: 'approval.refuse',
    input: refusal,
    handle: async ({ caller, params, input }) => {
      if (input.reason === null) throw withoutReason();
      return act(ctx, auth, caller, { ...input, approval: params.approval, how: 'refuse' });
    },
  });
}

async function list(ctx: Context, caller: Caller, input: z.infer<typeof listQuery>) {
  await runDue(ctx);
  const now = ctx.clock.now();
  const seen = (await ctx.store.read.approvals.list()).filter((row) => seesApproval(caller, row));
  // The cursor first: the one that a page ended with may be in another state by now.
  const rows = rowsAfter(seen, (row) => row.approval, input.after).filter(
    (row) => input.state === undefined || approvalState(row, now) === input.state,
  );
  return registryAnswer(
    ctx,
    rows,
    (row) => row.approval,
    { limit: input.limit },
    (page) => items(ctx, caller, 'approval.list', page),
  );
}

/** Q4: who does not see every customer that it touches sees nothing of it. */
function seesApproval(caller: Caller, row: ApprovalRow): boolean {
  return within(row.customers, caller.person.customers);
}

async function act(ctx: Context, auth: Auth, caller: Caller, input: Omit<Decision, 'person'>) {
  await runDue(ctx);
  const found = isId(input.approval) ? await ctx.store.read.approvals.get(input.approval) : null;
  if (found === null || !seesApproval(caller, found)) throw unknownApproval();
  const verb = input.how === 'refuse' ? 'approval.refuse' : 'approval.approve';
  try {
    const { reason, approval: id, how, dryRun } = input;
    const row = await decide(ctx, { approval: id, how, reason, dryRun, person: caller.person });
    const [item] = await items(ctx, caller, verb, [row]);
    return { ...item, dryRun };
  } catch (error) {
    if (error instanceof TilsynError && error.exit === 'forbidden') await auth.noteRefusal(caller, verb);
    throw error;
  }
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

async function items(ctx: Context, caller: Caller, verb: string, rows: readonly ApprovalRow[]) {
  const positions = rows.flatMap(({ askedPos }) => (askedPos === null ? [] : [askedPos]));
  await recordReading(ctx, caller, verb, positions.length);
  const opened = await ctx.opener.open(ctx.store.read, positions);
  const now = ctx.clock.now();
  const approvers = await secondsOf(ctx.store.read, rows, now);
  return rows.map((row) => {
    const reason = row.askedPos === null ? null : opened.get(row.askedPos)?.reason;
    return {
      id: row.approval,
      verb: row.verb,
      body: row.body,
      state: approvalState(row, now),
      askedBy: row.askedBy,
      askedAt: toIso(row.createdAt),
      reason: typeof reason === 'string' ? reason : null,
      expiresAt: toIso(row.expiresAt),
      /** Who could approve it now; nobody: `--alone`. */
      approvers: approvers.get(row.approval) ?? [],
      aloneAt: iso(row.aloneAt),
      decidedBy: row.decidedBy,
      decidedAt: iso(row.decidedAt),
    };
  });
}
