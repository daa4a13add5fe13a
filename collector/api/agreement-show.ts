/**
 * `GET /v1/agreements/:agreement`: one agreement, with each of its hosts, who is waited for, and the certificates of what
 * was erased of it.
 */
import { z } from 'zod';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { certificateOf } from '../erasing/certificate.ts';
import type { AgreementRow, GroupRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { agreementSeen } from './agreement-ends.ts';
import { agreementItems, bareItems } from './agreements.ts';
import { field, type Room, route } from './room.ts';

/** Certificates in one answer, newest first; the others are in `erasure list --agreement`. */
const MAX_ERASURES = 1_000;

const query = z.strictObject({
  /** True: by ids only. Nothing is opened, and no reading is recorded: for who looks again and again. */
  bare: field.flag,
});

export function agreementShowRoutes(room: Room): void {
  const { ctx } = room;
  route<typeof query, { agreement: string }>(room, {
    method: 'GET',
    path: '/v1/agreements/:agreement',
    verb: 'agreement.show',
    input: query,
    handle: async ({ caller, params, input }) => {
      const row = await agreementSeen(ctx, caller, params.agreement);
      const [item] = input.bare
        ? await bareItems(ctx, [row])
        : await agreementItems(ctx, caller, 'agreement.show', [row], { alsoOpen: true });
      return { ...item, ...(await erasedOf(ctx, row)) };
    },
  });
}

async function erasedOf(ctx: Context, { agreement }: AgreementRow) {
  const rows = await ctx.store.read.groups.list({ agreement });
  const count = (state: GroupRow['state']) => rows.filter((row) => row.state === state).length;
  const gone = rows.filter(({ state }) => state !== 'live');
  const newest = gone.toSorted((a, b) => orderOf(b) - orderOf(a)).slice(0, MAX_ERASURES);
  const erasures: object[] = [];
  for (const row of newest) erasures.push(await erasureOf(ctx, row));
  return {
    groups: { live: count('live'), erasing: count('erasing'), erased: count('erased') },
    erasures,
    moreErasures: gone.length - newest.length,
  };
}

/** Those that are under way come first. */
function orderOf({ erasedAt }: GroupRow): number {
  return erasedAt ?? Number.MAX_SAFE_INTEGER;
}

/** What `erasure show` is asked with, and enough to choose by. */
async function erasureOf(ctx: Context, row: GroupRow) {
  const { state, by, dueAt, doneAt, parts } = certificateOf(
    row,
    await ctx.store.read.erasures.get(row.group),
  );
  const { group: id, class: cls, kind, from, to } = row;
  const times = { from: iso(from), to: iso(to), dueAt: iso(dueAt), doneAt: iso(doneAt) };
  return { id, class: cls, kind, state, by, parts, ...times };
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
