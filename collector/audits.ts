/** What people do with self-audits: read them, and say so. */
import { TilsynError } from '../protocol/errors.ts';
import type { PersonId } from '../protocol/ids.ts';
import { signatureOf } from './projections-audits.ts';
import type { AuditRow, AuditSignatureRow } from './store/types.ts';
import type { Context } from './types.ts';

/** Says that a person has read a run (V81): once, by an event in the transaction of the act. */
export async function signAudit(
  ctx: Context,
  { run, agent }: Pick<AuditRow, 'run' | 'agent'>,
  person: PersonId,
  note: string | null,
): Promise<AuditSignatureRow | null> {
  const signature = signatureOf({ run, person });
  const row = await ctx.store.write(async (tx) => {
    const found = await tx.auditSignatures.get(signature);
    if (found !== null) return found;
    const data = { run, agent, person };
    const personal = note === null ? null : { note };
    // The projection takes it into the row, here as in a rebuild.
    await ctx.own.append(tx, [{ type: 'audit.signed', data, personal }]);
    return await tx.auditSignatures.get(signature);
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

export function unknownAudit(): TilsynError {
  return new TilsynError('audit.unknown', 'looking up a self-audit: there is none with this id', {
    hint: 'List them with `tilsyn audit list`.',
    exit: 'notFound',
  });
}
