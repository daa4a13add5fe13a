/**
 * What the model's recorders write: paths of three layouts, told in the test's own words. Nothing here asks the product's
 * layouts: what a path says is known because the instant came first.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../protocol/time.ts';

export const SITE_ZONE = 'Europe/Copenhagen';
export const PERIOD_MS = 30 * DAY_MS;

export interface Kind {
  name: string;
  /** As a configuration has it. */
  layout: string;
  /** Recordings begin at multiples of it and are as long: no two of a camera overlap in truth. */
  slotMs: number;
  path(at: number, camera: string): string;
  /** Longest time from the true start to where the path's own bound may end. */
  widestMs: number;
  /** From the true start back to where its bound may begin. */
  earlierMs: number;
}

function site(at: number): [day: string, time: string] {
  const format = new Intl.DateTimeFormat('sv-SE', {
    ...{ timeZone: SITE_ZONE, dateStyle: 'short', timeStyle: 'medium' },
  });
  const [day = '', time = ''] = format.format(at).split(' ');
  return [day, time];
}

export const KINDS: readonly Kind[] = [
  {
    name: 'hours',
    layout: 'frigate',
    slotMs: 10 * MINUTE_MS,
    path(at, camera) {
      const iso = new Date(at).toISOString();
      return `${iso.slice(0, 10)}/${iso.slice(11, 13)}/${camera}/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
    },
    widestMs: 10 * MINUTE_MS,
    earlierMs: 0,
  },
  {
    name: 'local',
    layout: 'motioneye',
    slotMs: 20 * MINUTE_MS,
    path(at, camera) {
      const [day, time] = site(at);
      return `${camera}/${day}/${time.replaceAll(':', '-')}.mp4`;
    },
    // The repeated hour, and the longest segment of this layout.
    widestMs: 2 * HOUR_MS,
    earlierMs: HOUR_MS,
  },
  {
    name: 'dates',
    layout: '{camera}/%Y-%m-%d/{n}.mp4',
    slotMs: 20 * MINUTE_MS,
    path: (at, camera) => `${camera}/${site(at)[0]}/${at / MINUTE_MS}.mp4`,
    // A day of 25 hours, and the longest segment.
    widestMs: 26 * HOUR_MS,
    earlierMs: 25 * HOUR_MS,
  },
];
