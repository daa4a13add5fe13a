/**
 * `/v1/recordings/…`: recordings of one host or of many. Hosts that are connected are asked, side by side; of the others it is
 * said what they told before, and that it is no more than that.
 *
 * J22 Each answer is a reading, recorded before any host is asked. Every host of the answer stands in its coverage: one that
 *     was not asked, or did not answer, with the gap that this leaves (A2).
 * J23 Nobody waits for the slowest of many: what has not answered by the deadline of the whole question is a gap.
 * J24 A page ends between two hosts, or where the page of one host does: going on from it leaves nothing out.
 */
import { z } from 'zod';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import { fromIso, SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { openCameraNames } from '../cameras.ts';
import type { Coverage, HostCoverage } from '../coverage.ts';
import { recordingCoverage } from '../coverage-recordings.ts';
import { type Answer, askHost } from '../ingest/queries.ts';
import { policyInForce } from '../policy.ts';
import { asOf, dayItem, isPast, toldSources, unseenOf } from '../recordings-told.ts';
import type { AgentRow, CameraDayQuery, CameraDayRow, CameraId } from '../store/types.ts';
import type { Context } from '../types.ts';
import { cameraNamed, seesNames } from './cameras-scope.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { scopeOf } from './scope.ts';
import { askedOf, planView, type View } from './view.ts';

const query = z.strictObject({
  host: field.text.optional(),
  site: field.text.optional(),
  customer: field.text.optional(),
  /** Id, name, or HOST/CAMERA. */
  camera: z.string().min(1).max(800).optional(),
  source: field.id.optional(),
  from: field.iso.optional(),
  to: field.iso.optional(),
  state: z.enum(['present', 'erasing', 'erased', 'missing']).optional(),
  after: z.string().max(1200).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(500),
});
type Query = z.infer<typeof query>;

const QUESTIONS = ['list', 'due', 'missing', 'stats'] as const;
type Question = (typeof QUESTIONS)[number];

/** Hosts that are asked at the same time, and how long all of them together may take. */
const SIDE_BY_SIDE = 16;
const DEADLINE_MS = 40 * SECOND_MS;
/** As a gap says it; no error of the asking. */
const NOT_ASKED = 'not-asked';
/** Days of one host that stand for what it cannot name now. */
const MAX_DAYS = 200;
/** Days that are read for that: those of a thousand cameras for three months. */
const MOST_DAYS = 100_000;

export function recordingFleetRoutes(room: Room): void {
  for (const question of QUESTIONS) {
    route(room, {
      method: 'GET',
      path: `/v1/recordings/${question}`,
      verb: `recording.${question}`,
      input: query,
      handle: ({ caller, input }) => answer(room.ctx, caller, question, input),
    });
  }
}

interface Asking {
  question: Question;
  input: Query;
  camera: CameraId | null;
  agents: AgentRow[];
  /** Where the page before ended. */
  place: { agent: string; after: string | undefined } | null;
}

/** What one host said, or why it did not. */
type Said = { agent: AgentRow } & ({ said: Answer; code: null } | { said: null; code: string });

async function answer(ctx: Context, caller: Caller, question: Question, input: Query): Promise<unknown> {
  const asking = await askingOf(ctx, caller, question, input);
  const { agents } = asking;
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  const cameras = await ctx.store.read.camerasOf(agents.map(({ agent }) => agent));
  const names = seesNames(ctx, caller) ? cameras : [];
  await recordReading(ctx, caller, `recording.${question}`, plan.count + names.length, { ...input });
  const said = await askAll(ctx, asking);
  const view = await plan.open();
  const opened = await openCameraNames(ctx, names);
  const told = await Promise.all(
    said.map(async (one) => (one.said === null ? await toldOf(ctx, asking, one.agent, opened) : null)),
  );
  const hosts = said.map((one, i) => ({ ...headOf(one, view), ...(told[i] ?? saidOf(one.said ?? {})) }));
  return {
    ...{ schema: 1, ...itemsOf(asking, said, view) },
    coverage: coverageOf(view.coverage, said, agents.length),
    hosts,
  };
}

async function askingOf(ctx: Context, caller: Caller, question: Question, input: Query): Promise<Asking> {
  const scope = await scopeOf(ctx, caller, input);
  const place = placeOf(input.after);
  if (input.camera !== undefined) {
    const { row, agent } = await cameraNamed(ctx, caller, input.camera, scope.agents);
    return { question, input, camera: row.camera, agents: [agent], place };
  }
  const roots = await ctx.store.read.rootsOf(scope.agents.map(({ agent }) => agent));
  const having = new Set(roots.filter(({ state }) => state !== 'retired').map(({ agent }) => agent));
  // A host that is named is asked, whatever it has told.
  const named = input.host !== undefined;
  const agents = scope.agents.filter(
    ({ agent, state }) => named || (state !== 'revoked' && having.has(agent)),
  );
  const from = place === null ? 0 : agents.findIndex(({ agent }) => agent === place.agent);
  if (from < 0) throw noCursor();
  return { question, input, camera: null, agents: agents.slice(from), place };
}

/** `AGENT.AFTER`, the second part as the host said it. */
function placeOf(after: string | undefined): Asking['place'] {
  if (after === undefined) return null;
  const at = after.indexOf('.');
  const [agent, rest] = at < 0 ? [after, ''] : [after.slice(0, at), after.slice(at + 1)];
  if (!/^[0-9a-f]{32}$/.test(agent)) throw noCursor();
  return { agent, after: rest === '' ? undefined : rest };
}

function noCursor(): TilsynError {
  return new TilsynError('request.cursor', 'listing: `after` is no cursor of this list', {
    hint: 'Give --after exactly what `next` said.',
    exit: 'usage',
  });
}

/** In the order of the hosts; a few at a time, and none after the deadline (J23). */
async function askAll(ctx: Context, asking: Asking): Promise<Said[]> {
  const { agents } = asking;
  const said: Said[] = agents.map((agent) => ({ agent, said: null, code: NOT_ASKED }));
  let next = 0;
  let over = false;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = ctx.clock.after(DEADLINE_MS, () => {
    over = true;
    resolve();
  });
  const work = async () => {
    for (let i = next++; i < agents.length && !over; i = next++) {
      const agent = agents[i];
      if (agent === undefined) return;
      const one = await askOne(ctx, asking, agent);
      if (!over) said[i] = one;
    }
  };
  const all = Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, agents.length) }, work));
  await Promise.race([all, late]);
  cancel();
  return [...said];
}

