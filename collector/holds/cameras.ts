/** Cameras of a host with their names, for the collector's own comparing: an order goes by the ids that the host has now. */
import type { AgentId } from '../../protocol/ids.ts';
import type { CameraRow, Pos, Reader } from '../store/types.ts';
import type { Context } from '../types.ts';

export interface NamedCamera {
  camera: string;
  source: string;
  /** Newest leaf that names it. */
  pos: Pos;
  /** Null: erased, or not opened. */
  name: string | null;
}

/** Cameras that this host told of. Names are not opened yet. */
export async function camerasOf(reader: Reader, agent: AgentId): Promise<NamedCamera[]> {
  const rows: CameraRow[] = await reader.cameras.list({ agent });
  return rows.map(({ camera, source, foundPos }) => ({ camera, source, pos: foundPos, name: null }));
}

/** The same with their names: nobody is shown them. */
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
