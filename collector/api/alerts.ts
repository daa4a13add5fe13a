/** `GET /v1/alerts`; `POST /v1/alerts/:alert/ack`. */
import { z } from 'zod';
import { ALERT_CHECKS, ALERT_LEVELS } from '../../protocol/alert.ts';
import { isId } from '../../protocol/ids.ts';
import { fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import { ackAlert, unknownAlert } from '../alerts.ts';
import { type Caller, sees } from '../auth.ts';
import type { AlertId, AlertRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { customersOf, scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView, type View } from './view.ts';

const query = z.strictObject({
  since: field.since,
  until: field.until,
  open: field.flag,
  check: z.enum(ALERT_CHECKS).optional(),
  level: z.enum(ALERT_LEVELS).optional(),
  host: field.text.optional(),
  customer: field.text.optional(),
  site: field.text.optional(),
  limit: field.limit,
  after: z.coerce.number().int().min(0).optional(),
});
type Query = z.infer<typeof query>;
const ack = z.strictObject({ reason: field.reason, dryRun: field.dryRun });

export function alertRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/alerts',
    verb: 'alert.list',
    input: query,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route<typeof ack, { alert: string }>(room, {
    method: 'POST',
    path: '/v1/alerts/:alert/ack',
    verb: 'alert.ack',
    input: ack,
    handle: async ({ caller, params, input }) => {
      const row = await alertNamed(ctx, caller, params.alert);
      const { person } = caller.person;
      if (!input.dryRun) {
        // The reading comes first: it says who asked, and why.
        return shown(ctx, caller, 'alert.ack', row, input.reason, () => ackAlert(ctx, row.alert, person));
      }
      const acked = row.ackedAt === null ? { ackedAt: ctx.clock.now(), ackedBy: person } : {};
      return { ...(await shown(ctx, caller, 'alert.list', { ...row, ...acked }, null)), dryRun: true };
    },
  });
}

/** @throws TilsynError `alert.unknown`, also for one of a customer that this person may not see (Q4) */
async function alertNamed(ctx: Context, caller: Caller, text: string): Promise<AlertRow> {
  const [row] = isId(text) ? await ctx.store.read.alertsById([text as AlertId]) : [];
  if (row !== undefined && sees(caller, row.customer)) return row;
  throw unknownAlert();
}

async function list(ctx: Context, caller: Caller, input: Query) {
  const [since, until] = [instant(input.since), instant(input.until)];
  const { agents, narrowed } = await scopeOf(ctx, caller, input);
  const rows = await ctx.store.read.alerts({
    customers: customersOf(caller),
    ...(narrowed ? { agents: agents.map(({ agent }) => agent) } : {}),
    ...(input.open === true ? { state: 'open' as const } : {}),
    ...(input.check === undefined ? {} : { check: input.check }),
    ...(input.level === undefined ? {} : { level: input.level }),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
    ...(input.after === undefined ? {} : { after: input.after }),
    limit: input.limit + 1,
  });
  const page = rows.slice(0, input.limit);
  const plan = await planView(ctx, agents, askedOf(ctx, since, until));
  await recordReading(ctx, caller, 'alert.list', plan.count, { ...input, limit: undefined });
  const view = await plan.open();
  const next = rows.length > page.length ? String(page.at(-1)?.raisedPos) : null;
  return listAnswer(
    page.map((row) => alertItem(row, view)),
    view.coverage,
    next,
  );
}

async function shown(
  ctx: Context,
  caller: Caller,
  verb: string,
  row: AlertRow,
  reason: string | null,
  act: () => Promise<AlertRow> = async () => row,
) {
  const agent = await ctx.store.read.agents.get(row.agent);
  const plan = await planView(ctx, agent === null ? [] : [agent], askedOf(ctx, null, null));
  await recordReading(ctx, caller, verb, plan.count, { alert: row.alert, reason });
  return alertItem(await act(), await plan.open());
}

function instant(text: string | undefined): UtcMs | null {
  return text === undefined ? null : fromIso(text);
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

/** An alert as the API shows it. `value` and `threshold` are in the unit of the check. */
function alertItem(row: AlertRow, view: View) {
  return {
    id: row.alert,
    host: view.host(row.agent) ?? row.agent,
    hostId: row.agent,
    customer: view.customer(row.customer),
    site: view.site(row.site),
    agreement: row.agreement,
    check: row.check,
    index: row.index,
    level: row.level,
    state: row.state,
    raisedAt: toIso(row.raisedAt),
    changedAt: toIso(row.changedAt),
    clearedAt: iso(row.clearedAt),
    value: row.value,
    threshold: row.threshold,
    forSeconds: row.forSeconds,
    notify: row.notify,
    ackedAt: iso(row.ackedAt),
    ackedBy: row.ackedBy,
  };
}
