/** `GET /v1/retention/rules`, `/v1/retention/findings`, `/v1/retention/plan`; `POST /v1/retention/policy`. */
import { z } from 'zod';
import { spanUnitOf } from '../../protocol/due.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { type DataClass, hasSubject } from '../../protocol/group.ts';
import { PACKS, packOf } from '../../protocol/packs.ts';
import {
  type Policy,
  policySchema,
  RETENTION_CLASSES,
  type RetentionClass,
  type Rule,
} from '../../protocol/policy.ts';
import { shortened } from '../../protocol/policy-change.ts';
import { fromIso, toIso } from '../../protocol/time.ts';
import { listAgreements } from '../agreements.ts';
import { ask, waiting } from '../approvals.ts';
import { withoutReason } from '../approvals-errors.ts';
import type { Caller } from '../auth.ts';
import { customerNames } from '../customers.ts';
import { eraseAtOf } from '../erasing/end-rules.ts';
import { wakeEraser } from '../erasing/wake.ts';
import {
  findingsInForce,
  type PolicyRecord,
  policyInForce,
  refuseUnlike,
  setOwn,
  setPack,
} from '../policy.ts';
import { effectsOf } from '../policy-effect.ts';
import { type Planned, planOf } from '../retention-plan.ts';
import type { ApprovalRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';

const page = z.strictObject({ limit: field.limit, after: field.after });
const plan = z.strictObject({ ...page.shape, until: field.until });
const set = z.strictObject({
  pack: z.enum(Object.keys(PACKS)).optional(),
  /** One of the asker's own instead. */
  policy: policySchema.optional(),
  reason: field.reason,
  /** Without a second person, where there is none. */
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});

export function retentionRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/retention/rules',
    verb: 'retention.rules',
    input: page,
    handle: async ({ caller, input }) => {
      const record = await policyInForce(ctx.store.read);
      const rules = rulesOf(record);
      return registryAnswer(ctx, rules, keyOf, input, async (shown) => {
        await recordReading(ctx, caller, 'retention.rules', 0);
        return [...shown];
      });
    },
  });
  route(room, {
    method: 'GET',
    path: '/v1/retention/findings',
    verb: 'retention.lint',
    input: page,
    handle: async ({ caller, input }) => {
      const record = await policyInForce(ctx.store.read);
      const findings = findingsInForce(record).map((one, i) => ({ id: String(i + 1), ...one }));
      return registryAnswer(
        ctx,
        findings,
        ({ id }) => id,
        input,
        async (shown) => {
          await recordReading(ctx, caller, 'retention.lint', 0);
          return [...shown];
        },
      );
    },
  });
  route(room, {
    method: 'GET',
    path: '/v1/retention/plan',
    verb: 'retention.plan',
    input: plan,
    handle: ({ caller, input }) => planned(ctx, caller, input),
  });
  route(room, {
    method: 'POST',
    path: '/v1/retention/policy',
    verb: 'retention.set',
    input: set,
    handle: ({ caller, input }) => setPolicy(ctx, caller, input),
  });
}

type Line = ReturnType<typeof lineOf>;

/** Each class with its rules, in the order of the classes; one without any has a line that says so. */
function rulesOf(record: PolicyRecord): Line[] {
  return RETENTION_CLASSES.flatMap((cls) => {
    const mine = record.policy.rules.filter((rule) => rule.class === cls);
    return mine.length === 0 ? [lineOf(record, cls, null)] : mine.map((rule) => lineOf(record, cls, rule));
  });
}

function lineOf({ policy, pack, person, setAt }: PolicyRecord, cls: RetentionClass, rule: Rule | null) {
  return {
    class: cls,
    mode: rule?.mode ?? null,
    trigger: rule?.trigger ?? null,
    keepAtMost: rule?.keepAtMost ?? null,
    keepAtLeast: rule?.keepAtLeast ?? null,
    round: rule?.round ?? null,
    span: spanOfLine(policy, cls, rule),
    action: rule?.action ?? null,
    note: rule?.note ?? null,
    policy: policy.name,
    version: policy.version,
    zone: policy.zone,
    pack,
    setBy: person,
    setAt: setAt === null ? null : toIso(setAt),
  };
}

function keyOf({ class: cls, mode }: Line): string {
  return mode === null ? cls : `${cls}:${mode}`;
}

/** What goes together. */
function spanOfLine(policy: Policy, cls: RetentionClass, rule: Rule | null): string {
  if (cls === 'recording') return 'file';
  if (cls === 'host.name' || cls === 'device.telemetry') return 'agreement';
  if (hasSubject(cls)) return 'one';
  return rule?.mode === 'one-off' ? 'session' : spanUnitOf(policy, cls satisfies DataClass);
}

