/** `GET /v1/people`; `POST /v1/people`, `/v1/people/:person/change`, `/revoke`; `GET /v1/whoami`. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { ROLES } from '../../protocol/event.ts';
import { type CustomerId, isId, type PersonId } from '../../protocol/ids.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { ask, waiting } from '../approvals.ts';
import { couldApprove } from '../approvals-acts.ts';
import { withoutReason } from '../approvals-errors.ts';
import type { Caller } from '../auth.ts';
import {
  accountPositions,
  addPerson,
  changePerson,
  type ListedPerson,
  listPeople,
  refuseLastAdmin,
  revokeIn,
  SIGNIN_TTL_MS,
  unknownPerson,
  within,
} from '../people.ts';
import type { ApprovalRow, PersonRow, Pos, SigninRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerNamed } from './scope.ts';

const add = z.strictObject({
  role: z.enum(ROLES),
  /** Names or ids; absent: all customers that the caller sees. */
  customers: z.array(field.text).min(1).max(1000).optional(),
  name: z.string().min(1).max(256).optional(),
  nda: z.iso.date().optional(),
  reading: z.boolean().optional(),
  ttlMs: z.int().min(1000).optional(),
  dryRun: field.dryRun,
});

const change = z.strictObject({
  nda: z.iso.date().optional(),
  reading: z.boolean().optional(),
  dryRun: field.dryRun,
});

const revocation = z.strictObject({
  reason: field.reason,
  /** Without a second person, where there is none. */
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});

export function peopleRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/whoami',
    verb: 'whoami',
    input: z.strictObject({}),
    handle: async ({ caller }) => whoami(ctx, caller),
  });
  route(room, {
    method: 'GET',
    path: '/v1/people',
    verb: 'person.list',
    input: z.strictObject({ limit: field.limit, after: field.after }),
    handle: async ({ caller, input }) => {
      const people = await listPeople(ctx.store.read, caller.person.customers);
      return registryAnswer(
        ctx,
        people,
        (row) => row.person.person,
        input,
        (page) => items(ctx, caller, 'person.list', page),
      );
    },
  });
  route(room, {
    method: 'POST',
    path: '/v1/people',
    verb: 'person.add',
    input: add,
    handle: ({ caller, input }) => make(ctx, caller, input),
  });
  route<typeof change, { person: string }>(room, {
    method: 'POST',
    path: '/v1/people/:person/change',
    verb: 'person.change',
    input: change,
    handle: ({ caller, params, input }) => changed(ctx, caller, params.person, input),
  });
  route<typeof revocation, { person: string }>(room, {
    method: 'POST',
    path: '/v1/people/:person/revoke',
    verb: 'person.revoke',
    input: revocation,
    handle: ({ caller, params, input }) => revoke(ctx, caller, params.person, input),
  });
}

/** Ids only: nothing personal is opened to say who one is. */
function whoami(ctx: Context, { person, signin }: Caller) {
  return {
    id: person.person,
    role: person.role,
    customers: person.customers,
    reading: person.reading,
    collector: ctx.name,
    signin: signin.signin,
    expiresAt: toIso(signin.expiresAt),
  };
}

async function items(ctx: Context, caller: Caller, verb: string, people: readonly ListedPerson[]) {
  const positions = accountPositions(people);
  await recordReading(ctx, caller, verb, positions.length);
  const opened = await ctx.opener.open(ctx.store.read, positions);
  const at = (pos: Pos | null, field: 'name' | 'nda') => {
    const value = pos === null ? undefined : opened.get(pos)?.[field];
    return typeof value === 'string' ? value : null;
  };
  return people.map(({ person, signins }) => {
    return {
      id: person.person,
      role: person.role,
      customers: person.customers,
      name: at(person.namePos, 'name'),
      nda: at(person.ndaPos, 'nda'),
      reading: person.reading,
      state: person.state,
      createdBy: person.createdBy,
      createdAt: toIso(person.createdAt),
      signins: signins.map((signin) => signinItem(ctx, signin)),
    };
  });
}

