/** What people do with a hold that stands: record a notice, what was done by hand, ask for its release. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import type { PersonId } from '../../protocol/ids.ts';
import { fromIso, toIso } from '../../protocol/time.ts';
import { ask, waiting } from '../approvals.ts';
import { withoutReason } from '../approvals-errors.ts';
import type { Caller } from '../auth.ts';
import { releasable, unknownHold } from '../holds/release.ts';
import { refuseFaults } from '../holds/scope.ts';
import type { HoldRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { itemOf } from './hold-items.ts';
import { field } from './room.ts';
import { hostNamed } from './scope.ts';

export const notifyBody = z.strictObject({
  who: z.string().trim().min(1).max(256).optional(),
  how: z.string().trim().min(1).max(256).optional(),
  at: field.iso.optional(),
  notPossible: z.boolean().default(false),
  note: z.string().trim().min(1).max(1024).optional(),
  copyAsked: z.boolean().default(false),
  copyGiven: z.boolean().default(false),
  dryRun: field.dryRun,
});
export const releaseBody = z.strictObject({
  reason: field.reason,
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});
export const confirmBody = z.strictObject({
  host: field.text,
  note: z.string().trim().min(1).max(1024),
  dryRun: field.dryRun,
});
export async function notify(ctx: Context, caller: Caller, row: HoldRow, input: z.infer<typeof notifyBody>) {
  const { who, how, note, at, notPossible, copyAsked, copyGiven, dryRun } = input;
  const missing = notPossible
    ? note === undefined
      ? ['why it is not possible (--note)']
      : []
    : [...(who === undefined ? ['who was told (--who)'] : []), ...(how === undefined ? ['how (--how)'] : [])];
  refuseFaults(missing, 'recording a notice');
  if (row.kind !== 'dispute') throw withoutDuty();
  if (dryRun) return { ...(await itemOf(ctx, caller, row, 'hold.notify')), dryRun };
  const now = ctx.clock.now();
  const told = at === undefined ? now : (fromIso(at) ?? now);
  const person: PersonId = caller.person.person;
  await ctx.store.write(async (tx) => {
    const outcome = notPossible ? ('not-possible' as const) : ('told' as const);
    const data = { hold: row.hold, person, outcome, at: toIso(told), copyAsked, copyGiven };
    const personal = {
      ...(who === undefined ? {} : { who }),
      ...(how === undefined ? {} : { how }),
      ...(note === undefined ? {} : { note }),
    };
    const [notifiedPos = null] = await ctx.own.append(tx, [{ type: 'hold.notified', data, personal }]);
    const found = await tx.holds.get(row.hold);
    if (found !== null) await tx.holds.put([{ ...found, notifiedAt: told, notifiedPos }]);
  });
  ctx.notify(await ctx.store.read.lastPos());
  return { ...(await itemOf(ctx, caller, await again(ctx, row), 'hold.notify')), dryRun };
}

function withoutDuty(): TilsynError {
  return new TilsynError('hold.no-notice', 'recording a notice: this hold has no notice duty', {
    hint: 'Only a hold of the kind dispute has one; of a crime nobody is told by it.',
    exit: 'conflict',
  });
}

async function again(ctx: Context, row: HoldRow): Promise<HoldRow> {
  return (await ctx.store.read.holds.get(row.hold)) ?? row;
}

/** What a person did by hand where a recorder cannot be held from outside (H2). */
export async function confirm(
  ctx: Context,
  caller: Caller,
  row: HoldRow,
  input: z.infer<typeof confirmBody>,
) {
  const { agent } = await hostNamed(ctx, caller, input.host);
  const hosts = await ctx.store.read.holdHosts.list({ hold: row.hold, agent });
  if (hosts.length === 0) throw unknownHold();
  if (!input.dryRun) {
    const { person } = caller.person;
    await ctx.store.write(async (tx) => {
      const data = { hold: row.hold, agent, person };
      const personal = { note: input.note };
      const [pos = null] = await ctx.own.append(tx, [{ type: 'hold.confirmed', data, personal }]);
      for (const one of await tx.holdHosts.list({ hold: row.hold, agent }))
        await tx.holdHosts.put([{ ...one, confirmedPos: pos }]);
    });
    ctx.notify(await ctx.store.read.lastPos());
  }
  return { ...(await itemOf(ctx, caller, await again(ctx, row), 'hold.confirm')), dryRun: input.dryRun };
}

/** H3: asked for, never done by one; it leaves with the id of the approval (exit 5). */
export async function release(
  ctx: Context,
  caller: Caller,
  row: HoldRow,
  input: z.infer<typeof releaseBody>,
) {
  const { reason, alone, dryRun } = input;
  if (reason === null && !dryRun) throw withoutReason();
  await releasable(ctx.store.read, row.hold);
  if (dryRun) return { ...(await itemOf(ctx, caller, row, 'hold.release')), needsApproval: true, dryRun };
  const { person } = caller.person;
  const wanted = { verb: 'hold.release', body: { hold: row.hold }, person, reason, alone } as const;
  const approval = await ctx.store.write((tx) => ask(ctx, tx, wanted));
  ctx.notify(await ctx.store.read.lastPos());
  throw await waiting(ctx, approval);
}
