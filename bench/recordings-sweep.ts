/**
 * Erasing expired recordings of 2 MB each (allocated, not written) on an ext4 of its own, beside `find -delete` on the same
 * tree: files a second, and the longest time in which the agent answers nothing.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Place } from '../test/nvr/place.ts';
import { copyImage, makeImage, missingForImages, mountImage, unmountImage } from '../test/powercut/image.ts';
import type { Longest } from './beat.ts';
import type { BenchResult } from './result.ts';

export interface SweepPlan {
  files: number;
  rounds: number;
}

const FILE_MB = 2;
const CHILD = new URL('./recordings-sweep-child.ts', import.meta.url).pathname;

interface Ran extends Longest {
  seconds: number;
  cpuSeconds: number;
}

export async function recordingsSweepBench({ files, rounds }: SweepPlan): Promise<BenchResult[]> {
  const missing = missingForImages();
  if (missing !== null) throw new Error(`NOT MEASURED: needs ${missing}`);
  const place = new Place();
  const image = join(place.home, 'disk.img');
  const at = join(place.home, 'disk');
  try {
    prepare(place, image, at, files);
    const [ours, theirs]: [Ran[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      // In turns, each first as often as the other.
      for (const who of round % 2 === 0 ? ['sweep', 'find'] : ['find', 'sweep']) {
        if (who === 'sweep') ours.push(sweep(place, image, at, files));
        else theirs.push(findDelete(place, image, at));
      }
    }
    const seconds = median(ours.map((one) => one.seconds));
    return [
      {
        name: `sweep, ${files} recordings of ${FILE_MB} MB`,
        value: files / seconds,
        unit: 'files/s',
        against: { name: 'find -delete', value: files / median(theirs) },
      },
      { name: 'sweep, times find -delete', value: median(theirs) / seconds, unit: '×', target: '≥ 0.4' },
      {
        name: 'sweep, longest time without an answer',
        value: median(ours.map((one) => one.longestMs)),
        unit: 'ms',
        target: '≤ 100',
      },
      { name: 'sweep, longest, own processor time', value: median(ours.map((one) => one.ownMs)), unit: 'ms' },
      { name: 'sweep, processor time', value: median(ours.map((one) => one.cpuSeconds)) * 1000, unit: 'ms' },
    ];
  } finally {
    unmountImage(at);
    place.close();
  }
}

/** A tree on a disk of its own, catalogued; both are copied for each round. */
function prepare(place: Place, image: string, at: string, files: number): void {
  makeImage(image, Math.ceil(files * FILE_MB * 1.1) + 512);
  mountImage(image, at);
  place.moveTo(join(at, 'recordings'));
  const paths = place.fill(files, 40);
  allocate(place.root, paths);
  place.catalogue();
  execFileSync('cp', ['-a', place.state, `${place.state}.kept`]);
  unmountImage(at);
}

/** Blocks are given without being written: a sparse image stays small. A process for each file takes long: python3 where it is. */
function allocate(root: string, paths: readonly string[]): void {
  const each = `cd "$1" && xargs -d '\\n' -n 1 -P 2 fallocate -l ${FILE_MB}M`;
  const whole = [
    'import os,sys',
    'for line in sys.stdin:',
    ` f=os.open(line.rstrip("\\n"),os.O_WRONLY); os.posix_fallocate(f,0,${FILE_MB}<<20); os.close(f)`,
  ].join('\n');
  const script = 'command -v python3 >/dev/null && cd "$1" && exec python3 -c "$3"; exec sh -c "$2" sh "$1"';
  execFileSync('sh', ['-c', script, 'sh', root, each, whole], { input: paths.join('\n') });
}

function fresh(place: Place, image: string, at: string): void {
  copyImage(image, `${image}.run`);
  mountImage(`${image}.run`, at);
  rmSync(place.state, { recursive: true });
  execFileSync('cp', ['-a', `${place.state}.kept`, place.state]);
}

function sweep(place: Place, image: string, at: string, files: number): Ran {
  fresh(place, image, at);
  try {
    const out = execFileSync(process.execPath, [CHILD, JSON.stringify(place.where)], { encoding: 'utf8' });
    const ran = JSON.parse(out) as Ran & { erased: number; waits: string | null };
    if (ran.erased !== files) throw new Error(`${ran.erased} of ${files} erased: ${ran.waits}`);
    return ran;
  } finally {
    unmountImage(at);
  }
}

function findDelete(place: Place, image: string, at: string): number {
  fresh(place, image, at);
  try {
    const began = performance.now();
    execFileSync('find', [place.root, '-name', '*.mp4', '-delete']);
    // A sweep has its folders on the disk when it ends.
    execFileSync('sync', ['-f', place.root]);
    return (performance.now() - began) / 1000;
  } finally {
    unmountImage(at);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
