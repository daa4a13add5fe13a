/**
 * A person asks for what is held of them to be erased: which sessions those are somebody looked up; here it is told
 * whether they may go, and what that would take.
 *
 * V58 Nothing goes on request that `decide` keeps: what is kept or restricted, what the policy wants kept for longer,
 *     what has no known end (Y17, D2). A policy that says nothing keeps nothing from it. It is asked again in the transaction that begins.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { Hold, Thing } from '../../protocol/hold.ts';
import type { CustomerId, SessionId } from '../../protocol/ids.ts';
import type { Policy } from '../../protocol/policy.ts';
import { decide, type KeepReason } from '../../protocol/retention.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { eraseAtOf } from '../erasing/end-rules.ts';
import { policyInForce } from '../policy.ts';
import type { Reader, SessionRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { endOf, familyOf } from './take-out.ts';
import { takesOf } from './takes.ts';

/** What says which sessions are kept. */
type Kept = Pick<Context, 'groups'>;

export interface Requested {
  /** With all that is one with what was named. */
  rows: SessionRow[];
  customers: CustomerId[];
  /** Sealed parts that live. */
  parts: number;
}

/**
 * What a request for these would take now.
 * @throws TilsynError `session.unknown`, `session.kept`, `session.erased`
 */
export async function requested(
  ctx: Kept,
  reader: Reader,
  sessions: readonly SessionId[],
  now: UtcMs,
): Promise<Requested> {
  const rows = await familyOf(reader, sessions);
  if (sessions.some((session) => !rows.some((row) => row.session === session))) throw unknown();
  const { policy } = await policyInForce(reader);
  for (const row of rows) await refuseKept(ctx, reader, row, policy, now);
  const parts = await livingParts(ctx, reader, rows);
  if (parts === 0) throw nothingLeft();
  return { rows, customers: [...new Set(rows.map(({ customer }) => customer))], parts };
}

async function livingParts(ctx: Kept, reader: Reader, rows: readonly SessionRow[]): Promise<number> {
  const parts = await reader.parts(rows.flatMap(({ partPos }) => partPos));
  return parts.filter(({ under }) => {
    const group = ctx.groups.byId(under);
    return group?.state === 'live' && group.kind !== 'oneoff';
  }).length;
}

async function refuseKept(
  ctx: Kept,
  reader: Reader,
  row: SessionRow,
  policy: Policy,
  now: UtcMs,
): Promise<void> {
  const decision = decide(await thingOf(reader, row, now), policy, keptAs(ctx, row), now);
  if (decision.verdict === 'keep') throw kept(row.session, decision.reason, decision.dueAt);
}

async function thingOf(reader: Reader, row: SessionRow, now: UtcMs): Promise<Thing> {
  const agreement = await reader.agreements.get(row.agreement);
  const { startedAt } = row;
  return {
    kind: 'session',
    class: 'session',
    // What a one-off session leaves under an agreement is as any other of it.
    mode: 'managed',
    bounds: { startEarliest: startedAt, startLatest: startedAt, endLatest: await endOf(reader, row) },
    agreementEndsAt: agreement === null ? null : eraseAtOf(agreement),
    restricted: false,
    requestedErasureAt: now,
    sessions: [row.session],
    hosts: [row.agent],
    sites: [row.site],
    customers: [row.customer],
  };
}

/** A session that is kept stands as under a hold that names it (V53). */
function keptAs({ groups }: Kept, { session }: SessionRow): Hold[] {
  const group = groups.takenOut(session);
  if (group === null || takesOf(group)?.why !== 'kept') return [];
  return [{ hold: group.group, scope: { from: null, to: null, sessions: [session] } }];
}

const WHY: Readonly<Partial<Record<KeepReason, string>>> = {
  hold: 'it is kept, as under a hold',
  restriction: 'its processing is restricted',
  'keep-at-least': 'the policy wants it kept for longer',
  unbounded: 'it has not ended, or nobody knows when it did',
  'agreement-open': 'the policy keeps it for a time after the agreement, which is open',
};

function kept(session: SessionId, reason: KeepReason, dueAt: UtcMs | null): TilsynError {
  const until = dueAt === null ? '' : ` (due ${toIso(dueAt)})`;
  return new TilsynError(
    'session.kept',
    `erasing sessions: ${session} has to stay: ${WHY[reason] ?? reason}${until}`,
    {
      hint: 'Nothing was erased. Leave it out, or ask again when that is over; `tilsyn retention rules` has the periods.',
      exit: 'conflict',
    },
  );
}

function nothingLeft(): TilsynError {
  return new TilsynError('session.erased', 'erasing sessions: nothing personal is left of them', {
    hint: '`tilsyn erasure list` shows what was erased, and when.',
    exit: 'conflict',
  });
}

function unknown(): TilsynError {
  return new TilsynError('session.unknown', 'erasing sessions: there is none with one of these ids', {
    hint: '`tilsyn session list` shows the ids.',
    exit: 'notFound',
  });
}
