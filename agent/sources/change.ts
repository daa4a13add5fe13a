/**
 * What the logs of remote tools say about sessions, in one vocabulary. A reader of a tool's log gives changes,
 * `agent/sessions/` makes events of them; neither knows the other.
 *
 * R1  A reader never throws, whatever the bytes, and what it remembers is bounded.
 * R2  A reader is fed the lines of one file in order, and gives the same changes for the same lines: it can be fed
 *     again from where the oldest open session begins, to know what it knew before a restart.
 * R3  What a log does not say is null or left out, never guessed.
 * R4  Lines that are not about sessions are nothing; a line that looks like one of ours and cannot be read is
 *     unreadable, with a reason that quotes nothing.
 */
import type { AUTH_METHODS, DIRECTIONS, SESSION_KINDS, TIME_BASES } from '../../protocol/event.ts';
import type { UtcMs } from '../../protocol/time.ts';

export type Direction = (typeof DIRECTIONS)[number];
export type Kind = (typeof SESSION_KINDS)[number];
export type TimeBasis = (typeof TIME_BASES)[number];
export type AuthMethod = (typeof AUTH_METHODS)[number];

export interface PeerIp {
  ip: string;
  basis: 'punch' | 'relay-login' | 'socket' | 'unknown';
  scope: 'public' | 'private' | 'own-adapter' | 'unknown';
}

/** Personal; goes into a sealed part and nowhere else. Texts as the log has them; they are cut and scrubbed later. */
export interface Known {
  peerId?: string;
  peerNames?: string[];
  peerIps?: PeerIp[];
  /** Account on this machine. */
  localUser?: string;
  /** The tool's own name for this session. */
  toolSessionId?: string;
  /** Account, or fingerprint of a key, that the person at the other end proved. */
  technician?: string;
}

/** How a session began, or was tried. */
export interface Beginning {
  /**
   * Tells this session from every other that is open at the same time in the same source, and from any that begins
   * at another instant. Made of what the log says, so it may be personal: it stays in memory.
   */
  key: string;
  at: UtcMs;
  basis: TimeBasis;
  direction: Direction;
  kind: Kind;
  known: Known;
}

export type SessionChange =
  /** Somebody knocks; whether they get in is not known yet. A session of this key may follow, or a refusal. */
  | ({ what: 'attempted' } & Beginning)
  /** They did not get in. `count`: how often, where one line says so of several. */
  | ({ what: 'rejected'; reason: RejectReason; count: number } & Beginning)
  /** Access was granted. `auth`: how, where that is known by now. */
  | ({ what: 'started'; auth: AuthMethod | null; failedAttempts: number | null } & Beginning)
  /** Something more is known of an open session, or of one that ended a moment ago. Absent: no news. */
  | {
      what: 'updated';
      key: string;
      auth?: AuthMethod;
      failedAttempts?: number;
      /** Files transferred so far. */
      files?: number;
      kind?: Kind;
      known?: Known;
      /** Whether somebody is at the other end, where a session outlives its connection; since when. */
      connection?: { state: 'cut' | 'taken-up'; at: UtcMs };
    }
  /** `tool-stopped`: the tool died or was stopped under it. `unknown`: nothing says when it ended; `at` is a bound. */
  | {
      what: 'ended';
      key: string;
      at: UtcMs;
      basis: TimeBasis;
      reason: 'completed' | 'tool-stopped' | 'unknown';
    }
  /** The tool was started, or stopped: no session that is open here goes on. */
  | { what: 'tool-stopped'; at: UtcMs; basis: TimeBasis }
  /** Something about the tool that an auditor should know. */
  | { what: 'finding'; finding: 'logging-off'; at: UtcMs };

export type RejectReason =
  | 'wrong-password'
  | 'unknown-account'
  | 'not-allowed'
  | 'cancelled'
  | 'version'
  | 'unknown';

/** `nothing`: no line about sessions. */
export type LineResult = { ok: true; changes: readonly SessionChange[] } | { ok: false; reason: LineProblem };
export type LineProblem = 'fields' | 'start' | 'end' | 'peer-id' | 'encoding' | 'too-long';

/** Longest line that a reader of a tool's log takes; what the follower cuts is shorter. */
export const MAX_LINE_CHARS = 64 * 1024;

export const NOTHING: LineResult = { ok: true, changes: [] };

export interface LineReader {
  /** One line without its newline (R1, R2). */
  line(text: string): LineResult;
  /**
   * A new generation of the file begins (it was rotated, or truncated). What is open stays open; what was said at
   * the head of the old file (a zone, an own id) may be said anew.
   */
  newFile?(): void;
  /**
   * True where lines cannot be understood without the head of their file (a zone, an own id). To know what it knew,
   * such a reader is fed from the start of the generation that the oldest open session began in (R2).
   */
  readonly fromHead?: true;
  /**
   * What the tool calls this machine, as far as the lines so far say; null: they do not. Personal as a peer's id is. Only
   * of readers of tools that have such a thing.
   */
  ownId?(): string | null;
}

/** What a reader is told of its surroundings; nothing of it changes while it runs. */
export interface ReaderOptions {
  /** IANA zone of the machine, for logs that say local time without an offset. */
  zone: string;
  /** About when the lines were written (the file's last change, or now): picks the year where a line has none. */
  near: () => UtcMs;
  /** Addresses of this machine's own adapters. */
  ownIps: readonly string[];
}

export type MakeReader = (options: ReaderOptions) => LineReader;
