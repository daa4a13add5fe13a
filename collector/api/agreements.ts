/** `GET /v1/agreements`, `POST /v1/agreements`. */
import { z } from 'zod';
import { MODES } from '../../protocol/event.ts';
import type { Personal } from '../../protocol/seal.ts';
import { fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import { createAgreement, listAgreements } from '../agreements.ts';
import type { Caller } from '../auth.ts';
import { customerNames, findOrCreateCustomer } from '../customers.ts';
import { eraseAtOf, type HostEnd, isKept, phaseOf } from '../erasing/end-rules.ts';
import { hostEnds } from '../erasing/ends.ts';
import { takesOf } from '../regroup/takes.ts';
import type { AgreementRow, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerOrNew } from './scope.ts';

const create = z.strictObject({
  customer: field.text,
  mode: z.enum(MODES).default('managed'),
  startsAt: field.iso.optional(),
  dryRun: field.dryRun,
});

export function agreementRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/agreements',
    verb: 'agreement.list',
    input: z.strictObject({ limit: field.limit, after: field.after }),
    handle: async ({ caller, input }) => {
      const rows = await listAgreements(ctx, caller.person.customers);
      return registryAnswer(
        ctx,
        rows,
        (row) => row.agreement,
        input,
        (page) => agreementItems(ctx, caller, 'agreement.list', page),
      );
    },
  });
  route(room, {
    method: 'POST',
    path: '/v1/agreements',
    verb: 'agreement.create',
    input: create,
    handle: ({ caller, input }) => make(ctx, caller, input),
  });
}

interface KeptItem {
  group: string;
  reason: 'kept';
  sessions: string[];
}

/** Rows as they are shown; of those that end, with every host and what it still owes (V41), and what is kept (V59); `alsoOpen`: of all. */
export async function agreementItems(
  ctx: Context,
  caller: Caller,
  verb: string,
  rows: readonly AgreementRow[],
  { alsoOpen = false } = {},
) {
  const ends = await endsOf(ctx, rows, alsoOpen);
  const kept = new Map<AgreementRow, KeptItem[]>();
  for (const row of rows) if (row.endsAt !== null) kept.set(row, await keptOf(ctx, row));
  const named = [...ends.values()].flat().flatMap(({ agent }) => agent.namePos ?? []);
  await recordReading(ctx, caller, verb, rows.length + named.length);
  const items = await itemsOf(ctx, rows);
  const opened = await ctx.opener.open(ctx.store.read, named);
  return items.map((item, i) => {
    const hosts = ends.get(rows[i] as AgreementRow) ?? [];
    return {
      ...item,
      hosts: hosts.map((host) => hostItem(host, opened, rows[i]?.endsAt === null)),
      kept: kept.get(rows[i] as AgreementRow) ?? [],
    };
  });
}

/** What stays past the end of its agreement, and why (V59). */
async function keptOf(ctx: Context, { agreement }: AgreementRow): Promise<KeptItem[]> {
  const live = await ctx.store.read.groups.list({ agreement, kind: 'single', state: 'live' });
  return live.filter(isKept).map((row) => {
    return { group: row.group, reason: 'kept', sessions: takesOf(row)?.sessions ?? [] };
  });
}

/** The same by ids alone: nothing is opened. */
export async function bareItems(ctx: Context, rows: readonly AgreementRow[]) {
  const ends = await endsOf(ctx, rows);
  return rows.map((row) => ({
    ...itemOf(row, null),
    hosts: (ends.get(row) ?? []).map((host) => hostItem(host, new Map())),
  }));
}

async function endsOf(
  ctx: Context,
  rows: readonly AgreementRow[],
  alsoOpen = false,
): Promise<Map<AgreementRow, HostEnd[]>> {
  const ends = new Map<AgreementRow, HostEnd[]>();
  for (const row of rows) {
    if (row.endsAt !== null || alsoOpen) ends.set(row, await hostEnds(ctx, ctx.store.read, row));
  }
  return ends;
}

function hostItem(
  { agent, state, takenAt, clearedAt, erasedAt }: HostEnd,
  opened: ReadonlyMap<Pos, Personal>,
  open = false,
) {
  const name = agent.namePos === null ? undefined : opened.get(agent.namePos)?.name;
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  return {
    host: typeof name === 'string' ? name : agent.agent,
    hostId: agent.agent,
    /** Of an agreement that is not to end there is nothing to wait for. */
    state: open && state === 'pending' ? ('collecting' as const) : state,
    lastSeenAt: iso(agent.lastSeenAt),
    takenAt: iso(takenAt),
    clearedAt: iso(clearedAt),
    /** What it measured is gone. */
    erasedAt: iso(erasedAt),
  };
}

async function itemsOf(ctx: Context, rows: readonly AgreementRow[]) {
  const names = await customerNames(ctx);
  return rows.map((row) => itemOf(row, names.get(row.customer) ?? null));
}

function itemOf(row: AgreementRow, customer: string | null) {
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  return {
    id: row.agreement,
    customer,
    customerId: row.customer,
    mode: row.mode,
    state: phaseOf(row),
    isDefault: row.isDefault,
    startsAt: toIso(row.startsAt),
    endsAt: iso(row.endsAt),
    /** Until then its end can be cancelled. */
    coolingOffUntil: iso(row.coolingUntil),
    /** From then on its data is erased. */
    eraseAt: iso(eraseAtOf(row)),
    /** Every host and the collector are done. */
    endedAt: iso(row.endedAt),
    createdAt: toIso(row.createdAt),
  };
}

async function make(ctx: Context, caller: Caller, input: z.infer<typeof create>) {
  const known = await customerOrNew(ctx, caller, input.customer);
  const startsAt = input.startsAt === undefined ? null : fromIso(input.startsAt);
  if (input.dryRun) {
    const shown = startsAt ?? ctx.clock.now();
    return {
      id: null,
      customerId: known?.customer ?? null,
      mode: input.mode,
      state: 'open',
      startsAt: toIso(shown),
      dryRun: true,
    };
  }
  const { customer } = known ?? (await findOrCreateCustomer(ctx, input.customer));
  await recordReading(ctx, caller, 'agreement.create', 1, { customer });
  const row = await createAgreement(ctx, {
    customer,
    mode: input.mode,
    person: caller.person.person,
    ...(startsAt === null ? {} : { startsAt }),
  });
  const [item] = await itemsOf(ctx, [row]);
  return { ...item, dryRun: false };
}
