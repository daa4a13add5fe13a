/**
 * What the rooms of the agent hand each other. `journal.ts` implements `Journal`; `uplink/` and `sources/` only
 * see these types, so neither can reach the database.
 */
import type { Birth, BirthReason } from '../protocol/birth.ts';
import type { EventData, EventPersonal, EventType } from '../protocol/event.ts';
import type { SignedGroup } from '../protocol/group.ts';
import type { AgentId, AgreementId, GroupId, Id, LogId, SiteId, SourceId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';

/** Who this agent is: `agent.json` in the state directory, written once by `agent enrol`. */
export interface AgentIdentity {
  agent: AgentId;
  agreement: AgreementId;
  site: SiteId;
  mode: 'managed' | 'one-off';
  /** `wss://host:port` of the collector. */
  url: string;
  collectorName: string;
  /** Ed25519 identity key of the collector, base64url. */
  identity: string;
  /** PEM of the pinned own CA; null: the system's roots. */
  ca: string | null;
  enrolledAt: string;
}

/** An event before it has a place in a log. */
export interface Draft<T extends EventType = EventType> {
  type: T;
  data: EventData<T>;
  /** Goes into the sealed part; null or absent: `pii: []`. */
  personal?: EventPersonal<T> | null;
  /** Start of what the event is about; picks the span group. Absent: now. */
  groupAt?: UtcMs;
  /** Which bytes of which source made it, so that a rolled-back agent knows where to read again. */
  from?: { source: SourceId; offset: number };
}

/** The reading position of one source, stored in the transaction of the events that it led to. */
export interface CursorUpdate {
  source: SourceId;
  /** A follower's `FollowState`, as JSON. */
  state: string;
}

export interface LogSummary {
  log: LogId;
  birth: Birth;
  /** Next seq that this side would write. */
  next: number;
  /** Leaf hash of next − 1 (of the birth where next is 1). */
  head: Buffer;
  acked: number;
  /** False: closed, drained only. */
  open: boolean;
}

/** One `batch` frame's content, read from the outbox. */
export interface Outgoing {
  log: LogId;
  firstSeq: number;
  lastSeq: number;
  events: string[];
  parts: { seq: number; group: GroupId; wrap: Id<'wrap'> | null; body: string }[];
  wraps: { id: Id<'wrap'>; group: GroupId; body: string }[];
  /** Of the one-off groups that its parts lie under. */
  keys: { group: GroupId; key: string }[];
  /** Size of the whole frame in bytes, near enough for credits. */
  bytes: number;
}

export interface Applied {
  generation: Id<'generation'> | null;
  n: number;
}

export interface Journal {
  /**
   * Appends events to the open log and stores reading positions, in ONE durable transaction (L1, J1).
   * @throws TilsynError `journal.full` (retryable) where the disk is full: nothing was stored.
   */
  append(
    drafts: readonly Draft[],
    cursors?: readonly CursorUpdate[],
  ): { firstSeq: number; lastSeq: number } | null;
  /** The stored reading position of a source; null: never read. */
  cursor(source: SourceId): string | null;
  /** A stable random id for a source; `label` is kept only as a keyed digest. */
  sourceId(label: string): SourceId;
  /** Oldest first; closed logs of which nothing is kept any more are left out. At most 64. */
  logs(): LogSummary[];
  /** Leaf hash at `seq` of a log (of the birth at 0); null where it is not kept. */
  hashAt(log: LogId, seq: number): Buffer | null;
  /** The next frame's worth after `after`, inside the limits; null: nothing there. */
  outgoing(log: LogId, after: number, limits: { events: number; bytes: number }): Outgoing | null;
  /** Cumulative: everything through `through` is stored and fsynced at the collector. */
  acked(log: LogId, through: number): void;
  /** The collector is behind what it once acked (it was restored): the cursor moves back. */
  rewind(log: LogId, through: number): void;
  /**
   * Closes `log` and opens its successor: the collector's head there is `predecessor`. Reading positions move
   * back to the first leaf that was not acked, so that what is lost with the old log is read again (B1).
   */
  succeed(log: LogId, reason: BirthReason, predecessor: { size: number; head: string | null }): void;
  /** Signed groups from the collector; wrong signatures are refused by the caller. */
  addGroups(groups: readonly SignedGroup[]): void;
  /** Groups erased elsewhere: their parts and wraps go at once, for ever. */
  deadGroups(groups: readonly GroupId[]): void;
  heldGroups(): SignedGroup[];
  /** Keys of the one-off groups that live here: to be handed over inside the connection, and kept by nobody. */
  oneoffKeys(): { group: GroupId; key: string }[];
  /** One-off groups erased here that the collector has not confirmed yet. */
  erasedHere(): GroupId[];
  erasedConfirmed(groups: readonly GroupId[]): void;
  applied(): Applied;
  /**
   * Marks command n of a generation as applied, with its result event, in one transaction: exactly once in
   * effect. False where it was applied before.
   */
  applyCommand(
    generation: Id<'generation'>,
    n: number,
    verb: string,
    outcome: 'done' | 'failed' | 'unsupported',
  ): boolean;
  /** A new generation starts its commands at 1. */
  adoptGeneration(generation: Id<'generation'>): void;
  /** Leaves not acked yet, all logs. */
  backlog(): number;
  /** Calls back after each append, for the uplink. Returns the way to stop that. */
  onAppend(fn: () => void): () => void;
  /** Daily: drops acked leaves, parts and wraps older than `keepAcked`. */
  prune(): void;
  close(): void;
}

/**
 * Test-only seam, `{}` in the product: a crash, a failed write or a build broken on purpose. Never read from the
 * environment or a file.
 */
export interface FaultSeam {
  /** Called at a named point; may throw, or kill the process. `at`: how far a log was sent or acked there. */
  hit?(point: string, at?: { log: string; through: number }): void;
  /** True where the named law is to be broken (`offset-before-event`, `resend`, `synchronous-off`). */
  broken?(law: string): boolean;
}
