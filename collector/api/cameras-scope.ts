/** What a person means by a camera. */
import { hasCode } from '../../protocol/errors.ts';
import type { Caller } from '../auth.ts';
import {
  camerasOf,
  type NamedCamera,
  openCameraNames,
  partsOf,
  pickCamera,
  unknownCamera,
} from '../cameras.ts';
import { may } from '../permissions.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { hostNamed, visibleAgents } from './scope.ts';

/**
 * One camera by its id, `HOST/CAMERA` (each an id or a name), or a name that it alone has.
 * @param among hosts to look at; absent: all that this person may see
 * @throws TilsynError `camera.unknown`, `camera.ambiguous`, `host.unknown`, `host.ambiguous`
 */
export async function cameraNamed(
  ctx: Context,
  caller: Caller,
  text: string,
  among?: readonly AgentRow[],
): Promise<NamedCamera & { agent: AgentRow }> {
  const agents = among ?? (await visibleAgents(ctx, caller));
  const parts = partsOf(text);
  // A name may hold a slash itself: then nothing before it is a host.
  const host = parts === null ? null : await hostNamed(ctx, caller, parts.host, agents).catch(unlessUnknown);
  const hosts = host === null ? agents : [host];
  const named = await namedCameras(ctx, caller, hosts);
  const found = pickCamera(host === null || parts === null ? text : parts.camera, named);
  const agent = agents.find((one) => one.agent === found.row.agent);
  if (agent === undefined) throw unknownCamera();
  return { ...found, agent };
}

/** Q12: names of cameras are shown to whom recordings are. */
export function seesNames({ requireNda }: Context, { person }: Caller): boolean {
  return may(person, 'recording.list') && (requireNda !== true || person.ndaPos !== null);
}

function unlessUnknown(error: unknown): null {
  if (hasCode(error, 'host.unknown')) return null;
  throw error;
}

/** Cameras of these hosts with their names, where this person is shown any; the reading is committed first. */
export async function namedCameras(
  ctx: Context,
  caller: Caller,
  agents: readonly AgentRow[],
  verb = 'camera.list',
): Promise<NamedCamera[]> {
  const rows = await camerasOf(ctx, agents);
  if (!seesNames(ctx, caller)) return rows.map((row) => ({ row, name: null }));
  await recordReading(ctx, caller, verb, rows.length);
  const names = await openCameraNames(ctx, rows);
  return rows.map((row) => ({ row, name: names.get(row.camera) ?? null }));
}
