/** `GET`, `POST /v1/people/:person/ids`; `POST /v1/people/:person/ids/:identity/remove`. */
import { z } from 'zod';
import { IDENTITY_KINDS } from '../../protocol/event.ts';
import { fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import { addIdentity, identityOf, removeIdentity } from '../identities.ts';
import type { IdentityRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { personSeen } from './people.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';

const listing = z.strictObject({ limit: field.limit, after: field.after });
const adding = z.strictObject({
  kind: z.enum(IDENTITY_KINDS),
  value: field.text,
  from: field.iso.optional(),
  to: field.iso.optional(),
  dryRun: field.dryRun,
});
const removing = z.strictObject({ dryRun: field.dryRun });

export function identityRoutes(room: Room): void {
  const { ctx } = room;
  route<typeof listing, { person: string }>(room, {
    method: 'GET',
    path: '/v1/people/:person/ids',
    verb: 'person.id.list',
    input: listing,
    handle: async ({ caller, params, input }) => {
      const { person } = await personSeen(ctx, caller, params.person);
      const rows = await ctx.store.read.identities.list({ person });
      return registryAnswer(
        ctx,
        rows,
        (row) => row.identity,
        input,
        async (page) => {
          await recordReading(ctx, caller, 'person.id.list', page.length, { person });
          return items(ctx, page);
        },
      );
    },
  });
  route<typeof adding, { person: string }>(room, {
    method: 'POST',
    path: '/v1/people/:person/ids',
    verb: 'person.id.add',
    input: adding,
    handle: async ({ caller, params, input }) => {
      const { person } = await personSeen(ctx, caller, params.person);
      const { kind, value, dryRun } = input;
      const at = (text: string | undefined): UtcMs | null => (text === undefined ? null : fromIso(text));
      const wanted = {
        person,
        kind,
        value,
        from: at(input.from),
        to: at(input.to),
        by: caller.person.person,
      };
      const row = await addIdentity(ctx, wanted, dryRun);
      return { ...item(row), ...(dryRun ? { id: null } : {}), dryRun };
    },
  });
  route<typeof removing, { person: string; identity: string }>(room, {
    method: 'POST',
    path: '/v1/people/:person/ids/:identity/remove',
    verb: 'person.id.remove',
    input: removing,
    handle: async ({ caller, params, input }) => {
      const { person } = await personSeen(ctx, caller, params.person);
      const row = await identityOf(ctx.store.read, person, params.identity);
      if (input.dryRun) return { ...item({ ...row, state: 'removed' }), dryRun: true };
      const removed = await removeIdentity(ctx, person, row.identity, caller.person.person);
      return { ...item(removed), dryRun: false };
    },
  });
}

function item({ identity, person, kind, from, to, state, createdBy, createdAt }: IdentityRow) {
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  return {
    ...{ id: identity, person, kind, from: iso(from), to: iso(to), state, createdBy },
    createdAt: toIso(createdAt),
  };
}

/** With the values; only after the reading was committed (Q1). */
async function items(ctx: Context, rows: readonly IdentityRow[]) {
  const opened = await ctx.opener.open(
    ctx.store.read,
    rows.map(({ valuePos }) => valuePos),
  );
  return rows.map((row) => {
    const value = opened.get(row.valuePos)?.value;
    return { ...item(row), value: typeof value === 'string' ? value : null };
  });
}
