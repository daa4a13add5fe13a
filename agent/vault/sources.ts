/** What the vault knows of the roots and their cameras, and what of them the holds in force reach. */
import type { Hold } from '../../protocol/hold.ts';
import type { Standing } from '../recordings/due.ts';
import type { Root } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { CameraRow, RecordingSource } from '../recordings/types.ts';
import { merged, reach } from './plan.ts';
import type { Interval } from './store.ts';

/** A camera of a recorder that deletes by itself, and in which intervals holds reach it. */
export interface HeldCamera {
  source: RecordingSource;
  camera: CameraRow;
  intervals: Interval[];
}

/** By itself unless somebody said otherwise: whoever left the erasing to the recorder has one that erases (R5). */
export function recorderDeletes({ mode, recorderDeletes: said }: Root['config']): boolean {
  return said ?? mode === 'report';
}

/** Sources that the vault copies from. */
export function watchedSources(sweeps: SweepStore, roots: readonly Root[]): RecordingSource[] {
  const ids = new Set(roots.filter(({ config }) => recorderDeletes(config)).map(({ id }) => id));
  return sweeps.sources().filter(({ id }) => ids.has(id));
}

/** Cameras that any of `holds` reaches. */
export function heldCameras(
  sweeps: SweepStore,
  sources: readonly RecordingSource[],
  holds: readonly Hold[],
  standing: Standing,
): HeldCamera[] {
  return sources.flatMap((source) =>
    sweeps.cameras(source.id).flatMap((camera) => {
      const reached = holds.map((hold) => reach(hold, camera.camera, standing));
      const intervals = merged(reached.filter((one) => one !== null));
      return intervals.length === 0 ? [] : [{ source, camera, intervals }];
    }),
  );
}
