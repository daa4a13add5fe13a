/**
 * `GET /v1/audits`, `GET /v1/audits/:run`, `POST /v1/audits/:run/sign`: that hosts audited themselves, what they found, and
 * who read of it.
 *
 * V85 Of a run its findings are shown as the host told them, next to how many it said there are. What is missing is said.
 */
import { z } from 'zod';
import { type EventData, isRecognised } from '../../protocol/event.ts';
import { isId } from '../../protocol/ids.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import { signAudit, unknownAudit } from '../audits.ts';
import { type Caller, sees } from '../auth.ts';
import { withLateAudits } from '../coverage-audits.ts';
import { may } from '../permissions.ts';
import type { AuditRow, AuditSignatureRow, LeafRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView, type View } from './view.ts';

const query = z.strictObject({
  since: field.since,
  until: field.until,
  host: field.text.optional(),
  customer: field.text.optional(),
  site: field.text.optional(),
  findings: field.flag,
  unsigned: field.flag,
  limit: field.limit,
  after: z.coerce.number().int().min(0).optional(),
});
type Query = z.infer<typeof query>;
const sign = z.strictObject({
  note: z.string().min(1).max(512).nullable().default(null),
  dryRun: field.dryRun,
});

export function auditRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/audits',
    verb: 'audit.list',
    input: query,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route<z.ZodObject, { run: string }>(room, {
    method: 'GET',
    path: '/v1/audits/:run',
    verb: 'audit.show',
    input: z.strictObject({}),
    handle: async ({ caller, params }) =>
      show(ctx, caller, 'audit.show', await named(ctx, caller, params.run)),
  });
  route<typeof sign, { run: string }>(room, {
    method: 'POST',
    path: '/v1/audits/:run/sign',
    verb: 'audit.sign',
    input: sign,
    handle: async ({ caller, params, input }) => {
      const row = await named(ctx, caller, params.run);
      const { person } = caller.person;
      if (input.dryRun) return { ...(await show(ctx, caller, 'audit.show', row)), dryRun: true };
      // The reading comes first: nobody signs what they were not shown.
      return await show(ctx, caller, 'audit.sign', row, () => signAudit(ctx, row, person, input.note));
    },
  });
}

/** @throws TilsynError `audit.unknown`, also for one of a customer that this person may not see (Q4) */
async function named(ctx: Context, caller: Caller, run: string): Promise<AuditRow> {
  const row = isId(run) ? await ctx.store.read.auditRuns.get(run) : null;
  if (row !== null && sees(caller, row.customer)) return row;
  throw unknownAudit();
}

async function list(ctx: Context, caller: Caller, input: Query) {
  const [since, until] = [instant(input.since), instant(input.until)];
  const { agents } = await scopeOf(ctx, caller, input);
  const rows = await ctx.store.read.audits({
    agents: agents.map(({ agent }) => agent),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
    ...(input.findings === undefined ? {} : { findings: input.findings }),
    ...(input.unsigned === undefined ? {} : { unsigned: input.unsigned }),
    ...(input.after === undefined ? {} : { after: input.after }),
    limit: input.limit + 1,
  });
  const page = rows.slice(0, input.limit);
  const signed = await signaturesOf(ctx, page);
  const plan = await planView(ctx, agents, askedOf(ctx, since, until));
  await recordReading(ctx, caller, 'audit.list', plan.count, { ...input, limit: undefined });
  const view = await plan.open();
  const next = rows.length > page.length ? String(page.at(-1)?.pos) : null;
  const items = page.map((row) => ({
    ...runItem(row, view),
    signed: (signed.get(row.run) ?? []).map(signedItem),
  }));
  return listAnswer(items, await withLateAudits(ctx, agents, view.coverage), next);
}

async function signaturesOf(ctx: Context, rows: readonly AuditRow[]) {
  const found = await ctx.store.read.auditSignaturesOf(rows.map(({ run }) => run));
  return Map.groupBy(found, ({ run }) => run);
}

async function show(
  ctx: Context,
  caller: Caller,
  verb: string,
  row: AuditRow,
  act: () => Promise<unknown> = async () => null,
) {
  const { read } = ctx.store;
  const agent = await read.agents.get(row.agent);
  const plan = await planView(ctx, agent === null ? [] : [agent], askedOf(ctx, null, null));
  const before = await read.auditSignaturesOf([row.run]);
  // A note is a person's own word: for those who oversee.
  const notes = may(caller.person, 'audit.sign');
  await recordReading(ctx, caller, verb, plan.count + (notes ? before.length : 0), { audit: row.run });
  await act();
  const signed = await read.auditSignaturesOf([row.run]);
  const opened = notes
    ? await ctx.opener.open(
        read,
        signed.map(({ pos }) => pos),
      )
    : null;
  const view = await plan.open();
  return {
    ...runItem(row, view),
    ...(await told(ctx, row)),
    signed: signed.map((one) => ({ ...signedItem(one), note: textOf(opened?.get(one.pos)?.note) })),
  };
}

/** What was looked at, and V85. */
async function told(ctx: Context, row: AuditRow) {
  const { read } = ctx.store;
  const [own] = await read.leavesAt([row.pos]);
  const data = own === undefined ? null : dataOf(own, 'audit.run');
  const leaves =
    own === undefined || row.findings === 0
      ? []
      : await read.leavesOf(own.log, Math.max(1, own.seq - row.findings), own.seq - 1);
  const found = leaves.flatMap((leaf) => {
    const one = dataOf(leaf, 'audit.finding');
    if (one === null || one.run !== row.run) return [];
    const { check: code, of: check = null, count, source, tool, unseen = [] } = one;
    return [{ check, code, count, source, tool, unseen }];
  });
  return { checks: data?.checks ?? [], found, findingsMissing: row.findings - found.length };
}

/** Null: a leaf of another type, or of a later version. */
function dataOf<T extends 'audit.run' | 'audit.finding'>(leaf: LeafRow, type: T): EventData<T> | null {
  if (leaf.type !== type) return null;
  const { data } = JSON.parse(leaf.bytes) as Leaf;
  return isRecognised(type, data) ? (data as EventData<T>) : null;
}

function instant(text: string | undefined): UtcMs | null {
  return text === undefined ? null : fromIso(text);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A run as the API shows it. Its times are by the host's clock. */
function runItem(row: AuditRow, view: View) {
  return {
    id: row.run,
    host: view.host(row.agent) ?? row.agent,
    hostId: row.agent,
    customer: view.customer(row.customer),
    site: view.site(row.site),
    agreement: row.agreement,
    trigger: row.trigger,
    startedAt: toIso(row.startedAt),
    endedAt: toIso(row.endedAt),
    everySeconds: row.everySeconds,
    findings: row.findings,
  };
}

function signedItem({ person, at }: AuditSignatureRow) {
  return { person, at: toIso(at) };
}
