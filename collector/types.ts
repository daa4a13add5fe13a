/** What the rooms of the collector hand each other. */
import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { CloseName } from '../protocol/close-code.ts';
import type { EventData, EventPersonal, EventType } from '../protocol/event.ts';
import type { CollectorFrame, FrameOf } from '../protocol/frame.ts';
import type { DataClass, GroupKind, SignedGroup } from '../protocol/group.ts';
import type { AgentId, AgreementId, GroupId, Id, PersonId, Random, SessionId } from '../protocol/ids.ts';
import type { SpanTable } from '../protocol/packs.ts';
import type { Personal } from '../protocol/seal.ts';
import type { Clock, UtcMs } from '../protocol/time.ts';
import type { SessionAlerts } from './config.ts';
import type { Counters } from './counters.ts';
import type { BackupsKept } from './erasing/certificate.ts';
import type { Telemetry } from './store/telemetry.ts';
import type { GroupRow, Pos, Reader, Store, Tx, WebhookId, WrapRow } from './store/types.ts';

/**
 * Test-only seam, `{}` in the product: a crash, a failed write or a build broken on purpose. Never read from the
 * environment or a file.
 */
export interface FaultSeam {
  /** Called at a named point; may throw, or kill the process. */
  hit?(point: string): void;
  /** True where the named law is to be broken (`ack-before-commit`, `no-dedup`, `synchronous-off` …). */
  broken?(law: string): boolean;
}

/** An event of the collector's own log, before it has a place. */
export interface OwnDraft<T extends EventType = EventType> {
  type: T;
  data: EventData<T>;
  /**
   * Sealed under this group instead, where it is live in the transaction that appends: what belongs to a session
   * dies with it. Needed where the class of the type is `session`.
   */
  under?: GroupId;
  /** Sealed under the house group of the type's data class, and the present span or the subject in `data`. */
  personal?: EventPersonal<T> | null;
}

/** The collector's own log (`journal.ts`): every act of its own is an event, in the transaction of the act. */
export interface OwnLog {
  /** Appends inside the caller's transaction; returns positions, in order. */
  append(tx: Tx, drafts: readonly OwnDraft[]): Promise<Pos[]>;
}

/** Key groups (`groups.ts`): finds, makes and hands out; never shows a private half. */
export interface Groups {
  /** A known group, any state. */
  byId(group: GroupId): GroupRow | null;
  /** The live or dead group of this span (or `whole` / newest `late`), if it was ever made and its key not lost. */
  find(agreement: AgreementId | null, cls: DataClass, kind: GroupKind, at: UtcMs): GroupRow | null;
  /**
   * Makes what is missing: slots are durable in both files before this resolves; the rows are put inside the
   * caller's transaction by `commit`. A crash in between leaves an orphan slot, which the start keeps.
   */
  prepare(wanted: readonly GroupWish[]): Promise<PreparedGroups>;
  /** What an agent of this agreement gets: present and next span, `late`, `whole`. Live ones only. */
  forAgreement(agreement: AgreementId, at: UtcMs): SignedGroup[];
  /** One-off groups that live; of this agent, or of all. */
  oneoff(agent: AgentId | null): GroupRow[];
  /** The `single` group, any state, that this session was taken out into; null: it lies where it began. */
  takenOut(session: string): GroupRow | null;
  /** Of these ids, the ones that are dead. */
  dead(ids: readonly GroupId[]): GroupId[];
  /**
   * Takes back groups that agents hold and this database has lost: own signature right, slot live. Returns the
   * rows to put inside the caller's transaction.
   */
  adoptable(offer: readonly SignedGroup[]): GroupRow[];
  /** Tells the index of rows that a transaction committed. */
  committed(rows: readonly GroupRow[]): void;
  /** The living span that was split into this one and others; null: none was. */
  splitOver(group: GroupId): GroupRow | null;
  /** Another policy is in force: what is made from now on has its spans; what was made stays. */
  useSpans(spans: SpanTable): void;
}
export interface GroupWish {
  agreement: AgreementId | null;
  class: DataClass;
  kind: GroupKind;
  at: UtcMs;
  /** The person or customer, for the classes that go by those. */
  subject?: string | null;
}
export interface PreparedGroups {
  /** One per wish, in order; an existing one where there was one. */
  groups: GroupRow[];
  /** Puts the new rows; call inside the transaction that first uses them. */
  commit(tx: Tx): Promise<void>;
}

