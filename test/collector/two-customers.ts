/** Two customers with one of everything each, so that a person who is bound to one can ask for the other's. */
import { addPerson } from '../../collector/people.ts';
import type { PersonRow } from '../../collector/store/types.ts';
import { ROLES } from '../../protocol/event.ts';
import type { AgreementId, CustomerId, GroupId } from '../../protocol/ids.ts';
import { alertId, told } from './alert-events.ts';
import { ApiWorld, type TestHost } from './api-world.ts';
import { ran, runId } from './audit-events.ts';
import { found, newCamera, newSource } from './recording-events.ts';

/** What can be named of a customer. */
export interface Side {
  customer: string;
  customerName: string;
  site: string;
  siteName: string;
  host: string;
  hostName: string;
  session: string;
  token: string;
  agreement: string;
  /** An agreement whose end is ordered. */
  ending: string;
  /** A key group that was erased. */
  erasure: string;
  person: string;
  /** To revoke somebody of this customer who could approve. */
  approval: string;
  alert: string;
  webhook: string;
  /** A self-audit of the host. */
  audit: string;
  /** Of the roster, of `person`. */
  identity: string;
  hold: string;
  camera: string;
}
export const ABSENT: Side = {
  customer: '0'.repeat(32),
  customerName: 'Nobody',
  site: '1'.repeat(32),
  siteName: 'Nowhere',
  host: '2'.repeat(32),
  hostName: 'no-host',
  session: '3'.repeat(32),
  token: '4'.repeat(32),
  agreement: '5'.repeat(32),
  ending: '9'.repeat(32),
  erasure: 'a'.repeat(32),
  person: '6'.repeat(32),
  approval: '8'.repeat(32),
  alert: '7'.repeat(32),
  webhook: '8'.repeat(32),
  audit: 'b'.repeat(32),
  identity: '9'.repeat(32),
  hold: 'b'.repeat(32),
  camera: 'b'.repeat(32),
};

/** A role, and the same without reading where that makes a difference (Q12). */
export const WHO = [
  ...ROLES.map((role) => ({ role, reading: true })),
  { role: 'admin', reading: false },
  { role: 'technician', reading: false },
] as const;
export type Who = (typeof WHO)[number];
export const named = ({ role, reading }: Who) => (reading ? role : `${role} without reading`);

export interface TwoCustomers {
  world: ApiWorld;
  admin: string;
  own: Side;
  other: Side;
  /** Sign-in tokens: of people bound to `own`, and of people who see all. */
  bound: Map<Who, string>;
  free: Map<Who, string>;
}

export async function twoCustomers(): Promise<TwoCustomers> {
  const world = await ApiWorld.make();
  const admin = await world.person('admin', null, 'Root Specimen');
  const mine = await world.host({ customer: 'Mine', site: 'Vejle', name: 'mine-01' });
  const theirs = await world.host({ customer: 'Theirs', site: 'Albertslund', name: 'theirs-01' });
  const own = await sideOf(world, admin, mine, {
    customerName: 'Mine',
    siteName: 'Vejle',
    hostName: 'mine-01',
  });
  const names = { customerName: 'Theirs', siteName: 'Albertslund', hostName: 'theirs-01' };
  const other = await sideOf(world, admin, theirs, names);
  const [bound, free] = [new Map<Who, string>(), new Map<Who, string>()];
  for (const who of WHO) {
    bound.set(who, await signedIn(world, who, [mine.row.customer]));
    free.set(who, await signedIn(world, who, null));
  }
  return { world, admin, own, other, bound, free };
}

async function signedIn(world: ApiWorld, { role, reading }: Who, customers: CustomerId[] | null) {
  const wanted = { role: role as PersonRow['role'], reading, customers, createdBy: null };
  return (await addPerson(world.ctx, wanted)).token;
}

/** A group of this agreement that is dead, with nothing in it. */
async function deadGroup(world: ApiWorld, agreement: AgreementId): Promise<string> {
  const { ctx, clock } = world;
  const wish = { agreement, class: 'session', kind: 'span', at: clock.now() } as const;
  const prepared = await ctx.groups.prepare([wish]);
  await ctx.store.write((tx) => prepared.commit(tx));
  const group = prepared.groups[0]?.group as GroupId;
  await world.erase(group);
  return group;
}

/** Before anybody's session: `session erase` is not to meet one that is held. */
const BEFORE = { from: '2026-10-01T00:00:00.000Z', to: '2026-10-02T00:00:00.000Z' };

/** All that a hold wants besides its scope. */
export const HOLD = {
  kind: 'dispute',
  case: '2026-1',
  basis: 'claim',
  reason: 'a fall',
  review: '2027-03-01T00:00:00.000Z',
};

type Names = Pick<Side, 'customerName' | 'siteName' | 'hostName'>;

async function sideOf(world: ApiWorld, admin: string, host: TestHost, names: Names): Promise<Side> {
  const { row } = host;
  const session = await host.session();
  const alert = alertId();
  const camera = newCamera();
  await host.send([told('raised', { alert }), found(newSource(), camera, 'gate')]);
  const audit = runId();
  await host.send([ran({ run: audit })]);
  const asked = { customer: row.customer, site: names.siteName };
  const token = (await world.post('/v1/tokens', admin, asked)).body.id;
  const person = (await world.post('/v1/people', admin, { role: 'auditor', customers: [row.customer] })).body
    .id;
  const dpo = (await world.post('/v1/people', admin, { role: 'dpo', customers: [row.customer] })).body.id;
  const made = await world.post('/v1/agreements', admin, { customer: row.customer });
  const ending = made.body.id;
  await world.post(`/v1/agreements/${ending}/end`, admin, { reason: 'left' });
  const erasure = await deadGroup(world, ending);
  const hook = { url: 'https://alerts.example/', customer: row.customer };
  const webhook = (await world.post('/v1/webhooks', admin, hook)).body.id;
  const known = { kind: 'teamviewer', value: '555 000 111' };
  const identity = (await world.post(`/v1/people/${person}/ids`, admin, known)).body.id;
  const hold = (await world.post('/v1/holds', admin, { ...HOLD, hosts: [row.agent], ...BEFORE })).body.id;
  return {
    ...names,
    hold,
    customer: row.customer,
    site: row.site,
    host: row.agent,
    session,
    token,
    agreement: row.agreement,
    ending,
    erasure,
    person,
    approval: (await world.post(`/v1/people/${dpo}/revoke`, admin, { reason: 'left' })).body.error.approval,
    alert,
    webhook,
    audit,
    identity,
    camera,
  };
}
