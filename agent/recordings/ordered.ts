/**
 * Orders that a person gives at the machine itself, through the control socket: nobody is signed in there, so that the record
 * is that it was ordered here, and why.
 *
 * C79 An order that was given here with a reason stands in the log, its reason sealed, before it is carried out; where that
 *     cannot be stored it is not carried out.
 */
import { hasCode } from '../../protocol/errors.ts';
import { LOCAL_ORDERS } from '../../protocol/event-recordings.ts';
import { isId } from '../../protocol/ids.ts';
import type { AgentJournal } from '../journal.ts';
import type { Draft } from '../types.ts';

const MOST_REASON = 512;

type Body = Record<string, unknown>;

/** @param source id of the source that an order names; null: none */
export function noteOrder(
  journal: Pick<AgentJournal, 'append'>,
  verb: string,
  { reason, plan, act }: Body,
  source: string | null,
): void {
  if (typeof reason !== 'string' || reason === '') return;
  const named = LOCAL_ORDERS.find((one) => one === (verb === 'source.set' ? act : verb)) ?? 'other';
  const data = { verb: named, source, plan: typeof plan === 'string' && isId(plan) ? plan : null };
  const draft: Draft<'recordings.ordered'> = {
    type: 'recordings.ordered',
    data,
    personal: { reason: reason.slice(0, MOST_REASON) },
  };
  try {
    journal.append([draft]);
  } catch (error) {
    // An agent that was given no key group yet has never been let in: that it was ordered is told all the same.
    if (!hasCode(error, 'seal.no-group')) throw error;
    journal.append([{ ...draft, personal: null }]);
  }
}