async function askOne(
  ctx: Context,
  { question, input, camera, place }: Asking,
  agent: AgentRow,
): Promise<Said> {
  const { host: _h, site: _s, customer: _c, camera: _m, after: _a, ...rest } = input;
  const after = place?.agent === agent.agent ? place.after : undefined;
  const body = { ...rest, ...(camera === null ? {} : { camera }), ...(after === undefined ? {} : { after }) };
  try {
    return { agent, said: await askHost(ctx, agent.agent, `recordings.${question}`, body), code: null };
  } catch (error) {
    const code = codeOf(error);
    if (!code.startsWith('host.')) throw error;
    return { agent, said: null, code };
  }
}

/** J24 */
function itemsOf({ question, input }: Asking, said: readonly Said[], view: View) {
  const items: Answer[] = [];
  if (question === 'stats') return { items, next: null };
  for (const { agent, said: one } of said) {
    const page = Array.isArray(one?.items) ? (one.items as Answer[]) : [];
    if (items.length > 0 && items.length + page.length > input.limit)
      return { items, next: `${agent.agent}.` };
    const host = { host: view.host(agent.agent) ?? agent.agent, hostId: agent.agent };
    items.push(...page.map((item) => ({ ...host, ...item })));
    if (typeof one?.next === 'string') return { items, next: `${agent.agent}.${one.next}` };
  }
  return { items, next: null };
}

function headOf({ agent, code }: Said, view: View) {
  const { agent: hostId, customer, site, lastSeenAt } = agent;
  return {
    ...{
      host: view.host(hostId) ?? hostId,
      hostId,
      customer: view.customer(customer),
      site: view.site(site),
    },
    ...{ answered: code === null, why: code === null ? null : reasonOf(code) },
    offlineSince: code === 'host.offline' && lastSeenAt !== null ? toIso(lastSeenAt) : null,
  };
}

function saidOf(said: Answer) {
  const { sources = [], notLookedAt = null, copies = null, now = null } = said;
  return { asOf: now, sources, days: [], notLookedAt, copies };
}

/** Of a host that did not answer: what it told of before (V94). */
async function toldOf(
  ctx: Context,
  { question, input, camera }: Asking,
  { agent }: AgentRow,
  names: ReadonlyMap<CameraId, string>,
) {
  const { read } = ctx.store;
  const now = ctx.clock.now();
  const [roots, cameras, { policy }] = [
    await read.rootsOf([agent]),
    await read.camerasOf([agent]),
    await policyInForce(read),
  ];
  const span = { from: instant(input.from) ?? utcMs(0), to: instant(input.to) ?? now };
  const days = async (having: CameraDayQuery['having']) =>
    await read.daysOf({ agents: [agent], camera, ...span, having, limit: MOST_DAYS });
  const overdue = async () => (await days('present')).filter((day) => isPast(day, policy, now));
  const fits = {
    list: () => days(null),
    due: overdue,
    missing: () => days('missing'),
    stats: overdue,
  } satisfies Record<Question, () => Promise<CameraDayRow[]>>;
  const found = await fits[question]();
  const sums = question === 'stats' ? await read.cameraSums([agent]) : [];
  const sources =
    question === 'stats' ? toldSources({ roots, cameras, sums, overdue: found, names, policy }) : [];
  const listed = question === 'stats' ? [] : found;
  return {
    ...{ asOf: asOf(roots), sources },
    days: listed.slice(0, MAX_DAYS).map((day) => dayItem(day, names)),
    moreDays: listed.length > MAX_DAYS,
    notLookedAt: [...new Set(['the-host-itself', ...roots.flatMap(unseenOf)])],
    copies: roots.flatMap(({ source, copies }) => (copies ?? []).map((one) => ({ source, ...one }))),
  };
}

/** As a gap says it. */
function reasonOf(code: string): string {
  return code === 'host.offline' ? 'not-connected' : code.replace('.', '-');
}

/** A2: in the order in which the hosts were asked. */
function coverageOf(coverage: Coverage, said: readonly Said[], count: number): Coverage {
  const by = new Map(said.map((one) => [one.agent.agent, one]));
  const hosts = coverage.hosts.map((host): HostCoverage => {
    const one = by.get(host.hostId);
    if (one === undefined) return host;
    return recordingCoverage(
      host,
      one.said,
      one.agent.lastSeenAt,
      one.code === null ? undefined : reasonOf(one.code),
    );
  });
  return { ...coverage, hosts: count === 0 ? [] : hosts };
}

function instant(text: string | undefined): UtcMs | null {
  return text === undefined ? null : fromIso(text);
}
