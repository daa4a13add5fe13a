/**
 * `GET /v1/hosts/:host/telemetry`: what a host measured, by time.
 *
 * J10 An answer is as fine as it stays small: as stored up to half a day, quarters of an hour up to ten days, hours
 *     beyond; a next page has the lengths of the first.
 * J11 Names of disks are opened at read time, after the reading was recorded; what was erased or never told is null.
 */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { DAY_MS, fromIso, HOUR_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { type DiskPoint, HOUR_SECONDS, meanOf, type Point, QUARTER_SECONDS } from '../store/points.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { hostNamed } from './scope.ts';
import { askedOf, listAnswer, planView } from './view.ts';

/** Up to here an answer has samples as they came: 720 of them. */
const FINE_MS = 12 * HOUR_MS;
/** Up to here it has quarters of an hour: 960 of them. */
const MIDDLE_MS = 10 * DAY_MS;
/** A host's clock may be ahead; what it measured is shown all the same. */
const AHEAD_MS = DAY_MS;

const query = z.strictObject({
  since: field.since,
  until: field.until,
  limit: field.limit,
  after: field.after,
});
type Query = z.infer<typeof query>;

export function telemetryRoutes(room: Room): void {
  route<typeof query, { host: string }>(room, {
    method: 'GET',
    path: '/v1/hosts/:host/telemetry',
    verb: 'telemetry.show',
    input: query,
    handle: async ({ caller, params, input }) =>
      show(room.ctx, caller, await hostNamed(room.ctx, caller, params.host), input),
  });
}

/** Length of the spans of an answer over so much time, in seconds; 0: as stored (J10). */
export function lengthFor(ms: number): number {
  if (ms <= FINE_MS) return 0;
  return ms <= MIDDLE_MS ? QUARTER_SECONDS : HOUR_SECONDS;
}

async function show(ctx: Context, caller: Caller, agent: AgentRow, input: Query) {
  const now = ctx.clock.now();
  const since = input.since === undefined ? null : fromIso(input.since);
  const until = input.until === undefined ? null : fromIso(input.until);
  const from = utcMs(Math.max(since ?? 0, agent.enrolledAt - AHEAD_MS));
  const cursor = input.after === undefined ? null : cursorOf(input.after);
  const seconds = cursor?.seconds ?? lengthFor((until ?? now) - Math.max(from, agent.enrolledAt));
  const points = await ctx.telemetry.points(agent.agreement, agent.agent, {
    since: from,
    until: until ?? utcMs(now + AHEAD_MS),
    seconds,
    limit: input.limit + 1,
    ...(cursor === null ? {} : { after: cursor.at }),
  });
  const plan = await planView(ctx, [agent], askedOf(ctx, since, until));
  const filter = { host: agent.agent, since: input.since, until: input.until, after: input.after };
  await recordReading(ctx, caller, 'telemetry.show', plan.count, filter);
  const { coverage } = await plan.open();
  const names = await diskNames(ctx, agent);
  const page = points.slice(0, input.limit);
  const last = page.at(-1);
  const next = points.length > page.length && last !== undefined ? `${seconds}-${last.at}` : null;
  return listAnswer(
    page.map((point) => itemOf(point, names)),
    coverage,
    next,
  );
}

const CURSOR = /^(0|900|3600)-(\d{1,15})$/;

/** @throws TilsynError `request.cursor` */
function cursorOf(text: string): { seconds: number; at: UtcMs } {
  const match = CURSOR.exec(text);
  if (match !== null) return { seconds: Number(match[1]), at: utcMs(Number(match[2])) };
  throw new TilsynError('request.cursor', 'listing: `after` is no cursor of this list', {
    hint: 'Give --after exactly what `next` said.',
    exit: 'usage',
  });
}

interface DiskName {
  mount: string;
  label: string | null;
}

/** By index, from the newest `host.named` (J11); only after its reading was recorded. */
async function diskNames(ctx: Context, { namePos }: AgentRow): Promise<Map<number, DiskName>> {
  const opened =
    namePos === null ? undefined : (await ctx.opener.open(ctx.store.read, [namePos])).get(namePos);
  const disks = (opened?.disks ?? []) as { index: number; mount: string; label?: string }[];
  return new Map(disks.map(({ index, mount, label }) => [index, { mount, label: label ?? null }]));
}

const mean = (stat: Point['cpuPermille']) => (stat === null ? null : meanOf(stat));

function itemOf(point: Point, names: ReadonlyMap<number, DiskName>) {
  const { cpuPermille: cpu, memUsedPermille: mem } = point;
  return {
    at: toIso(point.at),
    /** 0: one sample as it came; values of a span are means, with the least and the greatest beside them. */
    spanSeconds: point.seconds,
    samples: point.n,
    cpuPermille: mean(cpu),
    cpuMinPermille: cpu?.min ?? null,
    cpuMaxPermille: cpu?.max ?? null,
    memUsedPermille: meanOf(mem),
    memMinPermille: mem.min,
    memMaxPermille: mem.max,
    memTotalMb: point.memTotalMb,
    uptimeSeconds: point.uptimeSeconds,
    disks: point.disks.map((disk) => diskOf(disk, names.get(disk.index))),
  };
}

function diskOf(disk: DiskPoint, name: DiskName | undefined) {
  const { index, usedPermille: used, freeMb, totalMb, inodesUsedPermille: inodes } = disk;
  return {
    index,
    name: name?.mount ?? null,
    label: name?.label ?? null,
    usedPermille: meanOf(used),
    usedMinPermille: used.min,
    usedMaxPermille: used.max,
    freeMb,
    totalMb,
    inodesUsedPermille: mean(inodes),
  };
}
