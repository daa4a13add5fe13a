/**
 * What is left of something in state directories: bytes of canaries and of keys, in every file below them (databases,
 * their logs, slots, logs, temporary files), as text in UTF-8 and UTF-16, hex and base64.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Leftover {
  /** File, below the folder that was searched. */
  file: string;
  /** Which of the things that were looked for; never its bytes. */
  what: string;
  form: string;
}

/** Things that must not be found, by name. A text stands for its bytes in every usual form, a buffer for itself too. */
export type Sought = Readonly<Record<string, string | Buffer>>;

export function leftovers(folders: readonly string[], sought: Sought): Leftover[] {
  const needles = Object.entries(sought).flatMap(([what, thing]) =>
    formsOf(thing).map(([form, bytes]) => ({ what, form, bytes })),
  );
  return folders.flatMap((folder) =>
    filesBelow(folder).flatMap((path) => {
      const bytes = readFileSync(path);
      return needles
        .filter((needle) => bytes.includes(needle.bytes))
        .map(({ what, form }) => ({ file: relative(folder, path), what, form }));
    }),
  );
}

/** The same in one file, however large: a device. */
export function needlesFound(path: string, sought: Sought): Omit<Leftover, 'file'>[] {
  const bytes = readFileSync(path);
  return Object.entries(sought).flatMap(([what, thing]) =>
    formsOf(thing)
      .filter(([, needle]) => bytes.includes(needle))
      .map(([form]) => ({ what, form })),
  );
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function formsOf(thing: string | Buffer): [string, Buffer][] {
  const bytes = typeof thing === 'string' ? Buffer.from(thing, 'utf8') : thing;
  const forms: [string, Buffer][] = [
    ['raw', bytes],
    ['hex', Buffer.from(bytes.toString('hex'))],
    ['base64', Buffer.from(bytes.toString('base64').replace(/=+$/, ''))],
    ['base64url', Buffer.from(bytes.toString('base64url'))],
  ];
  if (typeof thing === 'string') forms.push(['utf-16', Buffer.from(thing, 'utf16le')]);
  // Two forms may be one: each is looked for once.
  return [
    ...new Map(forms.map(([form, needle]) => [needle.toString('latin1'), [form, needle]])).values(),
  ] as [string, Buffer][];
}

/** The private halves that lie in a `keys.slots` now, by group. */
export function keysIn(path: string): Map<string, Buffer> {
  const bytes = readFileSync(path);
  const keys = new Map<string, Buffer>();
  for (let at = 64; at < bytes.length; at += 64) {
    // `slots.ts`: magic, state (1: live), group at 8, key at 24.
    if (bytes.toString('latin1', at, at + 4) !== 'TLS1' || bytes[at + 4] !== 1) continue;
    keys.set(bytes.toString('hex', at + 8, at + 24), Buffer.from(bytes.subarray(at + 24, at + 56)));
  }
  return keys;
}
