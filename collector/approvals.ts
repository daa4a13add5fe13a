/**
 * Acts that need a second person. An ask is a row and an event; who may decide it says `approvals-rules.ts`, what can
 * be asked for `approvals-acts.ts`.
 *
 * R7  An act runs exactly once, in the transaction of its `approval.given`: where it fails, nothing was given.
 * R8  What runs is what was asked for: its body is compared with the one that the event `approval.asked` names.
 * R9  Who asks for what is asked for already gets that approval, and no second one.
 * R10 What was asked for before this state was set back does not run: that it was refused may be what was lost.
 */
import { canonical, sha256 } from '../protocol/canonical.ts';
import { codeOf, TilsynError } from '../protocol/errors.ts';
import { type Id, newId, type PersonId, toB64 } from '../protocol/ids.ts';
import { type UtcMs, utcMs } from '../protocol/time.ts';
import { type Act, type ActVerb, actOf, approverRoles, type Body } from './approvals-acts.ts';
import { beforeRestore, refusalOf, unknownApproval, unlikeAsked, withoutSecond } from './approvals-errors.ts';
import {
  ALONE_MS,
  type Asked,
  type Circle,
  judge,
  type Member,
  OPEN_MS,
  seconds,
} from './approvals-rules.ts';
import { META_LOG } from './journal.ts';
import { typed } from './permissions.ts';
import type { ApprovalRow, PersonRow, Reader, Tx } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

export type ApprovalId = Id<'approval'>;

export interface Ask {
  verb: ActVerb;
  body: Body;
  person: PersonId;
  reason: string | null;
  /** Without a second person, where there is none (R4). */
  alone: boolean;
}

/**
 * Asks inside the caller's transaction.
 * @throws TilsynError what the act itself would refuse; `approval.*` where `alone` may not be
 */
export async function ask(ctx: Context, tx: Tx, wanted: Ask): Promise<ApprovalRow> {
  const now = ctx.clock.now();
  const { verb, person, reason, alone } = wanted;
  const act = actOf(verb) as Act;
  const body = act.body.parse(wanted.body);
  const touched = await act.touches(tx, body, now, ctx);
  const row =
    (await asked(tx, verb, body, now)) ?? (await put(ctx, tx, { ...touched, verb, body, person, reason }));
  // Nobody would ever give it, and alone it cannot be done (R4): the transaction leaves nothing of it.
  if (body.now === true && seconds(askedOf(row), await circleOf(tx, now), now).length === 0)
    throw withoutSecond();
  return alone ? goAlone(ctx, tx, row, person, reason) : row;
}

/** R9. */
async function asked(tx: Tx, verb: string, body: Body, now: UtcMs): Promise<ApprovalRow | undefined> {
  const same = (await tx.approvals.list({ verb, state: 'open' })).filter(
    (row) => row.expiresAt > now && digest(row.body) === digest(body),
  );
  // What runs no more (R6, R10) stands in nobody's way.
  for (const row of same) {
    const asker = await tx.people.get(row.askedBy);
    if (asker?.state === 'active' && (await isOfThisState(tx, row))) return row;
  }
  return undefined;
}

type New = Pick<ApprovalRow, 'verb' | 'body' | 'about' | 'customers'> & Pick<Ask, 'person' | 'reason'>;

async function put(ctx: Context, tx: Tx, { person, reason, ...wanted }: New): Promise<ApprovalRow> {
  const now = ctx.clock.now();
  const row: ApprovalRow = {
    ...wanted,
    approval: newId<'approval'>(ctx.random),
    state: 'open',
    askedBy: person,
    createdAt: now,
    expiresAt: utcMs(now + OPEN_MS),
    askedPos: null,
    aloneAt: null,
    decidedBy: null,
    decidedAt: null,
  };
  const [askedPos = null] = await ctx.own.append(tx, [draft('approval.asked', row, person, reason)]);
  const stored = { ...row, askedPos };
  await tx.approvals.put([stored]);
  return stored;
}

