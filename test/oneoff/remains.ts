/** What is left of a session on any disk: sealed parts, keys in every form, canaries. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Canary } from '../privacy/search.ts';
import type { Canaries, Told } from './talk.ts';

interface Needle {
  name: string;
  bytes: Buffer;
}

/** Enough of a part to know it by; its ends may lie on another page. */
const ENOUGH = 48;

/** What is looked for again and again; every form of it is at the end. */
export function needlesOf({ key, bodies }: Told, { peerId, name, user }: Canaries): Needle[] {
  const raw = Buffer.from(key, 'base64url');
  const parts = bodies.flatMap((body, i) => {
    const bytes = Buffer.from(body, 'base64url');
    return [
      { name: `part ${i}, its beginning`, bytes: bytes.subarray(0, ENOUGH) },
      { name: `part ${i}, its end`, bytes: bytes.subarray(-ENOUGH) },
    ];
  });
  return [
    ...parts,
    { name: 'the key', bytes: raw },
    { name: 'the key as text', bytes: Buffer.from(key) },
    ...[peerId, name, user].map((text, i) => ({ name: `canary ${i}`, bytes: Buffer.from(text) })),
  ];
}

/** As `test/privacy` looks for them, in every form. */
export function canariesOf({ key }: Told, { peerId, name, user }: Canaries): Canary[] {
  const raw = Buffer.from(key, 'base64url').toString('latin1');
  return [
    { name: 'a key, raw', text: raw },
    { name: 'a key as text', text: key },
    { name: 'a key as hex', text: Buffer.from(key, 'base64url').toString('hex') },
    ...[peerId, name, user].map((text, i) => ({ name: `canary ${i}`, text })),
  ];
}

/** Where any of it stands; file by file, without the bytes. */
export function found(root: string, folders: readonly string[], needles: readonly Needle[]): string[] {
  const hits: string[] = [];
  for (const folder of folders) {
    for (const path of filesIn(join(root, folder))) {
      const bytes = readOrNull(path);
      if (bytes === null) continue;
      for (const { name, bytes: needle } of needles) {
        if (bytes.includes(needle)) hits.push(`${name} in ${relative(root, path)}`);
      }
    }
  }
  return hits;
}

function filesIn(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

/** A running process may remove a file in between. */
function readOrNull(path: string): Buffer | null {
  try {
    return lstatSync(path).isFile() ? readFileSync(path) : null;
  } catch {
    return null;
  }
}
