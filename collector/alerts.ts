/**
 * What people do with alerts.
 *
 * A7  An alert is acked once, by an event in the transaction of the act; whoever comes later is told who was first.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { PersonId } from '../protocol/ids.ts';
import type { AlertId, AlertRow } from './store/types.ts';
import type { Context } from './types.ts';

/** Says that a person has seen it. @throws TilsynError `alert.unknown` */
export async function ackAlert(ctx: Context, alert: AlertId, person: PersonId): Promise<AlertRow> {
  const row = await ctx.store.write(async (tx) => {
    const [found] = await tx.alertsById([alert]);
    if (found === undefined) throw unknownAlert();
    if (found.ackedAt !== null) return found;
    // The projection takes it into the row, here as in a rebuild.
    await ctx.own.append(tx, [{ type: 'alert.acked', data: { alert, person } }]);
    const [acked] = await tx.alertsById([alert]);
    return acked ?? found;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

export function unknownAlert(): TilsynError {
  return new TilsynError('alert.unknown', 'looking up an alert: there is none with this id', {
    hint: 'List them with `tilsyn alert list`.',
    exit: 'notFound',
  });
}
