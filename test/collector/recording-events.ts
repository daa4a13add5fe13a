/** What hosts tell of their recordings, for tests. */
import { randomBytes } from 'node:crypto';
import type { EventData } from '../../protocol/event.ts';
import { newId, type SourceId } from '../../protocol/ids.ts';
import { DAY_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Draft } from './api-world.ts';

export const newSource = (): SourceId => newId<'source'>(randomBytes);
export const newCamera = () => newId<'camera'>(randomBytes);

export function found(source: string, camera: string, name: string): Draft<'camera.found'> {
  return { type: 'camera.found', data: { source, camera }, personal: { name } };
}

/** The day that begins at midnight before `at`. */
export function day(
  source: string,
  camera: string,
  at: UtcMs,
  over: Partial<EventData<'recordings.day'>> = {},
): Draft<'recordings.day'> {
  const from = utcMs(Math.floor(at / DAY_MS) * DAY_MS);
  const to = utcMs(from + DAY_MS);
  return {
    type: 'recordings.day',
    data: {
      ...{ source, camera, from: toIso(from), to: toIso(to), count: 10, bytes: 1000, present: 10, erased: 0 },
      ...{ missing: 0, first: toIso(from), last: toIso(to), gaps: 0, gapSeconds: 0 },
      ...over,
    },
  };
}

export function waiting(
  source: string,
  reason: string,
  over: Partial<EventData<'sweep.waiting'>> = {},
): Draft<'sweep.waiting'> {
  const data = { source, reason, count: 0, bytes: null, plan: null, since: null, ...over };
  return { type: 'sweep.waiting', data };
}

export function done(source: string): Draft<'sweep.done'> {
  return { type: 'sweep.done', data: { source, erased: 0, failed: 0, left: [] } };
}
