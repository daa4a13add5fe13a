/**
 * Every route × role × customer against the one table. Routes come from fastify itself: one that is new and not in
 * `CASES` makes this red.
 */
import fastify, { type RouteOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerApi } from '../../collector/api/index.ts';
import type { Enroller } from '../../collector/enrol.ts';
import { isVeiled, may, PERMISSIONS, type Verb } from '../../collector/permissions.ts';
import { agentRoutes } from '../../collector/routes.ts';
import { ROLES } from '../../protocol/event.ts';
import { READING_VERBS } from '../../protocol/words.ts';
import { readText } from '../house/tree.ts';
import { ABSENT, HOLD, named, type Side, type TwoCustomers, twoCustomers, WHO } from './two-customers.ts';

/** Open on purpose: agents have no sign-in, and what is not there is said to everybody. */
const OPEN = ['GET /v1/health', 'GET /v1/ca', 'POST /v1/enrol', 'ALL /v1/*'];

type Ask = string | [path: string, body: Record<string, unknown>];
interface Case {
  /** Asks that name things of a side; of one that the person may not see they answer as of one that is absent. */
  asks?: (side: Side) => Ask[];
  /** A list: shows of the own side what `shows` names, and nothing of the other. */
  list?: string;
  shows?: (side: Side) => string;
}
const DRY = { dryRun: true };

