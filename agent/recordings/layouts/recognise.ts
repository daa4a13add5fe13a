/**
 * Which layout a folder has, from a sample of its paths. Pure: somebody else read the folder.
 *
 * C12 Nothing is switched on by recognising: it shows what each path was read as, for a person to look at.
 */
import type { UtcMs } from '../../../protocol/time.ts';
import type { ByteName, Layout, PathSays } from '../types.ts';
import { layoutOf } from './index.ts';
import { LAYOUTS } from './table.ts';

export interface SampledPath {
  folder: readonly ByteName[];
  name: ByteName;
}

export interface ParsedPath {
  folder: readonly ByteName[];
  name: ByteName;
  camera: ByteName;
  startEarliest: UtcMs | null;
  startLatest: UtcMs | null;
  endStated: UtcMs | null;
}

export interface Recognised {
  layout: string;
  title: string;
  erasable: boolean;
  /** Of the sample: how many are recordings in this layout, belong to it otherwise, or are unknown to it. */
  recordings: number;
  others: number;
  unknown: number;
  /** At most ten, spread over the sample. */
  shown: ParsedPath[];
}

const SHOWN = 10;

/** Layouts that read some of these paths, the best first. */
export function recognise(sample: readonly SampledPath[], zone: string): Recognised[] {
  return LAYOUTS.map(({ name }) => judge(layoutOf({ layout: name, zone, longestSegmentMs: null }), sample))
    .filter(({ recordings }) => recordings > 0)
    .sort((a, b) => a.unknown - b.unknown || b.recordings - a.recordings);
}

/** What one layout makes of the sample. */
export function judge(layout: Layout, sample: readonly SampledPath[]): Recognised {
  const read = sample.map((path) => ({ path, says: layout.folder(path.folder).file(path.name) }));
  const recordings = read.flatMap(({ path, says }) => parsed(path, says));
  const unknown = read.filter(({ says }) => says.is === 'unknown').length;
  const step = Math.max(1, Math.ceil(recordings.length / SHOWN));
  return {
    layout: layout.name,
    title: layout.title,
    erasable: layout.erasable,
    recordings: recordings.length,
    others: read.length - recordings.length - unknown,
    unknown,
    shown: recordings.filter((_, at) => at % step === 0).slice(0, SHOWN),
  };
}

function parsed({ folder, name }: SampledPath, says: PathSays): ParsedPath[] {
  if (says.is === 'untimed') {
    return [{ folder, name, camera: says.camera, startEarliest: null, startLatest: null, endStated: null }];
  }
  if (says.is !== 'recording') return [];
  const { camera, startEarliest, startLatest, endStated } = says;
  return [{ folder, name, camera, startEarliest, startLatest, endStated }];
}
