import type { Birth } from '../../protocol/birth.ts';
import type { IDENTITY_KINDS } from '../../protocol/event.ts';
import type { DataClass, GroupKind, SignedGroup } from '../../protocol/group.ts';
import type {
  AgentId,
  AgreementId,
  CustomerId,
  GroupId,
  Id,
  LogId,
  PersonId,
  SessionId,
  SiteId,
  SourceId,
  TokenId,
} from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { CONNECTIONS } from '../../protocol/words.ts';

/** A leaf's place in the order of commit. */
export type Pos = number;

export interface CustomerRow {
  customer: CustomerId;
  namePos: Pos | null;
  createdAt: UtcMs;
}
export interface SiteRow {
  site: SiteId;
  customer: CustomerId;
  namePos: Pos | null;
  createdAt: UtcMs;
}
export interface AgreementRow {
  agreement: AgreementId;
  customer: CustomerId;
  mode: 'managed' | 'one-off';
  state: 'open' | 'ended';
  isDefault: boolean;
  startsAt: UtcMs;
  /** Effective date of an order to end it; null: there is none. */
  endsAt: UtcMs | null;
  createdAt: UtcMs;
  /** Until when the order can be cancelled. */
  coolingUntil: UtcMs | null;
  orderedAt: UtcMs | null;
  orderedBy: PersonId | null;
  /** Every host and the collector are done with erasing. */
  endedAt: UtcMs | null;
}
export interface AgentRow {
  agent: AgentId;
  key: string;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
  mode: 'managed' | 'one-off';
  state: 'waiting' | 'approved' | 'revoked';
  token: TokenId | null;
  enrolledAt: UtcMs;
  revokedAt: UtcMs | null;
  conflictAt: UtcMs | null;
  firstSeenAt: UtcMs | null;
  /** The collector's generation in which the agent was last let in; another one than the present: unconfirmed. */
  generation: Id<'generation'> | null;
  lastSeenAt: UtcMs | null;
  readThrough: UtcMs | null;
  skewMs: number | null;
  backlog: number | null;
  software: { version: string; platform: string; node: string } | null;
  namePos: Pos | null;
}
export interface TokenRow {
  token: TokenId;
  secretHash: string;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
  mode: 'managed' | 'one-off';
  uses: number;
  used: number;
  /** Leaf whose sealed part says from which addresses it may be used; null: from all. */
  cidrPos: Pos | null;
  requireApproval: boolean;
  state: 'open' | 'revoked';
  createdBy: PersonId | null;
  createdAt: UtcMs;
  expiresAt: UtcMs;
}
export interface PersonRow {
  person: PersonId;
  role: 'admin' | 'auditor' | 'technician' | 'security' | 'dpo';
  /** Null: all customers. */
  customers: CustomerId[] | null;
  state: 'active' | 'revoked';
  namePos: Pos | null;
  /** False: personal data that the role shows was taken away. */
  reading: boolean;
  /** Leaf whose sealed part holds the date of the non-disclosure agreement. */
  ndaPos: Pos | null;
  createdBy: PersonId | null;
  createdAt: UtcMs;
}
/** An act that waits for a second person, or has been given or refused. Its laws stand in `approvals.ts`. */
export interface ApprovalRow {
  approval: Id<'approval'>;
  verb: string;
  /** What is to be done: ids, numbers and words. */
  body: Record<string, unknown>;
  state: 'open' | 'given' | 'refused';
  askedBy: PersonId;
  createdAt: UtcMs;
  expiresAt: UtcMs;
  askedPos: Pos | null;
  /** The person that it is about. */
  about: PersonId | null;
  /** Customers that it touches; null: all. */
  customers: CustomerId[] | null;
  /** Asked for without a second person; runs from then on. */
  aloneAt: UtcMs | null;
  decidedBy: PersonId | null;
  decidedAt: UtcMs | null;
}
export interface SigninRow {
  signin: Id<'signin'>;
  person: PersonId;
  tokenHash: string;
  state: 'active' | 'revoked';
  createdAt: UtcMs;
  expiresAt: UtcMs;
  lastUsedAt: UtcMs | null;
}
export interface GroupRow {
  group: GroupId;
  kind: GroupKind;
  agreement: AgreementId | null;
  class: DataClass;
  /** The person or customer whose it is, of a one-off group the agent; null where the class goes by spans. */
  subject: string | null;
  from: UtcMs | null;
  to: UtcMs | null;
  key: string | null;
  record: SignedGroup;
  slot: number | null;
  state: 'live' | 'erasing' | 'erased';
  dueAt: UtcMs | null;
  erasedAt: UtcMs | null;
  erasedBy: string | null;
  createdAt: UtcMs;
}
/** One erasure of a key group, from its first transaction on. */
export interface ErasureRow {
  group: GroupId;
  /** `policy`, `agreement`, `tombstone`, `lane` … */
  by: string;
  policy: string | null;
  version: number | null;
  dueAt: UtcMs | null;
  begunAt: UtcMs;
  doneAt: UtcMs | null;
  /** Sealed parts that went; null: not counted yet. */
  parts: number | null;
  listRoot: string | null;
  method: string | null;
  /** The leaf `erasure.done`. */
  donePos: Pos | null;
}
/** A host holds nothing of what was erased up to this leaf. */
export interface ConfirmationRow {
  agent: AgentId;
  pos: Pos;
  at: UtcMs;
}
/** The place of a sealed part among those that lie under one group. */
export interface PartPlaceRow {
  pos: Pos;
  log: LogId;
  seq: number;
  /** The group that the leaf names. */
  group: GroupId;
}
/** A live slot that no group's row names. */
export interface OrphanRow {
  group: GroupId;
  firstSeen: UtcMs;
}
/** A copy of keys outside of this state directory. */
export interface KeyCopyRow {
  copy: Id<'copy'>;
  kind: 'escrow' | 'second';
  pos: Pos;
  madeAt: UtcMs;
  /** Null: nobody has said until when it is there. */
  untilAt: UtcMs | null;
}
export interface CommandRow {
  command: Id<'command'>;
  agent: AgentId;
  generation: Id<'generation'>;
  n: number;
  verb: string;
  body: Record<string, unknown>;
  sig: string;
  createdBy: PersonId | null;
  createdAt: UtcMs;
  resultAt: UtcMs | null;
  ok: boolean | null;
  result: Record<string, unknown> | null;
}

