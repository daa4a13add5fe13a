/**
 * Looks for canaries in bytes, in every form in which text ends up on a disk, in a log or on a wire: raw, UTF-16,
 * hex, base64 and base64url at all three alignments, percent-encoded, JSON-escaped, and the same inside gzip and
 * zlib streams. Says what it found, in which form and where; never prints the bytes around it.
 */
import { gunzipSync, inflateSync } from 'node:zlib';

export interface Canary {
  /** What a finding is called; the text itself stands in no report. */
  name: string;
  text: string;
}

export interface Hit {
  /** File, or what else the bytes are. */
  where: string;
  canary: string;
  /** `raw`, `hex`, `base64+1`, `gzip > raw` … */
  form: string;
  offset: number;
}

interface Needle {
  canary: string;
  form: string;
  bytes: Buffer;
}

/** Streams inside streams are followed this deep. */
const MAX_DEPTH = 2;
/** What one stream may inflate to; more is cut off, as a bomb is not ours. */
const MAX_INFLATED = 64 * 1024 * 1024;
/** Fewer than this and the form would be found in anything. */
const MIN_NEEDLE = 6;

/** All forms of one canary, each once. */
export function needlesOf({ name, text }: Canary): Needle[] {
  const utf8 = Buffer.from(text, 'utf8');
  const utf16 = Buffer.from(text, 'utf16le');
  const forms = new Map<string, Buffer>([
    ['raw', utf8],
    ['raw lower', Buffer.from(text.toLowerCase())],
    ['raw upper', Buffer.from(text.toUpperCase())],
    ['utf-16le', utf16],
    ['utf-16be', Buffer.from(utf16).swap16()],
    ['json', Buffer.from(jsonEscaped(text))],
    ...hexForms('hex', utf8),
    ...hexForms('hex of utf-16le', utf16),
    ...base64Forms('', utf8),
    ...base64Forms(' of utf-16le', utf16),
    ...percentForms(text, utf8),
  ]);
  const seen = new Set<string>();
  const needles: Needle[] = [];
  for (const [form, bytes] of forms) {
    const key = bytes.toString('latin1');
    if (bytes.length < MIN_NEEDLE || seen.has(key)) continue;
    seen.add(key);
    needles.push({ canary: name, form, bytes });
  }
  return needles;
}