type Told = 'approval.asked' | 'approval.alone' | 'approval.given' | 'approval.refused';

function draft(type: Told, row: ApprovalRow, person: PersonId | null, reason: string | null): OwnDraft {
  const data = { approval: row.approval, verb: row.verb, person, body: digest(row.body) };
  return { type, data, personal: reason === null ? null : { reason } };
}

function digest(body: Body): string {
  return toB64(sha256(canonical(body)));
}

async function goAlone(ctx: Context, tx: Tx, row: ApprovalRow, person: PersonId, reason: string | null) {
  const now = ctx.clock.now();
  refuseUnlike(row, 'alone', person, await circleOf(tx, now), now);
  if (row.aloneAt !== null) return row;
  const waiting = alone(row, now);
  await ctx.own.append(tx, [draft('approval.alone', row, person, reason)]);
  await tx.approvals.put([waiting]);
  return waiting;
}

function alone(row: ApprovalRow, now: UtcMs): ApprovalRow {
  const aloneAt = row.aloneAt ?? utcMs(now + ALONE_MS);
  return { ...row, aloneAt, expiresAt: utcMs(aloneAt + OPEN_MS) };
}

export interface Decision {
  approval: string;
  how: 'approve' | 'refuse' | 'alone';
  person: PersonRow;
  reason: string | null;
  /** True: says what it would come to, and changes nothing. */
  dryRun: boolean;
}

