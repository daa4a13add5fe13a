/**
 * Cameras by what people call them. Names lie sealed in `camera.found`; they are opened for the hosts of one question, after
 * the reading was recorded.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { type AgentId, isId } from '../../protocol/ids.ts';
import type { Caller } from '../auth.ts';
import type { AgentRow, Pos, Reader } from '../store/types.ts';
import type { Context } from '../types.ts';

const PAGE = 1_000;

export interface NamedCamera {
  agent: AgentId;
  camera: string;
  source: string;
  /** Newest leaf that names it. */
  pos: Pos;
  /** Null: erased, or not opened. */
  name: string | null;
}

/** Cameras that these hosts told of; the newest telling of each. Names are not opened yet. */
export async function camerasOf(reader: Reader, agents: readonly AgentId[]): Promise<NamedCamera[]> {
  const logs = await reader.logStatesOf(agents);
  const owner = new Map(logs.map(({ log, agent }) => [log, agent]));
  const found = new Map<string, NamedCamera>();
  for (let after = 0; owner.size > 0; ) {
    const query = { logs: [...owner.keys()], types: ['camera.found'], after, limit: PAGE };
    const leaves = await reader.leaves(query);
    for (const { log, pos, bytes } of leaves) {
      const agent = owner.get(log);
      const { data } = JSON.parse(bytes) as { data: { camera?: unknown; source?: unknown } };
      if (agent != null && isId(data.camera))
        found.set(`${agent}${data.camera}`, {
          ...{ agent, camera: data.camera, source: String(data.source), pos, name: null },
        });
    }
    after = leaves.at(-1)?.pos ?? after;
    if (leaves.length < PAGE) break;
  }
  return [...found.values()];
}

/** The same with their names. Only after the reading was committed, or for the collector's own comparing. */
export async function openCameras(ctx: Context, cameras: readonly NamedCamera[]): Promise<NamedCamera[]> {
  const opened = await ctx.opener.open(
    ctx.store.read,
    cameras.map(({ pos }) => pos),
  );
  return cameras.map((one) => {
    const name = opened.get(one.pos)?.name;
    return { ...one, name: typeof name === 'string' ? name : null };
  });
}

/** Looks `HOST/CAMERA` or `CAMERA` up; `hosts` by the name or id that was typed. */
export type HostByText = (text: string) => Promise<AgentRow>;

export interface CameraAsk {
  ctx: Context;
  caller: Caller;
  /** Whom this person may see. */
  visible: readonly AgentRow[];
  host: HostByText;
}

/**
 * Cameras as they were typed.
 * @throws TilsynError `camera.unknown`, `camera.ambiguous` (names the hosts)
 */
export async function cameraNamed(ask: CameraAsk, text: string): Promise<{ host: AgentId; camera: string }> {
  const { at, name } = splitCamera(text);
  const hosts = at === null ? ask.visible : [await ask.host(at)];
  const all = await openCameras(
    ask.ctx,
    await camerasOf(
      ask.ctx.store.read,
      hosts.map(({ agent }) => agent),
    ),
  );
  const found = all.filter((one) => one.camera === name || one.name === name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return { host: first.agent, camera: first.camera };
  if (first === undefined) {
    throw new TilsynError('camera.unknown', 'looking up a camera: no host told of one with this name', {
      hint: '`tilsyn recording stats --host HOST` lists cameras with their ids. Write HOST/CAMERA.',
      exit: 'notFound',
    });
  }
  const places = found.slice(0, 20).map(({ agent, camera }) => `${agent}/${camera}`);
  throw new TilsynError(
    'camera.ambiguous',
    `looking up a camera: ${found.length} have this name: ${places.join(', ')}`,
    { hint: 'Write HOST/CAMERA, or the ids.', exit: 'conflict' },
  );
}

/** At the first slash: a host's name has none, a camera's may. */
function splitCamera(text: string): { at: string | null; name: string } {
  const slash = text.indexOf('/');
  return slash < 0 ? { at: null, name: text } : { at: text.slice(0, slash), name: text.slice(slash + 1) };
}
