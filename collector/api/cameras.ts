/** `GET /v1/cameras`, `POST /v1/cameras/register`: the cameras that hosts told of, and what the register says of each. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { CAMERA_PLACES } from '../../protocol/event-recordings.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { readPeriod } from '../../protocol/period.ts';
import { fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { findingsOfCamera, type Registration, registerCamera, retainOf } from '../camera-register.ts';
import { policyInForce } from '../policy.ts';
import type { AgentRow, CameraRow, CameraSum, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';
import { cameraNamed, seesNames } from './cameras-scope.ts';
import { recordReading } from './reading.ts';
import { rowsAfter } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView, type View } from './view.ts';

const query = z.strictObject({
  host: field.text.optional(),
  site: field.text.optional(),
  customer: field.text.optional(),
  unregistered: field.flag,
  limit: field.limit,
  after: field.after,
});
const register = z.strictObject({
  /** Id, name, or HOST/CAMERA. */
  camera: z.string().min(1).max(800),
  address: z.string().min(1).max(256).optional(),
  area: z.string().min(1).max(256).optional(),
  purpose: z.string().min(1).max(512),
  place: z.enum(CAMERA_PLACES).nullable().default(null),
  retain: z.string().max(32).nullable().default(null),
  signage: field.iso.nullable().default(null),
  dryRun: field.dryRun,
});

export function cameraRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/cameras',
    verb: 'camera.list',
    input: query,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route(room, {
    method: 'POST',
    path: '/v1/cameras/register',
    verb: 'camera.register',
    input: register,
    handle: ({ caller, input }) => put(ctx, caller, input),
  });
}

async function list(ctx: Context, caller: Caller, input: z.infer<typeof query>) {
  const { agents } = await scopeOf(ctx, caller, input);
  const ids = agents.map(({ agent }) => agent);
  const live = (await ctx.store.read.rootsOf(ids)).filter(({ state }) => state !== 'retired');
  const sources = new Set(live.map(({ source }) => source));
  // The cameras of a root that was given up record somewhere else, or nowhere.
  const rows = (await ctx.store.read.camerasOf(ids)).filter(
    ({ source, registeredPos }) =>
      sources.has(source) && (input.unregistered !== true || registeredPos === null),
  );
  const rest = rowsAfter(rows, ({ camera }) => camera, input.after);
  const page = rest.slice(0, input.limit);
  const next = page.length < rest.length ? (page.at(-1)?.camera ?? null) : null;
  const roots = new Set(live.map(({ agent }) => agent));
  const watched = agents.filter(({ agent }) => roots.has(agent));
  const { items, view } = await shown(ctx, caller, page, { agents: watched, filter: { ...input } });
  // That no source of sessions is read says nothing about cameras.
  const hosts = view.coverage.hosts.map((host) => ({
    ...host,
    gaps: host.gaps.filter(({ reason }) => reason !== 'no-source'),
  }));
  return listAnswer(items, { ...view.coverage, hosts }, next);
}

async function put(ctx: Context, caller: Caller, input: z.infer<typeof register>) {
  const { camera, retain, signage, dryRun, ...said } = input;
  const found = await cameraNamed(ctx, caller, camera);
  const wanted: Registration = { ...said, retain: periodIn(retain), signage: instant(signage) };
  const { person } = caller.person;
  const row = dryRun ? found.row : await registerCamera(ctx, found.row, wanted, person);
  const filter = { camera: row.camera };
  const { items } = await shown(ctx, caller, [row], {
    agents: [found.agent],
    filter,
    verb: 'camera.register',
  });
  return { ...items[0], ...(dryRun ? { dryRun: true } : {}) };
}

/** @throws TilsynError `camera.period` */
function periodIn(text: string | null): Registration['retain'] {
  if (text === null) return null;
  const period = readPeriod(text);
  if (period !== null && retainOf(period) !== null) return period;
  throw new TilsynError('camera.period', 'registering a camera: how long its footage is kept is no period', {
    hint: 'Give whole hours, days or months as in a retention rule: P30D, PT72H, P1M.',
    exit: 'usage',
  });
}

async function shown(
  ctx: Context,
  caller: Caller,
  rows: readonly CameraRow[],
  {
    agents,
    filter,
    verb = 'camera.list',
  }: { agents: AgentRow[]; filter: Record<string, unknown>; verb?: string },
) {
  const sees = seesNames(ctx, caller);
  const positions = sees
    ? rows.flatMap(({ foundPos, registeredPos }) => [foundPos, registeredPos ?? []].flat())
    : [];
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  await recordReading(ctx, caller, verb, plan.count + positions.length, { ...filter, limit: undefined });
  const view = await plan.open();
  const opened = await ctx.opener.open(ctx.store.read, positions);
  const places = await placesOf(ctx, rows);
  const { policy } = await policyInForce(ctx.store.read);
  const sums = await ctx.store.read.cameraSums([...new Set(rows.map(({ agent }) => agent))]);
  const bySum = new Map(sums.map((sum) => [sum.camera, sum]));
  const items = rows.map((row) => {
    const said = row.registeredPos === null ? undefined : opened.get(row.registeredPos);
    const text = (name: string) => (typeof said?.[name] === 'string' ? String(said[name]) : null);
    const purpose = sees ? text('purpose') : undefined;
    return {
      ...headOf(row, view),
      name: textIn(opened.get(row.foundPos)?.name),
      registered: row.registeredPos === null ? null : registrationOf(row, places),
      ...{ address: text('address'), area: text('area'), purpose: purpose ?? null },
      ...toldOf(row, bySum.get(row.camera)),
      findings: findingsOfCamera(row, purpose, policy),
    };
  });
  return { items, view };
}

/** Whether each sees a room or what lies outside, as its newest event says. */
async function placesOf(ctx: Context, rows: readonly CameraRow[]): Promise<Map<Pos, unknown>> {
  const positions = rows.flatMap(({ registeredPos }) => registeredPos ?? []);
  const leaves = positions.length === 0 ? [] : await ctx.store.read.leavesAt(positions);
  return new Map(leaves.map(({ pos, bytes }) => [pos, (JSON.parse(bytes) as Leaf).data.place]));
}

function textIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function headOf({ camera, agent, customer, site, source, foundAt }: CameraRow, view: View) {
  const host = view.host(agent) ?? agent;
  const names = { customer: view.customer(customer), site: view.site(site) };
  return { id: camera, host, hostId: agent, ...names, source, foundAt: toIso(foundAt) };
}

function registrationOf(
  { registeredPos, registeredAt, registeredBy, retainMonths, retainMs, signageAt }: CameraRow,
  places: ReadonlyMap<Pos, unknown>,
) {
  return {
    at: iso(registeredAt),
    by: registeredBy,
    retain: retainMonths === null ? null : { months: retainMonths, hours: (retainMs ?? 0) / 3_600_000 },
    signage: iso(signageAt),
    place: places.get(registeredPos ?? 0) ?? null,
  };
}

/** By the days that its host told of. */
function toldOf({ sound, gapFrom }: CameraRow, sum: CameraSum | undefined) {
  return {
    ...{ sound, notRecordingSince: iso(gapFrom), recordings: sum?.count ?? 0, missing: sum?.missing ?? 0 },
    ...{ oldest: iso(sum?.oldest ?? null), newest: iso(sum?.newest ?? null) },
  };
}

function iso(at: UtcMs | null): string | null {
  return at === null ? null : toIso(at);
}

function instant(text: string | null): UtcMs | null {
  return text === null ? null : fromIso(text);
}
