/**
 * Whether a finished recording holds a sound track, read from the container's own list of tracks.
 *
 * C60 `none` is said only where every track of the list was read to its kind; `audio` where one of them is sound. All else,
 *     a cut file, a fragment without its list, another container, is `unknown`: never a silent `none`.
 * C61 Only headers are read: no media data, at most LOOKS small reads whatever the file claims, and no file makes it throw.
 *     A size that claims more than its parent holds ends the walk.
 */
import { fstatSync, readSync } from 'node:fs';

export type Sound = 'audio' | 'none' | 'unknown';

/** Reads up to that many bytes at that place; fewer at the end. */
export type ReadAt = (at: number, bytes: number) => Buffer;

/** A recorder's file has a few tracks of a few boxes each; what needs more looks is no such file. */
export const LOOKS = 1024;
/** A header's longest form: a size of 64 bits, and the handler's kind behind its version. */
export const LOOK_BYTES = 16;

/** What the walk has seen of the list of tracks. */
interface Tracks {
  tracks: number;
  kinds: number;
  sound: boolean;
  /** A track without exactly one kind. */
  unclear: boolean;
}

interface Part {
  id: number;
  start: number;
  end: number;
}

type Header = (at: number, end: number) => Part | undefined;

/** Names of the parts that lead to a track's kind, outermost first. */
interface Container {
  header: Header;
  list: number;
  /** A part whose children are walked too. */
  inside: ReadonlySet<number>;
  track: number;
  kind: number;
  /** Where the media begin: behind it no list is looked for. */
  media?: number;
  isSound(part: Part): boolean | undefined;
}

/** Reads the list of tracks of a container of `size` bytes. */
export function soundIn(readAt: ReadAt, size: number): Sound {
  let looks = 0;
  const look: ReadAt = (at, bytes) => {
    looks += 1;
    return looks > LOOKS ? Buffer.alloc(0) : readAt(at, Math.min(bytes, LOOK_BYTES));
  };
  const first = look(0, 8);
  if (first.length < 8) return 'unknown';
  const container = first.readUInt32BE(0) === EBML ? matroska(look) : isoMedia(look);
  return verdict(container, size);
}

/** The same of an open file. Reading is all that is done to it. */
export function soundOf(fd: number): Sound {
  const readAt: ReadAt = (at, bytes) => {
    const into = Buffer.alloc(bytes);
    return into.subarray(0, readSync(fd, into, 0, bytes, at));
  };
  try {
    const found = fstatSync(fd);
    return found.isFile() ? soundIn(readAt, found.size) : 'unknown';
  } catch {
    // A disk that cannot be read says nothing of the file's tracks.
    return 'unknown';
  }
}

function verdict(container: Container, size: number): Sound {
  const list = listOf(container, 0, size);
  if (list === undefined) return 'unknown';
  const seen: Tracks = { tracks: 0, kinds: 0, sound: false, unclear: false };
  const whole = walk(container, list, seen);
  if (seen.sound) return 'audio';
  return whole && seen.tracks > 0 && !seen.unclear ? 'none' : 'unknown';
}

/** The list of tracks; looked for beside the media, never in them. */
function listOf(container: Container, start: number, end: number): Part | undefined {
  for (let at = start; at < end; ) {
    const part = container.header(at, end);
    if (part === undefined || part.id === container.media) return undefined;
    if (part.id === container.list) return part;
    at = part.id === SEGMENT ? part.start : part.end;
  }
  return undefined;
}

/** True where the part was read to its end. Parts nest as deep as the list of names allows: three. */
function walk(container: Container, within: Part, seen: Tracks, depth = 0): boolean {
  for (let at = within.start; at < within.end; ) {
    const part = container.header(at, within.end);
    if (part === undefined) return false;
    const before = seen.kinds;
    if (part.id === container.kind && depth > 0) note(container.isSound(part), seen);
    const into = container.inside.has(part.id) && depth < 3;
    if (into && !walk(container, part, seen, depth + 1)) return false;
    if (part.id === container.track) {
      seen.tracks += 1;
      seen.unclear ||= seen.kinds !== before + 1;
    }
    at = part.end;
  }
  return true;
}