/** @throws TilsynError `approval.*`, and what the act throws */
export async function decide(ctx: Context, decision: Decision): Promise<ApprovalRow> {
  const { how, person, reason, dryRun } = decision;
  const row = await ctx.store.write(async (tx) => {
    const now = ctx.clock.now();
    const found = await tx.approvals.get(decision.approval);
    if (found === null) throw unknownApproval();
    refuseUnlike(found, how, person.person, await circleOf(tx, now), now);
    const done = { ...found, decidedBy: person.person, decidedAt: now };
    if (dryRun) return how === 'alone' ? alone(found, now) : { ...done, state: stateAfter(how) };
    if (how === 'alone') return goAlone(ctx, tx, found, person.person, reason);
    if (how === 'refuse') return refuse(ctx, tx, { ...done, state: 'refused' }, reason);
    return give(ctx, tx, { ...done, state: 'given' }, reason);
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

function stateAfter(how: 'approve' | 'refuse'): ApprovalRow['state'] {
  return how === 'approve' ? 'given' : 'refused';
}

async function refuse(ctx: Context, tx: Tx, row: ApprovalRow, reason: string | null): Promise<ApprovalRow> {
  await ctx.own.append(tx, [draft('approval.refused', row, row.decidedBy, reason)]);
  await tx.approvals.put([row]);
  return row;
}

/** The commit of this transaction is the commit point of the act: before it nothing was given, after it all (R7). */
async function give(ctx: Context, tx: Tx, row: ApprovalRow, reason: string | null): Promise<ApprovalRow> {
  const act = actOf(row.verb);
  if (act === null || !(await isAsAsked(tx, row))) throw unlikeAsked(row.approval);
  if (!(await isOfThisState(tx, row))) throw beforeRestore(row.approval);
  await tx.approvals.put([row]);
  await ctx.own.append(tx, [draft('approval.given', row, row.decidedBy, reason)]);
  await act.run(ctx, tx, act.body.parse(row.body), { asker: row.askedBy, approval: row.approval });
  return row;
}

/** R10: a state that was set back goes on with another log of its own. */
async function isOfThisState(tx: Tx, row: ApprovalRow): Promise<boolean> {
  const [leaf] = row.askedPos === null ? [] : await tx.leavesAt([row.askedPos]);
  return leaf !== undefined && leaf.log === (await tx.meta(META_LOG));
}

/** R8. */
async function isAsAsked(tx: Tx, row: ApprovalRow): Promise<boolean> {
  const [leaf] = row.askedPos === null ? [] : await tx.leavesAt([row.askedPos]);
  if (leaf?.type !== 'approval.asked') return false;
  const { data } = JSON.parse(leaf.bytes) as { data: Record<string, unknown> };
  return data.approval === row.approval && data.verb === row.verb && data.body === digest(row.body);
}

/** Runs what was asked for alone and has waited long enough; returns how many. One that fails is tried again. */
export async function runDue(ctx: Context): Promise<number> {
  let ran = 0;
  for (const { approval } of await ctx.store.read.approvals.list({ state: 'open' })) {
    try {
      if (await ctx.store.write((tx) => runOne(ctx, tx, approval))) ran += 1;
    } catch (error) {
      ctx.log.error({ code: codeOf(error), approval }, 'an approval whose time was over could not be run');
    }
  }
  if (ran > 0) ctx.notify(await ctx.store.read.lastPos());
  return ran;
}

async function runOne(ctx: Context, tx: Tx, approval: ApprovalId): Promise<boolean> {
  const now = ctx.clock.now();
  const row = await tx.approvals.get(approval);
  if (row?.aloneAt == null || now < row.aloneAt || !(await isOfThisState(tx, row))) return false;
  if (judge(askedOf(row), 'due', row.askedBy, await circleOf(tx, now), now) !== null) return false;
  await give(ctx, tx, { ...row, state: 'given', decidedAt: now }, null);
  return true;
}

/** @throws TilsynError where the rules say no */
function refuseUnlike(
  row: ApprovalRow,
  how: Decision['how'],
  who: PersonId,
  circle: Circle,
  now: UtcMs,
): void {
  const why = judge(askedOf(row), how, who, circle, now);
  if (why !== null) throw refusalOf(why, row);
}

function askedOf(row: ApprovalRow): Asked {
  return { ...row, roles: approverRoles(row.verb), now: row.body.now === true };
}

async function circleOf(reader: Reader, now: UtcMs): Promise<Circle> {
  const signins = await reader.signins.list({ state: 'active' });
  const signedIn = new Set(signins.filter((one) => one.expiresAt > now).map(({ person }) => person));
  const members = (await reader.people.list()).map((row): [PersonId, Member] => {
    const active = row.state === 'active';
    return [row.person, { ...row, active, live: active && signedIn.has(row.person) }];
  });
  return new Map(members);
}

/** Who could approve each of these now. */
export async function secondsOf(
  reader: Reader,
  rows: readonly ApprovalRow[],
  now: UtcMs,
): Promise<Map<ApprovalId, PersonId[]>> {
  const circle = await circleOf(reader, now);
  const open = rows.filter((row) => approvalState(row, now) === 'open');
  return new Map(open.map((row) => [row.approval, seconds(askedOf(row), circle, now)]));
}

export const APPROVAL_STATES = ['open', 'given', 'refused', 'expired'] as const;

export function approvalState(row: ApprovalRow, now: UtcMs): (typeof APPROVAL_STATES)[number] {
  return row.state === 'open' && row.expiresAt <= now ? 'expired' : row.state;
}

/** What leaves for an act that was asked for and not done (exit 5), with the id of the approval. */
export async function waiting({ store, clock }: Context, row: ApprovalRow): Promise<TilsynError> {
  const others = (await secondsOf(store.read, [row], clock.now())).get(row.approval) ?? [];
  return new TilsynError(
    'approval.needed',
    `${typed(row.verb)}: this needs a second person; it was asked for as approval ${row.approval}`,
    { hint: hintFor(row, others.length), exit: 'forbidden', approval: row.approval },
  );
}

function hintFor({ approval, aloneAt }: ApprovalRow, others: number): string {
  if (aloneAt !== null)
    return 'It runs by itself 72 hours after that, unless it is refused; see `tilsyn approval list`.';
  if (others > 0) return `Another person runs: tilsyn approval approve ${approval}`;
  return `Nobody else can approve it. Run: tilsyn approval approve ${approval} --alone --reason TEXT (it waits 72 hours)`;
}
