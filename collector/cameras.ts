/**
 * Cameras as people name them. Which there are is a projection of what hosts told (`projections-recordings.ts`).
 *
 * V93 One text means one camera, or it is refused: an id, `HOST/NAME`, or a name that no other camera has.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { AgentRow, CameraId, CameraRow } from './store/types.ts';
import type { Context } from './types.ts';

/** A camera with its name, as far as it opens. */
export interface NamedCamera {
  row: CameraRow;
  name: string | null;
}

/** Names of these cameras; whoever asks has recorded the reading of as many parts. */
export async function openCameraNames(
  ctx: Context,
  rows: readonly CameraRow[],
): Promise<Map<CameraId, string>> {
  const opened = await ctx.opener.open(
    ctx.store.read,
    rows.map(({ foundPos }) => foundPos),
  );
  return new Map(
    rows.flatMap(({ camera, foundPos }) => {
      const name = opened.get(foundPos)?.name;
      return typeof name === 'string' ? [[camera, name]] : [];
    }),
  );
}

/** A text as its parts: what may be the host, and what then is the camera. */
export function partsOf(text: string): { host: string; camera: string } | null {
  const at = text.indexOf('/');
  return at < 1 || at === text.length - 1 ? null : { host: text.slice(0, at), camera: text.slice(at + 1) };
}

/**
 * The one that is meant, among those that somebody may see. Pure (V93).
 * @throws TilsynError `camera.unknown`, `camera.ambiguous` (names the ids)
 */
export function pickCamera(text: string, among: readonly NamedCamera[]): NamedCamera {
  const byId = among.find(({ row }) => row.camera === text);
  if (byId !== undefined) return byId;
  const exact = among.filter(({ name }) => name === text);
  const found =
    exact.length > 0 ? exact : among.filter(({ name }) => name !== null && fold(name) === fold(text));
  const [one] = found;
  if (one !== undefined && found.length === 1) return one;
  if (one === undefined) throw unknownCamera();
  const ids = found.map(({ row }) => row.camera).join(', ');
  throw new TilsynError('camera.ambiguous', `looking up a camera: several have this name: ${ids}`, {
    hint: 'Say HOST/CAMERA, or give the id.',
    exit: 'conflict',
  });
}

export function unknownCamera(): TilsynError {
  return new TilsynError('camera.unknown', 'looking up a camera: there is none with this id or name', {
    hint: '`tilsyn camera list` shows ids and names.',
    exit: 'notFound',
  });
}

function fold(name: string): string {
  return name.normalize('NFC').toLocaleLowerCase('en');
}

/** Cameras of these hosts. */
export async function camerasOf(ctx: Context, agents: readonly AgentRow[]): Promise<CameraRow[]> {
  return await ctx.store.read.camerasOf(agents.map(({ agent }) => agent));
}