/** Everything that is not ASCII as `\uXXXX`, as many a logger writes it. */
function jsonEscaped(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1);
  return escaped.replace(
    /[\u0080-\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function hexForms(name: string, bytes: Buffer): [string, Buffer][] {
  const hex = bytes.toString('hex');
  return [
    [name, Buffer.from(hex)],
    [`${name} upper`, Buffer.from(hex.toUpperCase())],
  ];
}

/** Behind 0, 1 or 2 bytes of something else, only signs that depend on the canary alone are left. */
function base64Forms(name: string, bytes: Buffer): [string, Buffer][] {
  const forms: [string, Buffer][] = [];
  for (const shift of [0, 1, 2]) {
    const all = Buffer.concat([Buffer.alloc(shift), bytes]);
    const from = Math.ceil((shift * 8) / 6);
    const to = Math.floor((all.length * 8) / 6);
    for (const kind of ['base64', 'base64url'] as const) {
      forms.push([`${kind}${name}+${shift}`, Buffer.from(all.toString(kind).slice(from, to))]);
    }
  }
  return forms;
}

function percentForms(text: string, bytes: Buffer): [string, Buffer][] {
  const all = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  return [
    ['percent', Buffer.from(encodeURIComponent(text))],
    ['percent, + for blank', Buffer.from(encodeURIComponent(text).replaceAll('%20', '+'))],
    ['percent, every byte', Buffer.from(all.toUpperCase())],
    ['percent, every byte, lower', Buffer.from(all)],
  ];
}

/** The first bytes of needles, four as one number, fall into so many places. */
const PLACE_BITS = 20;
const SPREAD = 0x9e3779b1;

/** Thousands of needles in one pass over the bytes: only where the first four fit is anything compared. */
export class Searcher {
  readonly #needles: Needle[];
  readonly #places = new Uint8Array(2 ** PLACE_BITS);
  /** Numbers of needles by their first four bytes. */
  readonly #begins = new Map<number, number[]>();

  constructor(canaries: readonly Canary[]) {
    this.#needles = canaries.flatMap(needlesOf);
    for (const [n, { bytes }] of this.#needles.entries()) {
      const begin = bytes.readInt32LE(0);
      this.#places[placeOf(begin)] = 1;
      this.#begins.set(begin, [...(this.#begins.get(begin) ?? []), n]);
    }
  }

  /** One hit per canary and form: where it stands first. */
  search(where: string, bytes: Buffer, depth = 0, through = ''): Hit[] {
    const hits = [...this.#first(bytes)]
      .sort(([a], [b]) => a - b)
      .map(([n, offset]): Hit => {
        const { canary = '', form = '' } = this.#needles[n] ?? {};
        return { where, canary, form: through + form, offset };
      });
    if (depth >= MAX_DEPTH) return hits;
    for (const { kind, offset, inflated } of streamsIn(bytes)) {
      for (const hit of this.search(where, inflated, depth + 1, `${through}${kind} > `)) {
        hits.push({ ...hit, offset });
      }
    }
    return hits;
  }

  /** Offsets by number of the needle. */
  #first(bytes: Buffer): Map<number, number> {
    const found = new Map<number, number>();
    if (bytes.length < 4) return found;
    const [places, last] = [this.#places, bytes.length - 4];
    let begin = bytes.readInt32LE(0);
    for (let at = 0; ; at++) {
      if (places[placeOf(begin)] === 1) this.#compare(bytes, at, begin, found);
      if (at === last) return found;
      begin = (begin >>> 8) | ((bytes[at + 4] as number) << 24);
    }
  }

  #compare(bytes: Buffer, at: number, begin: number, found: Map<number, number>): void {
    for (const n of this.#begins.get(begin) ?? []) {
      const needle = this.#needles[n]?.bytes;
      if (needle === undefined || found.has(n) || at + needle.length > bytes.length) continue;
      if (bytes.compare(needle, 0, needle.length, at, at + needle.length) === 0) found.set(n, at);
    }
  }
}

function placeOf(begin: number): number {
  return Math.imul(begin, SPREAD) >>> (32 - PLACE_BITS);
}

interface Stream {
  kind: 'gzip' | 'zlib';
  offset: number;
  inflated: Buffer;
}

/** Streams that begin anywhere in `bytes`; of one that is damaged or cut, what comes out before that. */
export function* streamsIn(bytes: Buffer): Generator<Stream> {
  for (let at = bytes.indexOf(0x1f); at >= 0; at = bytes.indexOf(0x1f, at + 1)) {
    if (bytes[at + 1] !== 0x8b || bytes[at + 2] !== 8) continue;
    const inflated = inflatedFrom(bytes.subarray(at), gunzipSync);
    if (inflated !== null) yield { kind: 'gzip', offset: at, inflated };
  }
  // RFC 1950: 0x78 is a 32 KiB window, the first two bytes are a multiple of 31, bit 5 would be a dictionary.
  for (let at = bytes.indexOf(0x78); at >= 0; at = bytes.indexOf(0x78, at + 1)) {
    const flags = bytes[at + 1] ?? 0;
    if ((0x7800 + flags) % 31 !== 0 || (flags & 0x20) !== 0) continue;
    const inflated = inflatedFrom(bytes.subarray(at), inflateSync);
    if (inflated !== null) yield { kind: 'zlib', offset: at, inflated };
  }
}

type Inflate = typeof gunzipSync;

function inflatedFrom(bytes: Buffer, inflate: Inflate): Buffer | null {
  const whole = tryInflate(bytes, inflate);
  if (whole !== null) return whole.length > 0 ? whole : null;
  // Damaged somewhere: the longest beginning that still inflates.
  let good = 0;
  let bad = bytes.length;
  for (
    let size = 32;
    size < bytes.length && tryInflate(bytes.subarray(0, size), inflate) !== null;
    size *= 2
  ) {
    good = size;
  }
  if (good === 0) return null;
  bad = Math.min(bad, good * 2);
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (tryInflate(bytes.subarray(0, middle), inflate) === null) bad = middle;
    else good = middle;
  }
  const best = tryInflate(bytes.subarray(0, good), inflate);
  return best !== null && best.length > 0 ? best : null;
}

function tryInflate(bytes: Buffer, inflate: Inflate): Buffer | null {
  try {
    // SYNC_FLUSH: a stream that is cut off gives what is there instead of an error.
    return inflate(bytes, { finishFlush: 2, maxOutputLength: MAX_INFLATED });
  } catch {
    return null;
  }
}

/** A line for a report. */
export function hitLine({ where, canary, form, offset }: Hit): string {
  return `${canary} as ${form} in ${where} at ${offset}`;
}
