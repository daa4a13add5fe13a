/**
 * Why somebody was there: a ticket and a purpose, said of one session.
 *
 * W11 What is said of a session lies under the key group that the session's own data lies under, and dies with it.
 *     Where that group is dead, or the data was never kept, nothing is added.
 * W12 Explaining again replaces: the newest counts. What was said before stays an event.
 */

import { TilsynError } from '../protocol/errors.ts';
import type { EventData } from '../protocol/event.ts';
import type { PersonId } from '../protocol/ids.ts';
import { scrub } from '../protocol/scrub.ts';
import type { GroupRow, Reader, SessionRow, Tx } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

export interface Explanation {
  session: SessionRow;
  person: PersonId;
  ticket: string;
  purpose: string | null;
  reason: EventData<'session.explained'>['reason'];
}

/**
 * Explains a session inside the caller's transaction, which is the commit point: a crash before it leaves nothing.
 * @throws TilsynError `session.erased`
 */
export async function explainIn(ctx: Context, tx: Tx, wanted: Explanation): Promise<void> {
  const { session, person, ticket, purpose, reason } = wanted;
  const under = await explainableUnder(ctx, tx, session);
  if (under === null) throw erased();
  const draft: OwnDraft<'session.explained'> = {
    type: 'session.explained',
    data: { session: session.session, person, reason },
    // What is typed may quote a password: it is dropped before it is stored (K4).
    personal: {
      ticket: scrub(ticket).text,
      ...(purpose === null ? {} : { purpose: scrub(purpose).text }),
    },
    under: under.group,
  };
  await ctx.own.append(tx, [draft]);
}

/** The group that an explanation of this session would lie under; null: none that lives (W11). */
export async function explainableUnder(
  ctx: Context,
  reader: Reader,
  session: SessionRow,
): Promise<GroupRow | null> {
  const single = ctx.groups.takenOut(session.session);
  if (single !== null) {
    const row = await reader.groups.get(single.group);
    return row !== null && canSeal(ctx, row) ? row : null;
  }
  const parts = await reader.parts(session.partPos);
  for (const group of new Set(parts.map(({ under }) => under))) {
    const row = await reader.groups.get(group);
    if (row !== null && canSeal(ctx, row)) return row;
  }
  if (parts.length > 0 || session.mode === 'one-off') return null;
  const { agreement, startedAt } = session;
  const span = ctx.groups.find(agreement, 'session', 'span', startedAt);
  const row = span === null ? null : await reader.groups.get(span.group);
  return row !== null && canSeal(ctx, row) ? row : null;
}

/** One-off keys are in memory only, and what lives as long as its session needs no explanation after it. */
function canSeal(ctx: Context, { state, kind, group }: GroupRow): boolean {
  // A key that was lost seals nothing that could ever be opened again.
  return state === 'live' && kind !== 'oneoff' && ctx.opener.originKey(group) !== null;
}

export function erased(): TilsynError {
  return new TilsynError(
    'session.erased',
    'explaining a session: its personal data is erased, so nothing personal can be added',
    {
      hint: 'What can be said is in the events: `tilsyn session show ID` shows when it was erased.',
      exit: 'conflict',
    },
  );
}