/** By method and address, as fastify has them. */
const CASES: Readonly<Record<string, Case>> = {
  'GET /v1/whoami': { list: '/v1/whoami', shows: (side) => side.customer },
  'GET /v1/sessions': {
    list: '/v1/sessions',
    shows: (side) => side.session,
    asks: (s) => [
      ...places('/v1/sessions', s),
      `/v1/sessions?host=${s.host}`,
      `/v1/sessions?host=${s.hostName}`,
    ],
  },
  'GET /v1/sessions/:session': { asks: (s) => [`/v1/sessions/${s.session}`] },
  'GET /v1/sessions/tail': { asks: (s) => tails('/v1/sessions/tail', s) },
  'POST /v1/sessions/:session/explain': {
    asks: (s) => [[`/v1/sessions/${s.session}/explain`, { ticket: 'INC-1', ...DRY }]],
  },
  'POST /v1/sessions/:session/reveal': {
    asks: (s) => [[`/v1/sessions/${s.session}/reveal`, { reason: 'complaint' }]],
  },
  'POST /v1/sessions/erase': { asks: (s) => [['/v1/sessions/erase', { sessions: [s.session], ...DRY }]] },
  'POST /v1/tickets': {
    asks: (s) => [
      ['/v1/tickets', { csv: ticketOf(s), ...DRY }],
      ['/v1/tickets', { csv: ticketOf({ ...s, hostName: s.host }), ...DRY }],
    ],
  },
  'GET /v1/people/:person/ids': { asks: (s) => [`/v1/people/${s.person}/ids`] },
  'POST /v1/people/:person/ids': {
    asks: (s) => [[`/v1/people/${s.person}/ids`, { kind: 'account', value: 'specimen', ...DRY }]],
  },
  'POST /v1/people/:person/ids/:identity/remove': {
    asks: (s) => [[`/v1/people/${s.person}/ids/${s.identity}/remove`, DRY]],
  },
  'GET /v1/events': {
    list: '/v1/events?personal=1',
    shows: (side) => side.host,
    asks: (s) => [`/v1/events?host=${s.host}`, `/v1/events?customer=${s.customer}`],
  },
  'GET /v1/events/tail': { asks: (s) => tails('/v1/events/tail', s) },
  'GET /v1/hosts': { list: '/v1/hosts', shows: (side) => side.host, asks: (s) => places('/v1/hosts', s) },
  'GET /v1/hosts/:host': { asks: (s) => [`/v1/hosts/${s.host}`, `/v1/hosts/${s.hostName}`] },
  'POST /v1/hosts/:host/approve': { asks: (s) => [[`/v1/hosts/${s.host}/approve`, DRY]] },
  'POST /v1/hosts/:host/resolve': { asks: (s) => [[`/v1/hosts/${s.host}/resolve`, DRY]] },
  'POST /v1/hosts/:host/revoke': { asks: (s) => [[`/v1/hosts/${s.hostName}/revoke`, DRY]] },
  'GET /v1/coverage': { list: '/v1/coverage', shows: (s) => s.host, asks: (s) => places('/v1/coverage', s) },
  'GET /v1/alerts': {
    list: '/v1/alerts',
    shows: (side) => side.alert,
    asks: (s) => [...places('/v1/alerts', s), `/v1/alerts?host=${s.host}`],
  },
  'POST /v1/alerts/:alert/ack': { asks: (s) => [[`/v1/alerts/${s.alert}/ack`, DRY]] },
  'GET /v1/audits': {
    list: '/v1/audits',
    shows: (side) => side.audit,
    asks: (s) => [...places('/v1/audits', s), `/v1/audits?host=${s.host}`],
  },
  'GET /v1/audits/:run': { asks: (s) => [`/v1/audits/${s.audit}`] },
  'POST /v1/audits/:run/sign': { asks: (s) => [[`/v1/audits/${s.audit}/sign`, DRY]] },
  'GET /v1/hosts/:host/telemetry': {
    asks: (s) => [`/v1/hosts/${s.host}/telemetry`, `/v1/hosts/${s.hostName}/telemetry`],
  },
  'POST /v1/hosts/:host/sources/accept-root': {
    asks: (s) => [[`/v1/hosts/${s.host}/sources/accept-root`, { source: s.camera, ...DRY }]],
  },
  'POST /v1/hosts/:host/sources/retire': {
    asks: (s) => [
      [`/v1/hosts/${s.hostName}/sources/retire`, { source: s.camera, disposition: 'stored', ...DRY }],
    ],
  },
  'GET /v1/cameras': { asks: (s) => [...places('/v1/cameras', s), `/v1/cameras?host=${s.host}`] },
  'POST /v1/cameras/register': {
    asks: (s) => [['/v1/cameras/register', { camera: s.camera, purpose: 'theft', ...DRY }]],
  },
  'GET /v1/recordings/list': { asks: (s) => [`/v1/recordings/list?host=${s.host}`] },
  'GET /v1/recordings/due': { asks: (s) => [`/v1/recordings/due?host=${s.hostName}`] },
  'GET /v1/recordings/missing': { asks: (s) => [`/v1/recordings/missing?host=${s.host}`] },
  'GET /v1/recordings/stats': { asks: (s) => [`/v1/recordings/stats?host=${s.host}`] },
  'GET /v1/hosts/:host/sweeps/plan': { asks: (s) => [`/v1/hosts/${s.host}/sweeps/plan`] },
  'GET /v1/hosts/:host/sweeps/status': { asks: (s) => [`/v1/hosts/${s.hostName}/sweeps/status`] },
  'POST /v1/hosts/:host/sweeps/run': { asks: (s) => [[`/v1/hosts/${s.host}/sweeps/run`, DRY]] },
  'POST /v1/hosts/:host/sweeps/approve': {
    asks: (s) => [[`/v1/hosts/${s.hostName}/sweeps/approve`, { clock: true, ...DRY }]],
  },
  'GET /v1/webhooks': { list: '/v1/webhooks', shows: (side) => side.webhook },
  'POST /v1/webhooks': {
    asks: (s) =>
      [s.customer, s.customerName].map((customer) => [
        '/v1/webhooks',
        { url: 'https://alerts.example/', customer, ...DRY },
      ]),
  },
  'POST /v1/webhooks/:webhook/remove': { asks: (s) => [[`/v1/webhooks/${s.webhook}/remove`, DRY]] },
  'POST /v1/webhooks/:webhook/test': { asks: (s) => [[`/v1/webhooks/${s.webhook}/test`, DRY]] },
  'GET /v1/tokens': { list: '/v1/tokens', shows: (side) => side.token },
  'POST /v1/tokens': {
    asks: (s) => [
      ['/v1/tokens', { customer: s.customer, site: 'x', ...DRY }],
      ['/v1/tokens', { customer: s.customerName, site: 'x', ...DRY }],
    ],
  },
  'POST /v1/tokens/:token/revoke': { asks: (s) => [[`/v1/tokens/${s.token}/revoke`, DRY]] },
  'GET /v1/agreements': { list: '/v1/agreements', shows: (side) => side.agreement },
  'POST /v1/agreements': {
    asks: (s) => [
      ['/v1/agreements', { customer: s.customer, ...DRY }],
      ['/v1/agreements', { customer: s.customerName, ...DRY }],
    ],
  },
  'GET /v1/agreements/:agreement': { asks: (s) => [`/v1/agreements/${s.agreement}`] },
  'POST /v1/agreements/:agreement/end': { asks: (s) => [[`/v1/agreements/${s.agreement}/end`, DRY]] },
  'POST /v1/agreements/:agreement/end-now': { asks: (s) => [[`/v1/agreements/${s.agreement}/end-now`, DRY]] },
  'POST /v1/agreements/:agreement/cancel': { asks: (s) => [[`/v1/agreements/${s.ending}/cancel`, DRY]] },
  'GET /v1/erasures': {
    list: '/v1/erasures',
    shows: (side) => side.erasure,
    asks: (s) => [`/v1/erasures?customer=${s.customer}`, `/v1/erasures?customer=${s.customerName}`],
  },
  'GET /v1/erasures/:erasure': { asks: (s) => [`/v1/erasures/${s.erasure}`] },
  'GET /v1/people': { list: '/v1/people', shows: (side) => side.person },
  'POST /v1/people': {
    asks: (s) => [['/v1/people', { role: 'auditor', customers: [s.customerName], ...DRY }]],
  },
  'POST /v1/people/:person/change': {
    asks: (s) => [[`/v1/people/${s.person}/change`, { reading: true, ...DRY }]],
  },
  'GET /v1/approvals': { list: '/v1/approvals', shows: (side) => side.approval },
  'POST /v1/approvals/:approval/approve': { asks: (s) => [[`/v1/approvals/${s.approval}/approve`, DRY]] },
  'POST /v1/approvals/:approval/refuse': {
    asks: (s) => [[`/v1/approvals/${s.approval}/refuse`, { reason: 'no', ...DRY }]],
  },
  'POST /v1/retention/policy': {},
  'GET /v1/retention/rules': {},
  'GET /v1/retention/findings': {},
  'GET /v1/retention/plan': { list: '/v1/retention/plan', shows: (side) => side.agreement },
  'POST /v1/holds/preview': { asks: (s) => [['/v1/holds/preview', { hosts: [s.host] }]] },
  'POST /v1/holds': {
    asks: (s) => [['/v1/holds', { ...HOLD, hosts: [s.hostName], wide: 'all of it', ...DRY }]],
  },
  'GET /v1/holds': { list: '/v1/holds', shows: (side) => side.hold },
  'GET /v1/holds/:hold': { asks: (s) => [`/v1/holds/${s.hold}`] },
  'POST /v1/holds/:hold/notify': {
    asks: (s) => [[`/v1/holds/${s.hold}/notify`, { who: 'x', how: 'x', ...DRY }]],
  },
  'POST /v1/holds/:hold/confirm': {
    asks: (s) => [[`/v1/holds/${s.hold}/confirm`, { host: s.host, note: 'x', ...DRY }]],
  },
  'POST /v1/holds/:hold/slip': { asks: (s) => [[`/v1/holds/${s.hold}/slip`, {}]] },
  'POST /v1/holds/:hold/release': { asks: (s) => [[`/v1/holds/${s.hold}/release`, DRY]] },
  'POST /v1/people/:person/revoke': { asks: (s) => [[`/v1/people/${s.person}/revoke`, DRY]] },
};