function note(sound: boolean | undefined, seen: Tracks): void {
  if (sound === undefined) return;
  seen.kinds += 1;
  seen.sound ||= sound;
}

const word = (text: string): number => Buffer.from(text, 'latin1').readUInt32BE(0);

/** MP4, MOV and fragmented MP4: moov / trak / mdia / hdlr. The media (mdat) are stepped over by their size. */
function isoMedia(look: ReadAt): Container {
  return {
    header: (at, end) => box(look, at, end),
    list: word('moov'),
    inside: new Set([word('trak'), word('mdia')]),
    track: word('trak'),
    kind: word('hdlr'),
    isSound: (part) => {
      const head = look(part.start, 12);
      return part.end - part.start < 12 || head.length < 12
        ? undefined
        : head.readUInt32BE(8) === word('soun');
    },
  };
}

function box(look: ReadAt, at: number, end: number): Part | undefined {
  const head = look(at, 16);
  if (head.length < 8) return undefined;
  const id = head.readUInt32BE(4);
  const short = head.readUInt32BE(0);
  // 0: to the end of what holds it. 1: the size follows in 64 bits.
  if (short === 0) return { id, start: at + 8, end };
  if (short === 1 && head.length < 16) return undefined;
  const bytes = short === 1 ? Number(head.readBigUInt64BE(8)) : short;
  const headBytes = short === 1 ? 16 : 8;
  if (bytes < headBytes || bytes > end - at) return undefined;
  return { id, start: at + headBytes, end: at + bytes };
}

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const CLUSTER = 0x1f43b675;
const TRACKS = 0x1654ae6b;
const TRACK_ENTRY = 0xae;
const TRACK_TYPE = 0x83;
const SOUND_TYPE = 2;

/** Matroska and WebM: Segment / Tracks / TrackEntry / TrackType. */
function matroska(look: ReadAt): Container {
  return {
    header: (at, end) => element(look, at, end),
    list: TRACKS,
    inside: new Set([TRACK_ENTRY]),
    track: TRACK_ENTRY,
    kind: TRACK_TYPE,
    media: CLUSTER,
    isSound: (part) => {
      const bytes = part.end - part.start;
      const value = look(part.start, Math.min(bytes, 8));
      if (bytes < 1 || bytes > 8 || value.length < bytes) return undefined;
      return value.readUIntBE(Math.max(0, bytes - 6), Math.min(bytes, 6)) === SOUND_TYPE;
    },
  };
}

function element(look: ReadAt, at: number, end: number): Part | undefined {
  const head = look(at, 12);
  const idBytes = Math.clz32(head[0] ?? 0) - 23;
  const sizeBytes = Math.clz32(head[idBytes] ?? 0) - 23;
  if (idBytes > 4 || sizeBytes > 8 || head.length < idBytes + sizeBytes) return undefined;
  const start = at + idBytes + sizeBytes;
  const id = head.readUIntBE(0, idBytes);
  const bytes = sizeIn(head.subarray(idBytes, idBytes + sizeBytes));
  // Only a file that is written as it is recorded leaves the size open, and only of its Segment.
  if (bytes === undefined) return id === SEGMENT ? { id, start, end } : undefined;
  return bytes > end - start ? undefined : { id, start, end: start + bytes };
}

/** A variable-length size without its length mark; undefined: all ones, which means not known. */
function sizeIn(bytes: Buffer): number | undefined {
  const mark = 0x80 >> (bytes.length - 1);
  const open = bytes.every((byte, at) => byte === (at === 0 ? (mark << 1) - 1 : 0xff));
  if (open) return undefined;
  return bytes.reduce((sum, byte, at) => sum * 256 + (at === 0 ? byte & (mark - 1) : byte), 0);
}
