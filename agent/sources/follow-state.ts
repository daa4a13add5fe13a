/**
 * What is remembered of followed files, and what a step of following hands over. Plain data: the state is
 * stored as JSON in the same transaction as the events made from the lines.
 */
import type { Encoding } from './decode.ts';

/** One generation of the followed file that still has, or may still get, bytes to read. */
export interface FileState {
  /** Number of this generation; lines name it. Never used again within one state. */
  file: number;
  /** Inode (file id on Windows) as decimal text. */
  ino: string;
  /** 24 bits of the keyed hash of the first `fpLength` bytes. */
  fp: number;
  /** 0 … 1024; grows with the file. */
  fpLength: number;
  /** Bytes, when last looked at. */
  size: number;
  /** Bytes; everything before it has been delivered and accepted. */
  offset: number;
  encoding: Encoding;
  /** Inside a too-long line that was reported: bytes up to the next line feed are passed over. */
  skipping: boolean;
  /** True for the file at the followed path; false for one that was moved away and is being finished. */
  live: boolean;
}

/** A file that is finished with, or lay there before we came: never read again from its start. */
export interface KnownFile {
  ino: string;
  fp: number;
  fpLength: number;
  /** Where to go on if it comes back to the followed path. */
  offset: number;
}

export interface FollowState {
  /** The folder has been looked at once: what lay there before us is known. */
  begun: boolean;
  /** Oldest first; the last one is the live path, where `live` says so. */
  files: FileState[];
  /** Newest last, at most 32. */
  known: KnownFile[];
  /** Next generation number. */
  nextFile: number;
  /** Modification time (ms since 1970, the file system's clock) of the live file when last seen. */
  newestMs: number;
  /** Error code that was reported by `unreadable-file` and not yet taken back by `recovered`. */
  unreadable: string | null;
}

export interface FollowedLine {
  text: string;
  /** Generation of the file, as in `FileState.file`. */
  file: number;
  /** Byte offset of the line's first byte. */
  start: number;
  /** Byte offset where reading resumes after this line. */
  end: number;
  /** `too-long`: text is empty. `encoding`: text has U+FFFD for what could not be decoded. */
  problem: null | 'too-long' | 'encoding';
}

/**
 * Something that happened to the file. `offset` and `length` are bytes:
 * opened – where reading starts, size now; rotated – where we stand in the old file, its unread bytes;
 * truncated – where we stood, size of the new content; lost – the range that cannot be read any more;
 * unreadable-file, recovered – where we stand, 0.
 */
export interface FollowNotice {
  kind: 'opened' | 'rotated' | 'truncated' | 'lost' | 'unreadable-file' | 'recovered';
  /** One word of a closed set, or a system error code. Never text from a file. */
  reason: string;
  offset: number;
  length: number;
}

export interface FollowStep {
  lines: FollowedLine[];
  notices: FollowNotice[];
  /** The state to store with these lines. */
  state: FollowState;
  /** Bytes known and not yet delivered, over all files. */
  behindBytes: number;
  /** True where the next step has lines at once. */
  more: boolean;
}

const KNOWN_KEPT = 32;

export function emptyState(): FollowState {
  return { begun: false, files: [], known: [], nextFile: 1, newestMs: 0, unreadable: null };
}

/** The entry of the file at the followed path, if it has been opened. */
export function liveOf(state: FollowState): FileState | null {
  return state.files.find((file) => file.live) ?? null;
}

/** Takes a file off the list of those being read and keeps its identity. */
export function retireFile(state: FollowState, file: FileState): void {
  state.files = state.files.filter((other) => other !== file);
  remember(state, { ino: file.ino, fp: file.fp, fpLength: file.fpLength, offset: file.offset });
}

export function remember(state: FollowState, known: KnownFile): void {
  // An empty beginning identifies nothing.
  if (known.fpLength > 0) state.known = [...state.known, known].slice(-KNOWN_KEPT);
}