export interface LogRow {
  log: LogId;
  /** Null: the collector's own log. */
  agent: AgentId | null;
  birth: Birth;
  /** Seq of the last stored leaf; 0: none. */
  through: number;
  /** Its leaf hash, 32 bytes (of the birth at 0). */
  head: Buffer;
  state: 'open' | 'closed' | 'frozen' | 'quarantined';
  createdAt: UtcMs;
}
/** A log without its birth record, for the hot paths: nothing an agent wrote is parsed for it. */
export interface LogStateRow extends Omit<LogRow, 'birth'> {
  /** Of its birth. */
  agreement: AgreementId | null;
  site: SiteId | null;
}

export interface LeafRow {
  pos: Pos;
  log: LogId;
  seq: number;
  /** Canonical JSON exactly as it came. */
  bytes: string;
  hash: Buffer;
  type: string;
  at: UtcMs;
  receivedAt: UtcMs;
}
export type NewLeaf = Omit<LeafRow, 'pos'>;

export interface PartRow {
  pos: Pos;
  /** The group that the leaf names, for ever. */
  group: GroupId;
  /** The group that the part lies under now. */
  under: GroupId;
  wrap: Id<'wrap'> | null;
  body: Buffer;
}
export interface WrapRow {
  wrap: Id<'wrap'>;
  /** Enters the wrap's AAD. */
  log: LogId;
  group: GroupId;
  body: Buffer;
}
export interface ForkRow {
  log: LogId;
  seq: number;
  hash: Buffer;
  bytes: string;
  receivedAt: UtcMs;
}
export interface OriginRow {
  group: GroupId;
  /** 32 bytes. */
  origin: Buffer;
  session: SessionId;
}

export type SessionHead = Pick<SessionRow, 'session' | 'agent' | 'startedAt' | 'startedPos' | 'mergedInto'>;

export interface SessionRow {
  session: SessionId;
  agent: AgentId;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
  source: SourceId;
  tool: string;
  direction: string;
  kind: string;
  mode: string;
  state: 'attempted' | 'rejected' | 'active' | 'ended' | 'unknown-end';
  startedAt: UtcMs;
  startBasis: string;
  occurrence: number;
  endedAt: UtcMs | null;
  endBasis: string | null;
  endReason: string | null;
  durationSeconds: number | null;
  auth: string | null;
  failedAttempts: number | null;
  files: number | null;
  confirmedBy: string[];
  log: LogId;
  firstSeq: number;
  lastSeq: number;
  startedPos: Pos;
  /** Leaves of this session that have sealed parts. */
  partPos: Pos[];
  mergedInto: SessionId | null;
  /** Newest leaf that explains it; null: nobody has. */
  explainedPos: Pos | null;
  /** Whether somebody is at the other end, where a session outlives its connection; null: nothing was said of it. */
  connection: (typeof CONNECTIONS)[number] | null;
  /** Since when, by the source's clock. */
  connectionAt: UtcMs | null;
}
/** One thing that tools know a person by. The value lies sealed. */
export interface IdentityRow {
  identity: Id<'identity'>;
  person: PersonId;
  kind: (typeof IDENTITY_KINDS)[number];
  from: UtcMs | null;
  to: UtcMs | null;
  state: 'active' | 'removed';
  valuePos: Pos;
  createdBy: PersonId;
  createdAt: UtcMs;
}
/** An imported ticket: when somebody was to be at a host. */
export interface TicketRow {
  ticket: Id<'ticket'>;
  agent: AgentId;
  from: UtcMs;
  to: UtcMs;
  pos: Pos;
  importedBy: PersonId;
  importedAt: UtcMs;
}
/** Where an agent said last what its device is called. */
export interface DeviceRow {
  agent: AgentId;
  pos: Pos;
}
export interface SourceRow {
  source: SourceId;
  agent: AgentId;
  tool: string;
  state: 'reading' | 'unreadable' | 'lost';
  since: UtcMs;
  skipped: number;
  unreadable: number;
}
export interface GapRow {
  pos: Pos;
  agent: AgentId;
  source: SourceId | null;
  fromAt: UtcMs;
  toAt: UtcMs;
  reason: string;
  count: number | null;
}

/** A leaf that speaks of a session whose `session.started` has not come yet. */
export interface WaitingRow {
  session: SessionId;
  pos: Pos;
}