/** Of the world's own day. */
function ticketOf({ hostName, person }: Pick<Side, 'hostName' | 'person'>): string {
  const [from, to] = ['2026-11-22T12:00:00Z', '2026-11-22T13:00:00Z'];
  return `ticket,host,technician,from,to\nINC-1,${hostName},${person},${from},${to}\n`;
}

function places(path: string, side: Side): Ask[] {
  return [
    `${path}?customer=${side.customer}`,
    `${path}?customer=${side.customerName}`,
    `${path}?site=${side.site}`,
    `${path}?site=${side.siteName}`,
  ];
}

/** `after=x` ends a tail that would begin, with another error than that of a thing which is not there. */
function tails(path: string, side: Side): Ask[] {
  return [`${path}?after=x&host=${side.host}`, `${path}?after=x&customer=${side.customer}`];
}

interface Found {
  name: string;
  verb: Verb | null | undefined;
}

function routesOf(all: readonly RouteOptions[]): Found[] {
  return all.flatMap(({ method, url, config }) => {
    const methods = [method].flat();
    const name = methods.length > 2 ? 'ALL' : methods.filter((one) => one !== 'HEAD')[0];
    return name === undefined ? [] : [{ name: `${name} ${url}`, verb: config?.verb }];
  });
}

/** What is wrong with the routes of a server, seen from the table. */
function offences(routes: readonly Found[]): string[] {
  const asked = new Set(routes.map(({ verb }) => verb));
  const names = new Set(routes.map(({ name }) => name));
  return [
    ...routes.flatMap(({ name, verb }) => {
      if (OPEN.includes(name)) return [];
      if (verb == null || !Object.hasOwn(PERMISSIONS, verb)) return [`${name} asks for no verb of the table`];
      return CASES[name] === undefined ? [`${name} is not in the matrix: add it to CASES`] : [];
    }),
    ...Object.keys(CASES).flatMap((name) => (names.has(name) ? [] : [`${name} is no route any more`])),
    ...Object.keys(PERMISSIONS).flatMap((verb) =>
      asked.has(verb as Verb) || verb === 'event.personal' ? [] : [`${verb}: no route asks for it`],
    ),
  ];
}

