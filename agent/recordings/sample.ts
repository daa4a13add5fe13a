/**
 * A sample of the paths below a folder, for recognising its layout before anything is switched on. Reads names only, never
 * follows a link, and stops at its limits.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { TilsynError } from '../../protocol/errors.ts';
import type { SampledPath } from './layouts/recognise.ts';
import { fromBytes, toBytes } from './names.ts';
import type { ByteName } from './types.ts';

const MAX_FILES = 5_000;
const MAX_FOLDERS = 2_000;
const MAX_DEPTH = 10;
/** Files of one folder that are looked at: others lie beside them in hundreds, all alike. */
const PER_FOLDER = 40;

export interface Sample {
  paths: SampledPath[];
  folders: number;
  /** False: there is more than was looked at. */
  whole: boolean;
}

/** @throws TilsynError `root.unreadable` */
export function samplePaths(dir: string): Sample {
  const root = resolve(dir);
  const found: Sample = { paths: [], folders: 0, whole: true };
  const waiting: ByteName[][] = [[]];
  try {
    lstatSync(root);
  } catch (error) {
    throw new TilsynError('root.unreadable', `looking into ${root}: it cannot be read`, {
      hint: 'Is the disk mounted, and may this account read it?',
      exit: 'notFound',
      cause: error,
    });
  }
  // The newest of a sorted list first: what a recorder does now says more than what it did before an upgrade.
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (found.folders >= MAX_FOLDERS || found.paths.length >= MAX_FILES) return { ...found, whole: false };
    found.folders += 1;
    readOne(root, path, found, waiting);
  }
  return found;
}

function readOne(root: string, path: ByteName[], found: Sample, waiting: ByteName[][]): void {
  let files = 0;
  for (const entry of entriesOf(root, path)) {
    const name = fromBytes(entry.name);
    if (entry.isDirectory()) {
      if (path.length < MAX_DEPTH) waiting.push([...path, name]);
      else found.whole = false;
    } else if (files < PER_FOLDER) {
      files += 1;
      found.paths.push({ folder: path, name });
    } else found.whole = false;
  }
}

function entriesOf(root: string, path: ByteName[]) {
  const full = Buffer.concat([Buffer.from(root), ...path.map((part) => toBytes(`/${part}`))]);
  try {
    return readdirSync(full, { withFileTypes: true, encoding: 'buffer' }).reverse();
  } catch {
    // A folder that may not be read says nothing about the layout.
    return [];
  }
}