/** Keys of one-off sessions: in this process's memory only, by the agent's `instance`. */
export interface OneoffKeys {
  /** The process that speaks for this agent from now on; what the one before it gave is zeroed and returned. */
  begin(agent: AgentId, instance: Id<'instance'>): GroupId[];
  /** False: another process has given a key for this group. */
  put(group: GroupId, instance: Id<'instance'>, key: Buffer): boolean;
  /** Lent: used at once, not kept. */
  get(group: GroupId): Buffer | null;
  /** The agent whose process gave it. */
  ownerOf(group: GroupId): AgentId | null;
  count(instance: Id<'instance'>): number;
  drop(groups: readonly GroupId[]): void;
  /** All of an agent's process that is gone; returns the groups that died with it. */
  dropInstance(instance: Id<'instance'>): GroupId[];
}

/** The private side (`keyring.ts`), as ingest and reading see it. */
export interface Opener {
  readonly oneoff: OneoffKeys;
  /** Content key of a wrap; null where the group is not live or the wrap is not right. Cached by wrap id. */
  contentKey(group: GroupId, wrap: WrapRow): Buffer | null;
  /** HMAC key for origins of a live group: HKDF(private half, "tilsyn/origin/v1"); null where it is not live. */
  originKey(group: GroupId): Buffer | null;
  /** Personal parts of leaves, by position; parts that cannot be opened are left out. */
  open(reader: Reader, positions: readonly Pos[]): Promise<Map<Pos, Personal>>;
}

/** Why a connection is refused: code, message, hint, and when to come again (milliseconds). */
export type Refusal = Omit<FrameOf<CollectorFrame, 'refuse'>, 't'>;

/** Proven sockets of this process (`ingest/links.ts`), as the rest of the collector sees them. */
export interface Links {
  isLive(agent: AgentId): boolean;
  /** False where the agent has no socket open. Not for commands: their order is the socket's own affair. */
  send(agent: AgentId, frame: CollectorFrame): boolean;
  /** Tells the agent's socket that commands were issued; without one they are sent when the agent comes back. */
  nudge(agent: AgentId): void;
  /** Says why and closes, also a socket that has proven itself and is not yet let in. */
  close(agent: AgentId, name: CloseName, refusal: Refusal | null): void;
  closeAll(name: CloseName, refusal: Refusal | null): void;
}

/** Where a webhook is, and what it shares with us. */
export interface WebhookFile {
  url: string;
  /** Key of its signatures, as text. */
  secret: string;
  /** PEM of the CA of its certificate; null: the system's roots. */
  ca: string | null;
}

/** Files of webhooks in the state directory (`deliver/files.ts`); none of it is in the database. */
export interface WebhookFiles {
  /** Null where there is none, or none that can be read. */
  read(webhook: WebhookId): WebhookFile | null;
  write(webhook: WebhookId, file: WebhookFile): void;
  /** Removes the files of all but these. */
  keepOnly(webhooks: readonly WebhookId[]): void;
}

/** Everything that the collector's features share; made once in `main.ts`. */
export interface Context {
  store: Store;
  /** Samples, one file per agreement. */
  telemetry: Telemetry;
  counters: Counters;
  own: OwnLog;
  groups: Groups;
  opener: Opener;
  clock: Clock;
  random: Random;
  log: Logger;
  faults: FaultSeam;
  /** Ed25519 identity key: challenges, commands, groups. */
  identity: KeyObject;
  /** Name (origin), e.g. `tilsyn.example`. */
  name: string;
  /** `wss://host:port` that tokens carry. */
  url: string;
  /** PEM of the own CA; null where the operator's certificate is used. */
  caPem: string | null;
  /** True: personal data is shown to those only whose NDA is recorded. Absent: to whoever's role shows it. */
  requireNda?: boolean;
  /** How long backups and images of this machine are kept. Absent: nobody has said. */
  backupsKeptFor?: BackupsKept;
  /** Which sessions people are told of; absent: as `session-alerts-rules.ts` says. */
  sessionAlerts?: SessionAlerts;
  generation(): Id<'generation'>;
  /** Tells this process of a generation that a transaction committed. */
  adoptGeneration(generation: Id<'generation'>): void;
  links: Links;
  webhooks: WebhookFiles;
  /** Tells live listeners (tails, sockets) that positions up to here were committed. */
  notify(through: Pos): void;
  /**
   * Notes durably, outside of the database, that these hosts or people are revoked (V24), or these agreements have
   * ended (V40), or these sessions are erased on request (V54). Inside the transaction that says so, before it ends: a
   * crash in between is finished by the next start.
   */
  bury(ids: readonly (AgentId | PersonId | AgreementId | SessionId)[]): Promise<void>;
  /** True where this id was noted so. Absent: nobody keeps such notes. */
  isBuried?(id: SessionId): boolean;
  /** Calls back after each commit; returns the way to stop that. */
  onCommit(fn: (through: Pos) => void): () => void;
}