function signinItem(ctx: Context, row: SigninRow) {
  const expired = row.expiresAt <= ctx.clock.now();
  return {
    id: row.signin,
    state: row.state === 'active' && expired ? 'expired' : row.state,
    createdAt: toIso(row.createdAt),
    expiresAt: toIso(row.expiresAt),
    lastUsedAt: row.lastUsedAt === null ? null : toIso(row.lastUsedAt),
  };
}

async function make(ctx: Context, caller: Caller, input: z.infer<typeof add>) {
  const named = input.customers ?? null;
  const customers: CustomerId[] | null =
    named === null
      ? caller.person.customers
      : (await Promise.all(named.map((text) => customerNamed(ctx, caller, text)))).map((row) => row.customer);
  const { role, name, nda, reading, ttlMs } = input;
  if (input.dryRun) {
    const expiresAt = toIso(utcMs(ctx.clock.now() + (ttlMs ?? SIGNIN_TTL_MS)));
    return { id: null, role, customers, token: null, expiresAt, dryRun: true };
  }
  const { person, token, expiresAt } = await addPerson(ctx, {
    role,
    customers,
    createdBy: caller.person.person,
    ...(name === undefined ? {} : { name }),
    ...(nda === undefined ? {} : { nda }),
    ...(reading === undefined ? {} : { reading }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  });
  return { id: person.person, role, customers, token, expiresAt: toIso(expiresAt), dryRun: false };
}

/** @throws TilsynError `person.unknown`, also for one whose customers the caller does not all see (Q4) */
export async function personSeen(ctx: Context, caller: Caller, id: string): Promise<PersonRow> {
  const row = isId(id) ? await ctx.store.read.people.get(id) : null;
  if (row !== null && within(row.customers, caller.person.customers)) return row;
  throw unknownPerson();
}

async function changed(ctx: Context, caller: Caller, id: string, input: z.infer<typeof change>) {
  const row = await personSeen(ctx, caller, id);
  const { nda, reading, dryRun } = input;
  const wanted = { ...(nda === undefined ? {} : { nda }), ...(reading === undefined ? {} : { reading }) };
  if (Object.keys(wanted).length === 0) throw nothingToChange();
  if (!dryRun) await changePerson(ctx, { person: row.person, by: caller.person.person, ...wanted });
  const { person, role, customers, state } = row;
  return { id: person, role, customers, state, reading: reading ?? row.reading, nda: nda ?? null, dryRun };
}

function nothingToChange(): TilsynError {
  return new TilsynError('person.unchanged', 'changing a person: nothing was named to change', {
    hint: 'Give --nda DATE, --reading or --no-reading.',
    exit: 'usage',
  });
}

/** Done at once, or asked for: who could be a second person is not revoked by one alone. */
async function revoke(ctx: Context, caller: Caller, id: string, input: z.infer<typeof revocation>) {
  const row = await personSeen(ctx, caller, id);
  const signins = await ctx.store.read.signins.list({ person: row.person, state: 'active' });
  const done = { id: row.person, role: row.role, state: 'revoked', signins: signins.length };
  if (input.dryRun) {
    await refuseLastAdmin(ctx.store.read, row, ctx.clock.now());
    const needsApproval = await couldApprove(ctx.store.read, row, ctx.clock.now());
    return { ...done, needsApproval, dryRun: true };
  }
  const asked = await ctx.store.write((tx) => revokeOrAsk(ctx, tx, caller, row.person, input));
  ctx.notify(await ctx.store.read.lastPos());
  if (asked !== null) throw await waiting(ctx, asked);
  return { ...done, needsApproval: false, dryRun: false };
}

async function revokeOrAsk(
  ctx: Context,
  tx: Tx,
  caller: Caller,
  person: PersonId,
  { reason, alone }: z.infer<typeof revocation>,
): Promise<ApprovalRow | null> {
  const row = await tx.people.get(person);
  const by = caller.person.person;
  if (row !== null && (await couldApprove(tx, row, ctx.clock.now()))) {
    if (alone && reason === null) throw withoutReason();
    return ask(ctx, tx, { verb: 'person.revoke', body: { person }, person: by, reason, alone });
  }
  await revokeIn(ctx, tx, { person, by, reason });
  return null;
}