async function planned(ctx: Context, caller: Caller, input: z.infer<typeof plan>) {
  const { read } = ctx.store;
  const { policy } = await policyInForce(read);
  const { customers } = caller.person;
  const agreements = new Map((await listAgreements(ctx, customers)).map((row) => [row.agreement, row]));
  // What belongs to no agreement is the collector's own: only who sees all customers sees it.
  const rows = (await read.groups.list()).filter(({ agreement }) =>
    agreement === null ? customers === null : agreements.has(agreement),
  );
  const endOf = (agreement: NonNullable<(typeof rows)[number]['agreement']>) => {
    const row = agreements.get(agreement);
    return row === undefined ? null : eraseAtOf(row);
  };
  const until = input.until === undefined ? null : fromIso(input.until);
  const all = planOf(rows, policy, endOf, ctx.clock.now()).filter(
    ({ dueAt }) => until === null || (dueAt !== null && dueAt < until),
  );
  return registryAnswer(
    ctx,
    all,
    ({ row }) => row.group,
    input,
    async (shown) => {
      await recordReading(ctx, caller, 'retention.plan', shown.length, { until: input.until });
      const names = await customerNames(ctx);
      const counts = await read.countUnder(shown.map(({ row }) => row.group));
      return shown.map((one, i) => {
        const agreement = one.row.agreement === null ? undefined : agreements.get(one.row.agreement);
        const customer = agreement === undefined ? null : agreement.customer;
        const named = { customer: customer === null ? null : (names.get(customer) ?? null) };
        return { ...itemOf(one, policy), ...named, customerId: customer, ...counts[i] };
      });
    },
  );
}

function itemOf({ row, dueAt, reason, action, state }: Planned, { name, version }: Policy) {
  return {
    group: row.group,
    class: row.class,
    kind: row.kind,
    agreement: row.agreement,
    subject: row.subject,
    from: row.from === null ? null : toIso(row.from),
    to: row.to === null ? null : toIso(row.to),
    state,
    dueAt: dueAt === null ? null : toIso(dueAt),
    reason,
    action,
    policy: name,
    version,
  };
}

/** Done at once, or asked for: what could let something go earlier needs a second person (Y19). */
async function setPolicy(ctx: Context, caller: Caller, input: z.infer<typeof set>) {
  if (caller.person.customers !== null) throw notTheirs();
  const { policy } = wantedOf(input);
  const now = (await policyInForce(ctx.store.read)).policy;
  const shorter = shortened(now, policy);
  const { name, version } = policy;
  const done = { policy: name, version, shortened: shorter };
  if (input.dryRun) {
    if (input.policy !== undefined) await refuseUnlike(ctx.store.read, policy);
    const rows = await ctx.store.read.groups.list({ state: 'live' });
    const agreements = new Map((await ctx.store.read.agreements.list()).map((row) => [row.agreement, row]));
    const effects = effectsOf(rows, { now, next: policy }, agreements, ctx.clock.now());
    return { ...done, effects, needsApproval: shorter.length > 0, dryRun: true };
  }
  const asked = await ctx.store.write((tx) => setOrAsk(ctx, tx, caller, input));
  ctx.notify(await ctx.store.read.lastPos());
  if (asked !== null) throw await waiting(ctx, asked);
  return { ...done, needsApproval: false, dryRun: false };
}

/** What is in force is read again in the transaction: somebody else may have set another meanwhile. */
async function setOrAsk(
  ctx: Context,
  tx: Tx,
  caller: Caller,
  input: z.infer<typeof set>,
): Promise<ApprovalRow | null> {
  const { policy, pack } = wantedOf(input);
  const { reason, alone } = input;
  const { person } = caller.person;
  const now = (await policyInForce(tx)).policy;
  if (shortened(now, policy).length > 0) {
    if (alone && reason === null) throw withoutReason();
    const after = { policy: now.name, version: now.version };
    const body = pack === null ? { policy, after } : { pack, version: policy.version };
    return ask(ctx, tx, { verb: 'retention.set', body, person, reason, alone });
  }
  if (pack === null) await setOwn(ctx, tx, policy, { person, reason });
  else await setPack(ctx, tx, { pack, person, reason });
  tx.afterCommit(() => wakeEraser(ctx));
  return null;
}

function wantedOf({ pack, policy }: z.infer<typeof set>): { policy: Policy; pack: string | null } {
  if (pack !== undefined && policy === undefined) return { policy: packOf(pack).policy, pack };
  if (policy !== undefined && pack === undefined) return { policy, pack: null };
  throw new TilsynError('policy.unnamed', 'setting the policy: neither one pack nor one policy is named', {
    hint: 'Run `tilsyn retention set PACK`, or `tilsyn retention set ./FILE` with a policy of your own.',
    exit: 'usage',
  });
}

function notTheirs(): TilsynError {
  return new TilsynError('policy.bound', 'setting the policy: it is that of every customer', {
    hint: 'Ask an admin who is bound to no customer.',
    exit: 'forbidden',
  });
}
