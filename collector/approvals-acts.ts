/**
 * What can be asked for: a closed list. Each act has the schema of its body (ids, numbers and words; it is stored in
 * clear) and a function that does it inside the transaction that gives the approval.
 */
import { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import { id } from '../protocol/group.ts';
import type { AgreementId, CustomerId, Id, PersonId, SessionId } from '../protocol/ids.ts';
import { PACKS, packOf } from '../protocol/packs.ts';
import { type Policy, policySchema, policyShape } from '../protocol/policy.ts';
import type { UtcMs } from '../protocol/time.ts';
import { type Order, orderEnd, ordered } from './erasing/ends.ts';
import { wakeEraser } from './erasing/wake.ts';
import { releasable, releaseHold } from './holds/release.ts';
import { refuseLastAdmin, revokeIn, unknownPerson } from './people.ts';
import { PERMISSIONS, type Role, ruleOf, type Verb } from './permissions.ts';
import { policyInForce, refuseUnlike, setOwn, setPack } from './policy.ts';
import { requested } from './regroup/request.ts';
import { MOST_SESSIONS, takeOut } from './regroup/take-out.ts';
import type { PersonRow, Reader, Tx } from './store/types.ts';
import type { Context } from './types.ts';

export type Body = Record<string, unknown>;

interface Touched {
  /** The person that it is about, who has no say. */
  about: PersonId | null;
  /** Null: all. */
  customers: CustomerId[] | null;
}
export interface Act {
  body: z.ZodType<Body>;
  /** Whom it touches. @throws TilsynError where it could not be done anyway */
  touches(reader: Reader, body: Body, now: UtcMs, ctx: Context): Promise<Touched>;
  run(ctx: Context, tx: Tx, body: Body, by: { asker: PersonId; approval: Id<'approval'> }): Promise<void>;
}

const revocation: Act = {
  body: z.strictObject({ person: id }),
  async touches(reader, body, now) {
    const row = await reader.people.get(String(body.person));
    if (row === null) throw unknownPerson();
    await refuseLastAdmin(reader, row, now);
    return { about: row.person, customers: row.customers };
  },
  async run(ctx, tx, body, { asker, approval }) {
    const person = String(body.person) as PersonId;
    await revokeIn(ctx, tx, { person, by: asker, reason: null, approval });
  },
};

/** The end of an agreement without a cooling-off. */
const endNow: Act = {
  // `now`: what is to happen at once is not done alone (R4).
  body: z.strictObject({ agreement: id, effectiveAt: z.int().nullable(), now: z.literal(true) }),
  async touches(reader, body, now) {
    const row = await reader.agreements.get(String(body.agreement));
    const { customer } = ordered(row, { ...orderOf(body), person: NOBODY, now: { approval: NOBODY } }, now);
    return { about: null, customers: [customer] };
  },
  async run(ctx, tx, body, { asker, approval }) {
    await orderEnd(ctx, tx, { ...orderOf(body), person: asker, now: { approval } });
  },
};
const NOBODY = '0'.repeat(32) as PersonId & Id<'approval'>;

function orderOf(body: Body): Pick<Order, 'agreement' | 'effectiveAt' | 'reason'> {
  const { agreement, effectiveAt } = body as { agreement: AgreementId; effectiveAt: UtcMs | null };
  // Why it is to end stands, sealed, in `approval.asked`.
  return { agreement, effectiveAt, reason: null };
}

const policy: Act = {
  // The version too: what was asked for is what that version says.
  body: z.union([
    z.strictObject({ pack: z.enum(Object.keys(PACKS)), version: z.int() }),
    // One's own, whole, and what it is to follow: shorter than that is what was asked for.
    z.strictObject({
      policy: policySchema,
      after: z.strictObject({ policy: policyShape.name, version: policyShape.version }),
    }),
  ]),
  async touches(reader, body) {
    await refuseChanged(reader, body);
    return { about: null, customers: null };
  },
  async run(ctx, tx, body, { asker, approval }) {
    await refuseChanged(tx, body);
    const by = { person: asker, approval };
    if (isOwn(body)) await setOwn(ctx, tx, body.policy, by);
    else await setPack(ctx, tx, { pack: String(body.pack), ...by });
    tx.afterCommit(() => wakeEraser(ctx));
  },
};

interface Own {
  policy: Policy;
  after: { policy: string; version: number };
}

function isOwn(body: object): body is Own {
  return Object.hasOwn(body, 'after');
}

async function refuseChanged(reader: Reader, body: Body): Promise<void> {
  if (!isOwn(body)) {
    refuseOther(body);
    return;
  }
  await refuseUnlike(reader, body.policy);
  const { policy } = await policyInForce(reader);
  if (policy.name === body.after.policy && policy.version === body.after.version) return;
  throw new TilsynError(
    'policy.changed',
    'setting a policy of your own: another was put in force since this was asked for',
    {
      hint: 'Refuse it and run `tilsyn retention set` again: what it makes shorter may be more now.',
      exit: 'conflict',
    },
  );
}

function refuseOther({ pack, version }: Body): void {
  if (packOf(String(pack)).policy.version === version) return;
  throw new TilsynError(
    'policy.other-version',
    'setting a policy pack: this program has another version of it',
    {
      hint: 'Ask for it anew: `tilsyn retention set` takes the version that this program has.',
      exit: 'conflict',
    },
  );
}

/** A person asked for what is held of them to be erased. */
const erasure: Act = {
  body: z.strictObject({ sessions: z.array(id).min(1).max(MOST_SESSIONS) }),
  async touches(reader, body, now, ctx) {
    const { customers } = await requested(ctx, reader, sessionsOf(body), now);
    return { about: null, customers };
  },
  async run(ctx, tx, body, { approval }) {
    const sessions = sessionsOf(body);
    // Kept, or wanted for longer, since it was asked for (V58).
    await requested(ctx, tx, sessions, ctx.clock.now());
    await takeOut(ctx, tx, { sessions, why: 'request', approval });
    tx.afterCommit(() => wakeEraser(ctx));
  },
};

function sessionsOf(body: Body): SessionId[] {
  return (body as { sessions: SessionId[] }).sessions;
}

/** A hold is released: what only it kept goes on its day, which may be over. */
const holdRelease: Act = {
  body: z.strictObject({ hold: id }),
  async touches(reader, body) {
    const { customer } = await releasable(reader, String(body.hold));
    return { about: null, customers: [customer] };
  },
  async run(ctx, tx, body, { asker, approval }) {
    await releaseHold(ctx, tx, String(body.hold), { person: asker, approval });
  },
};

const ACTS = {
  'person.revoke': revocation,
  'agreement.end-now': endNow,
  'retention.set': policy,
  'session.erase': erasure,
  'hold.release': holdRelease,
} as const satisfies Partial<Record<Verb, Act>>;
export type ActVerb = keyof typeof ACTS;

/** Null for a verb that this version does not know: it stays as it is and does not run. */
export function actOf(verb: string): Act | null {
  return Object.hasOwn(ACTS, verb) ? ACTS[verb as ActVerb] : null;
}

/** Roles that can be the second person for a verb; none for one that is not known. */
export function approverRoles(verb: string): readonly Role[] {
  return Object.hasOwn(ACTS, verb) ? (ruleOf(verb as ActVerb).approve ?? []) : [];
}

const APPROVERS: ReadonlySet<Role> = new Set(
  (Object.keys(PERMISSIONS) as Verb[]).flatMap((verb) => ruleOf(verb).approve ?? []),
);

/** True for somebody who could be a second person: revoking them is itself an approval. */
export async function couldApprove(reader: Reader, row: PersonRow, now: UtcMs): Promise<boolean> {
  if (row.state !== 'active' || !APPROVERS.has(row.role)) return false;
  const signins = await reader.signins.list({ person: row.person, state: 'active' });
  return signins.some((signin) => signin.expiresAt > now);
}
