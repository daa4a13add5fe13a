/**
 * What is to be copied, in which order, and whether there is room for it. Pure.
 *
 * I1  Copied is what a hold in force covers, from sources whose recorder deletes by itself, what begins first before what
 *     begins later: a recorder deletes in that order.
 * I2  Pre-flight: a hold's copies are refused as a whole where they exceed the quota, or where they would leave less than
 *     the set hours of recording on the vault's volume at the rate at which sources write there, or less than a twentieth
 *     of it: the agent's own files may lie there. Holds whose copying has begun come first, then the smaller ones.
 */
import { covers, type Hold } from '../../protocol/hold.ts';
import { HOUR_MS } from '../../protocol/time.ts';
import { type Standing, thingOf } from '../recordings/due.ts';
import type { RecordingRow } from '../recordings/types.ts';
import type { Interval } from './store.ts';

/** Holds that cover a recording, by their id. */
export function heldBy(
  row: Pick<RecordingRow, 'bounds'>,
  camera: string,
  standing: Standing,
  holds: readonly Hold[],
): string[] {
  const thing = thingOf(row, camera, standing);
  return holds.filter((hold) => covers(hold, thing)).map(({ hold }) => hold);
}

/** The interval in which a hold may cover recordings of a camera; null: it covers none of it. */
export function reach(hold: Hold, camera: string, standing: Standing): Interval | null {
  // A thing without bounds overlaps every interval: what is left are cameras, hosts and sites.
  const anywhere = { ...thingOf({ bounds: NOWHERE }, camera, standing), bounds: null };
  if (!covers(hold, anywhere)) return null;
  const { from, to } = hold.scope;
  return { from: Math.max(0, from ?? 0), to: to ?? Number.MAX_SAFE_INTEGER };
}

const NOWHERE = { startEarliest: 0, startLatest: 0, endLatest: null } as RecordingRow['bounds'];

/** The same instants in as few intervals as can be, the earliest first. */
export function merged(intervals: readonly Interval[]): Interval[] {
  const out: Interval[] = [];
  for (const { from, to } of intervals.toSorted((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else out.push({ from, to });
  }
  return out;
}

/** What is known of the vault's volume. */
export interface Room {
  /** Free bytes of the volume; null: the system does not say. */
  free: number | null;
  /** All of the volume. */
  volume: number | null;
  /** Bytes that lie in the vault, and how many may. */
  used: number;
  quota: number | null;
  /** Bytes an hour that sources write to the same volume. */
  perHour: number;
  leaveHours: number;
}

export type Refusal = 'vault-quota' | 'vault-space' | 'vault-leaves-too-little';

/** Why `need` more bytes may not be copied (I2); null: nothing speaks against it. */
export function refusal(need: number, room: Room): Refusal | null {
  const { free, volume, used, quota, perHour, leaveHours } = room;
  if (quota !== null && used + need > quota) return 'vault-quota';
  // Nobody knows what is left: as if nothing were.
  if (free === null || volume === null || need > free - volume * KEEP_FREE) return 'vault-space';
  return free - need < perHour * leaveHours ? 'vault-leaves-too-little' : null;
}

/** Share of the volume that copies never take. */
const KEEP_FREE = 0.05;

/** What one hold still needs. */
export interface Need {
  hold: string;
  bytes: number;
  begun: boolean;
}

/** Which holds are copied for, and why the others are not (I2). */
export function admit(needs: readonly Need[], room: Room): Map<string, Refusal | null> {
  const order = needs.toSorted(
    (a, b) => Number(b.begun) - Number(a.begun) || a.bytes - b.bytes || (a.hold < b.hold ? -1 : 1),
  );
  const verdicts = new Map<string, Refusal | null>();
  let taken = 0;
  for (const { hold, bytes } of order) {
    const why = bytes === 0 ? null : refusal(taken + bytes, room);
    if (why === null) taken += bytes;
    verdicts.set(hold, why);
  }
  return verdicts;
}

/** The rate at which a source writes, from what it recorded in the day before its newest end. */
export function perHour(written: readonly { bytes: number; ms: number }[]): number {
  // An hour at least: a recorder that has just begun is not measured yet.
  return written.reduce((sum, { bytes, ms }) => sum + bytes / (Math.max(ms, HOUR_MS) / HOUR_MS), 0);
}

/** Bytes and time: how long to wait so that no more than `perSecond` go through. */
export class Pace {
  readonly #perSecond: number;
  #bytes = 0;
  #since: number;

  constructor(perSecond: number, mono: number) {
    this.#perSecond = perSecond;
    this.#since = mono;
  }

  /** Milliseconds to rest after `bytes` more. */
  after(bytes: number, mono: number): number {
    this.#bytes += bytes;
    const due = (this.#bytes / this.#perSecond) * 1000;
    const wait = Math.ceil(due - (mono - this.#since));
    // Time that nobody used is not saved up: a pause would be followed by a rush.
    if (wait < 0) [this.#bytes, this.#since] = [0, mono];
    return wait < SHORTEST_MS ? 0 : wait;
  }
}

/** Shorter rests cost more than they spare: they come together with the next. */
const SHORTEST_MS = 10;
