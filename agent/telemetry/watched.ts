/** What is handed to the alert machines: which value each check looks at. Pure. */
import type { Sample } from '../../protocol/telemetry.ts';
import { DISK_CHECKS, type Watched } from './alerts.ts';
import { meanCpu, secondsToFull } from './measures.ts';
import type { Space } from './probe.ts';

/** What Tilsyn knows of itself. */
export interface Own {
  /** Of the state directory's disk; null: not known now. */
  space: Space | null;
  /** How long the oldest event has waited for its ack; 0: none waits. */
  waitingMs: number;
  /** Null while no link is live. */
  skewMs: number | null;
  /** Seconds until holds fill a disk (R9); null: nobody can say, undefined: no recordings are kept here. */
  holdsFill: number | null | undefined;
}

export function watchedOf({ space, waitingMs, skewMs, holdsFill }: Own, atMostMs: number): Watched[] {
  return [
    { check: 'state-disk', index: null, atMostMs, ...fullness(space) },
    { check: 'spool', index: null, atMostMs, value: Math.round(waitingMs / 1000) },
    { check: 'clock-offset', index: null, atMostMs, value: skewMs === null ? null : Math.abs(skewMs) },
    ...(holdsFill === undefined
      ? []
      : [{ check: 'hold-disk', index: null, atMostMs, value: holdsFill } as const]),
  ];
}

export interface Device {
  /** Oldest first; the last one is `sample`. */
  history: readonly Sample[];
  sample: Sample;
  /** Mounted, and not answering. */
  silent: readonly number[];
  /** Disks that alerts are remembered of. */
  remembered: readonly number[];
  memoryIsTelling: boolean;
  atMostMs: number;
}

export function watchedOfDevice(device: Device): Watched[] {
  const { history, sample, memoryIsTelling, atMostMs } = device;
  const machine: Watched[] = [
    { check: 'cpu', index: null, atMostMs, value: meanCpu(history, sample.at, atMostMs) },
    { check: 'memory', index: null, atMostMs, value: memoryIsTelling ? sample.memUsedPermille : null },
  ];
  return [...machine, ...sample.disks.flatMap((disk) => ofDisk(disk, device)), ...gone(device)];
}

function ofDisk({ index, ...space }: Sample['disks'][number], { history, atMostMs }: Device): Watched[] {
  return [
    { check: 'disk-space', index, atMostMs, ...fullness(space) },
    { check: 'disk-fill', index, atMostMs, value: secondsToFull(history, index) },
    { check: 'inodes', index, atMostMs, value: space.inodesUsedPermille },
  ];
}

/** Disks that are not mounted any more, while an alert of theirs is still open. */
function gone({ sample, silent, remembered, atMostMs }: Device): Watched[] {
  const there = new Set([...silent, ...sample.disks.map(({ index }) => index)]);
  return remembered
    .filter((index) => !there.has(index))
    .flatMap((index) => DISK_CHECKS.map((check) => ({ check, index, atMostMs, value: 'gone' as const })));
}

function fullness(space: Space | null): Pick<Watched, 'value' | 'also'> {
  return space === null ? { value: null } : { value: space.usedPermille, also: space.freeMb };
}
