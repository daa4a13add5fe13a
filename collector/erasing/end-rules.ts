/**
 * Where the end of an agreement stands, and what each of its hosts still owes. Pure.
 *
 * V39 Nothing is erased for the end of an agreement before both its effective date and its cooling-off have passed;
 *     until then it can be cancelled, and not after.
 * V41 An end is complete when nothing of the agreement lives at the collector and every host that is not revoked has
 *     taken the order, has reached its effective date, and holds nothing of it: neither under its groups nor of what it
 *     measured; who has not is named.
 * V60 What a host could not do, or did not know yet, is ordered anew a day later: it may have been mended since.
 * V59 What is kept, as under a hold, does not keep the rest waiting: it is named, with why, and goes when it is let go.
 *     The hosts have told that they hold nothing by then, and are not asked again for it.
 */

import { DAY_MS, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { takesOf } from '../regroup/takes.ts';
import type { AgentRow, AgreementRow, CommandRow, ConfirmationRow, GroupRow, Pos } from '../store/types.ts';

/** From the order to the first erasure, whatever the effective date. */
export const COOLING_MS = 72 * HOUR_MS;

export type EndPhase = 'open' | 'ending' | 'erasing' | 'ended';

type Ordered = Pick<AgreementRow, 'state' | 'endsAt' | 'coolingUntil' | 'endedAt'>;

/** When its groups fall due by its end; null: it is not to end. */
export function eraseAtOf({ endsAt, coolingUntil }: Pick<Ordered, 'endsAt' | 'coolingUntil'>): UtcMs | null {
  return endsAt === null ? null : utcMs(Math.max(endsAt, coolingUntil ?? endsAt));
}

export function phaseOf(row: Ordered): EndPhase {
  if (row.state === 'ended') return row.endedAt === null ? 'erasing' : 'ended';
  return row.endsAt === null ? 'open' : 'ending';
}

/** True where nothing new is enrolled under it any more. */
export function isOver(row: Ordered, now: UtcMs): boolean {
  return row.state === 'ended' || (row.endsAt !== null && row.endsAt <= now);
}

/** True where its erasing is to begin (V39). */
export function mustBegin(row: Ordered, now: UtcMs): boolean {
  const at = eraseAtOf(row);
  return row.state === 'open' && at !== null && at <= now;
}

/** The body of the command to its hosts; `effectiveAt` null: what was ordered before does not hold. */
export function orderFor(row: Pick<AgreementRow, 'agreement' | 'endsAt'>): {
  agreement: string;
  effectiveAt: UtcMs | null;
} {
  return { agreement: row.agreement, effectiveAt: row.endsAt };
}

export type EndVerb = 'agreement.end' | 'agreement.erase';

/** The last command of this verb among a host's commands of one generation. */
export function lastOrder(
  commands: readonly CommandRow[],
  asked: EndVerb = 'agreement.end',
): CommandRow | null {
  return commands
    .filter(({ verb }) => verb === asked)
    .reduce<CommandRow | null>((last, one) => (last === null || one.n > last.n ? one : last), null);
}

/** V60. */
function mayTryAgain(order: CommandRow | null, now: UtcMs): boolean {
  return order?.ok === false && order.resultAt !== null && order.resultAt + DAY_MS <= now;
}

/** True where a host has to be told (again): what it was told last in this generation is not what holds. */
export function mustTell(row: AgreementRow, commands: readonly CommandRow[], now: UtcMs): boolean {
  if (row.endedAt !== null) return false;
  const order = lastOrder(commands);
  return (order?.body.effectiveAt ?? null) !== row.endsAt || mayTryAgain(order, now);
}

/** True where a host has to be told that erasing has begun: nothing of what it measured may stay with it. */
export function mustTellErasing(row: AgreementRow, commands: readonly CommandRow[], now: UtcMs): boolean {
  if (row.state !== 'ended' || row.endedAt !== null) return false;
  const order = lastOrder(commands, 'agreement.erase');
  return order === null || mayTryAgain(order, now);
}

export interface HostFacts {
  agent: AgentRow;
  commands: readonly CommandRow[];
  confirmation: ConfirmationRow | null;
}

export interface HostEnd {
  agent: AgentRow;
  /** `failed`: it could not, or knows no such order; `revoked`: it is not waited for. */
  state: 'pending' | 'done' | 'failed' | 'revoked';
  /** It has taken the order. */
  takenAt: UtcMs | null;
  /** It holds nothing of what was erased. */
  clearedAt: UtcMs | null;
  /** It holds nothing of what it measured. */
  erasedAt: UtcMs | null;
}

/** @param erasedThrough the last leaf `erasure.done` of the agreement; null: nothing of it was erased yet */
export function hostEnd(
  row: AgreementRow,
  { agent, commands, confirmation }: HostFacts,
  erasedThrough: Pos | null,
  now: UtcMs,
): HostEnd {
  const order = lastOrder(commands);
  const present = order !== null && order.body.effectiveAt === row.endsAt ? order : null;
  const takenAt = present?.ok === true ? present.resultAt : null;
  const clear = confirmation !== null && confirmation.pos >= (erasedThrough ?? 0);
  const clearedAt = row.state === 'ended' && clear ? confirmation.at : null;
  const erase = row.state === 'ended' ? lastOrder(commands, 'agreement.erase') : null;
  const erasedAt = erase?.ok === true ? erase.resultAt : null;
  const reached = row.endsAt !== null && row.endsAt <= now;
  const state =
    agent.state === 'revoked'
      ? 'revoked'
      : present?.ok === false || erase?.ok === false
        ? 'failed'
        : takenAt !== null && clearedAt !== null && erasedAt !== null && reached
          ? 'done'
          : 'pending';
  return { agent, state, takenAt, clearedAt, erasedAt };
}

/** What the end of its agreement does not take (V59). */
export function isKept(group: Pick<GroupRow, 'kind' | 'record' | 'state'>): boolean {
  return group.state === 'live' && takesOf(group)?.why === 'kept';
}

/** V41. */
export function isComplete(
  row: AgreementRow,
  groups: readonly Pick<GroupRow, 'kind' | 'record' | 'state'>[],
  hosts: readonly Pick<HostEnd, 'state'>[],
): boolean {
  return (
    row.state === 'ended' &&
    groups.every((group) => group.state === 'erased' || isKept(group)) &&
    hosts.every(({ state }) => state === 'done' || state === 'revoked')
  );
}