let two: TwoCustomers;
let routes: Found[];
beforeAll(async () => {
  two = await twoCustomers();
  const agents: RouteOptions[] = [];
  const app = fastify();
  app.addHook('onRoute', (route) => void agents.push(route));
  agentRoutes(app, two.world.ctx, {} as Enroller);
  await app.ready();
  routes = routesOf([...two.world.routes, ...agents]);
});
afterAll(() => two.world.close());

const ask = (token: string, one: Ask) =>
  typeof one === 'string' ? two.world.get(one, token) : two.world.post(one[0], token, one[1]);
const tokenOf = (tokens: TwoCustomers['bound'], who: (typeof WHO)[number]) => tokens.get(who) ?? '';

describe('the table', () => {
  it('Q11 every route has a verb of it, every verb a route, and every route stands in this matrix', () => {
    expect(routes.length).toBeGreaterThan(20);
    expect(offences(routes)).toEqual([]);
  });

  it('Q11 a route that is new, or names no verb, is seen', () => {
    const more = [
      ...routes,
      { name: 'GET /v1/new', verb: 'whoami' as const },
      { name: 'POST /v1/x', verb: undefined },
    ];
    expect(offences(more)).toEqual([
      'GET /v1/new is not in the matrix: add it to CASES',
      'POST /v1/x asks for no verb of the table',
    ]);
    expect(offences(routes.filter(({ verb }) => verb !== 'coverage'))).toHaveLength(2);
  });

  it('Q11 the API does not start with a route that names no verb', async () => {
    const app = fastify();
    registerApi(app, two.world.ctx, [(room) => void room.app.get('/v1/loose', async () => 'secret')]);
    await expect(app.ready()).rejects.toMatchObject({ code: 'route.no-verb' });
  });

  it('Q11 the server has no routes but those that were asked here', () => {
    const uses = readText('collector/running.ts').match(/port\.app/g) ?? [];
    expect(uses).toHaveLength(2); // agentRoutes and registerApi
  });

  it('Q1, Q13 every verb can be said in an event', () => {
    const missing = Object.keys(PERMISSIONS).filter(
      (verb) => !(READING_VERBS as readonly string[]).includes(verb),
    );
    expect(missing).toEqual([]);
  });

  it('an auditor changes nothing, and nobody who may not read is shown a session', () => {
    const verbs = Object.keys(PERMISSIONS) as Verb[];
    const changes =
      /\.(ack|add|remove|test|change|create|approve|refuse|resolve|revoke|end|end-now|cancel|explain|import|erase)$/;
    expect(
      verbs.filter((verb) => may({ role: 'auditor', reading: true }, verb) && changes.test(verb)),
    ).toEqual([]);
    const read = verbs.filter((verb) => may({ role: 'admin', reading: false }, verb));
    // Shows counts only.
    expect(read.filter((verb) => /^session|personal/.test(verb))).toEqual(['session.erase']);
  });

  it('Q14 who is shown pseudonyms learns by no other verb whose session it was', () => {
    const veiled = ROLES.filter(isVeiled);
    expect(veiled).toEqual(['auditor', 'technician']);
    expect(veiled.filter((role) => may({ role, reading: true }, 'ticket.import'))).toEqual([]);
    expect(veiled.filter((role) => may({ role, reading: true }, 'session.reveal'))).toEqual(['auditor']);
  });
});

