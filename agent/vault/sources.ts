/** What the vault knows of the roots and their cameras, and what of them the holds in force reach. */
import type { Hold } from '../../protocol/hold.ts';
import { recorderDeletes } from '../config-sources.ts';
import type { Standing } from '../recordings/due.ts';
import { spanOf } from '../recordings/layouts/span.ts';
import type { Root } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { RecordingSource } from '../recordings/types.ts';
import { merged, reach } from './plan.ts';
import type { Interval, Spanned } from './store.ts';

/** A camera of a recorder that deletes by itself. */
export interface WatchedCamera extends Spanned {
  source: RecordingSource;
}

/** In which intervals holds reach it. */
export interface HeldCamera {
  camera: WatchedCamera;
  intervals: Interval[];
}

/** Cameras of the sources that the vault copies from. */
export function watchedCameras(sweeps: SweepStore, roots: readonly Root[]): WatchedCamera[] {
  const layouts = new Map(
    roots.filter(({ config }) => recorderDeletes(config)).map(({ id, layout }) => [id, layout]),
  );
  return sweeps.sources().flatMap((source) => {
    const layout = layouts.get(source.id);
    if (layout === undefined) return [];
    const spanMs = spanOf(layout);
    return sweeps.cameras(source.id).map(({ id, camera }) => ({ source, id, camera, spanMs }));
  });
}

/** Those that any of `holds` reaches. */
export function heldCameras(
  cameras: readonly WatchedCamera[],
  holds: readonly Hold[],
  standing: Standing,
): HeldCamera[] {
  return cameras.flatMap((camera) => {
    const reached = holds.map((hold) => reach(hold, camera.camera, standing));
    const intervals = merged(reached.filter((one) => one !== null));
    return intervals.length === 0 ? [] : [{ camera, intervals }];
  });
}