describe.each(WHO.map((who) => [named(who), who] as const))('%s', (_, who) => {
  it('Q11, Q13 does what the table gives, and nothing else: every route', async () => {
    for (const { name, verb } of routes) {
      if (verb == null) continue;
      const [method = '', url = ''] = name.split(' ');
      const path = url.replace(/:\w+/g, '0'.repeat(32));
      const said = method === 'GET' ? `${path}?nonsense=1` : path;
      const body = method === 'GET' ? undefined : { nonsense: 1 };
      for (const tokens of [two.bound, two.free]) {
        const answer = await two.world.call(method, said, tokenOf(tokens, who), body);
        const refused = answer.status === 403 && answer.body.error.code.startsWith('permission.');
        expect(`${name} ${refused ? 'refused' : 'let in'}`).toBe(
          `${name} ${may(who, verb) ? 'let in' : 'refused'}`,
        );
        if (!refused) expect([400, 404, 200], name).toContain(answer.status);
      }
      const stranger = await two.world.call(method, said, undefined, body);
      expect(stranger.status, name).toBe(401);
    }
  });

  it('Q12 opens the personal parts of events only where the table gives it', async () => {
    const { status } = await two.world.get('/v1/events?personal=1&limit=1', tokenOf(two.free, who));
    expect(status).toBe(may(who, 'event.personal') ? 200 : 403);
  });

  it('Q4 of another customer sees, finds and does nothing; the answer is that of what never was', async () => {
    const token = tokenOf(two.bound, who);
    const foreign = Object.values(two.other);
    for (const { name, verb } of routes) {
      const { asks, list, shows } = CASES[name] ?? {};
      const personal = list?.includes('personal=1') && !may(who, 'event.personal');
      if (verb == null || !may(who, verb) || personal) continue;
      if (list !== undefined) {
        const text = JSON.stringify((await two.world.get(list, token)).body);
        expect(
          foreign.filter((word) => text.includes(word)),
          name,
        ).toEqual([]);
        expect(text, name).toContain(shows?.(two.own));
      }
      for (const [i, mine] of (asks?.(two.own) ?? []).entries()) {
        const [theirs, none] = [asks?.(two.other)[i], asks?.(ABSENT)[i]];
        if (theirs === undefined || none === undefined) throw new Error(name);
        expect(await ask(token, theirs), `${name} ${i}`).toEqual(await ask(token, none));
        expect((await ask(token, mine)).status, `${name} ${i}`).not.toBe(404);
      }
    }
  });
});
