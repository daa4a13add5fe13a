/**
 * The collector's store: one async interface of batch-wise methods. SQLite stands behind it now, PostgreSQL can
 * later; `test/contract/store.ts` is what both must pass.
 *
 * K1  What `write` resolved for is on disk (fsynced) and survives a power cut.
 * K2  `write` runs one at a time, in the order of the calls; its function sees its own changes, `read` sees only
 *     what was committed.
 * K3  A `write` whose function throws leaves nothing behind.
 * K4  `(log, seq)` is unique for ever; `pos` only grows.
 * K5  A damaged database is recognised, never repaired in place; the caller sets it aside.
 * K6  A database of a newer version opens and keeps what this version does not know.
 */
import type { AgentId, AgreementId, CustomerId, GroupId, Id, LogId, SessionId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type {
  AgentRow,
  AgreementRow,
  ApprovalRow,
  CommandRow,
  ConfirmationRow,
  CustomerRow,
  DeviceRow,
  ErasureRow,
  ForkRow,
  GapRow,
  GroupRow,
  IdentityRow,
  KeyCopyRow,
  LeafRow,
  LogRow,
  LogStateRow,
  NewLeaf,
  OriginRow,
  OrphanRow,
  PartPlaceRow,
  PartRow,
  PersonRow,
  Pos,
  SessionHead,
  SessionRow,
  SigninRow,
  SiteRow,
  SourceRow,
  TicketRow,
  TokenRow,
  WaitingRow,
  WrapRow,
} from './rows.ts';
import type { HoldHostRow, HoldRow } from './rows-holds.ts';
import type {
  CameraDayRow,
  CameraId,
  CameraRow,
  CameraSum,
  ClockStepRow,
  RootRow,
} from './rows-recordings.ts';
import type {
  AlertId,
  AlertRow,
  AuditHostRow,
  AuditRow,
  AuditSignatureRow,
  AuditWatchRow,
  SessionWatchRow,
  SilenceRow,
  SilentHost,
  WebhookRow,
} from './rows-watching.ts';

export type * from './rows.ts';
export type * from './rows-holds.ts';
export type * from './rows-recordings.ts';
export type * from './rows-watching.ts';

/** A registry table: small, read whole or by equal columns. */
export interface Table<Row> {
  get(id: string): Promise<Row | null>;
  /** Rows whose columns equal all of `where`; in the order of insertion. */
  list(where?: Partial<Row>): Promise<Row[]>;
}
export interface WritableTable<Row> extends Table<Row> {
  /** Inserts or replaces by primary key. */
  put(rows: readonly Row[]): Promise<void>;
}

export interface LeafQuery {
  /** Exclusive cursor; 0: from the start. */
  after?: Pos;
  /** Only these logs. */
  logs?: readonly LogId[];
  types?: readonly string[];
  /** Received in [since, until), by this collector's clock: what a writer claims may be years away. */
  since?: UtcMs;
  until?: UtcMs;
  limit: number;
}

export interface SessionQuery {
  /** Null: all customers. Every query is bound to the customers that the signed-in person may see. */
  customers: readonly CustomerId[] | null;
  /** Sessions of these hosts, also where they were merged into one of another host. */
  agents?: readonly AgentId[];
  /** `startedAt` in [since, until); with `overlaps`: any part of the session lies in it. */
  since?: UtcMs;
  until?: UtcMs;
  overlaps?: boolean;
  tool?: string;
  state?: string;
  kind?: string;
  mode?: string;
  /** Exclusive: the `(startedAt, session)` of the last row of the page before. */
  after?: { startedAt: UtcMs; session: SessionId };
  /** True: only those that nobody has explained. */
  unexplained?: boolean;
  /** False: not those that never began. */
  attempts?: boolean;
  /** True: sessions that were merged into another are listed too. */
  merged?: boolean;
  limit: number;
}

export interface AlertQuery {
  /** Null: all customers. */
  customers: readonly CustomerId[] | null;
  agents?: readonly AgentId[];
  state?: AlertRow['state'];
  check?: AlertRow['check'];
  level?: AlertRow['level'];
  /** Open at any time in [since, until). */
  since?: UtcMs;
  until?: UtcMs;
  /** Exclusive: the `raisedPos` of the last row of the page before. */
  after?: Pos;
  limit: number;
}

export interface AuditQuery {
  agents: readonly AgentId[];
  /** Began in [since, until), by the host's clock. */
  since?: UtcMs;
  until?: UtcMs;
  /** True: only those that found something; only those that nobody signed. */
  findings?: boolean;
  unsigned?: boolean;
  /** Exclusive: the `pos` of the last row of the page before. */
  after?: Pos;
  limit: number;
}

export interface CameraDayQuery {
  agents: readonly AgentId[];
  camera: CameraId | null;
  from: UtcMs;
  to: UtcMs;
  /** Only days of which some are there, or vanished; null: all. */
  having: 'present' | 'missing' | null;
  limit: number;
}

export interface Reader {
  meta(key: string): Promise<string | null>;
  readonly customers: Table<CustomerRow>;
  readonly sites: Table<SiteRow>;
  readonly agreements: Table<AgreementRow>;
  readonly agents: Table<AgentRow>;
  readonly tokens: Table<TokenRow>;
  readonly people: Table<PersonRow>;
  readonly approvals: Table<ApprovalRow>;
  readonly signins: Table<SigninRow>;
  readonly groups: Table<GroupRow>;
  readonly commands: Table<CommandRow>;
  readonly orphans: Table<OrphanRow>;
  readonly keyCopies: Table<KeyCopyRow>;
  readonly silences: Table<SilenceRow>;
  readonly webhooks: Table<WebhookRow>;
  readonly erasures: Table<ErasureRow>;
  readonly confirmations: Table<ConfirmationRow>;
  readonly sessionWatch: Table<SessionWatchRow>;
  readonly auditRuns: Table<AuditRow>;
  readonly auditHosts: Table<AuditHostRow>;
  readonly auditSignatures: Table<AuditSignatureRow>;
  readonly auditWatch: Table<AuditWatchRow>;
  /** In the order of `pos`. */
  audits(query: AuditQuery): Promise<AuditRow[]>;
  /** Of these runs, in the order in which they were signed. */
  auditSignaturesOf(runs: readonly Id<'run'>[]): Promise<AuditSignatureRow[]>;
  readonly identities: Table<IdentityRow>;
  readonly tickets: Table<TicketRow>;
  readonly devices: Table<DeviceRow>;
  readonly holds: Table<HoldRow>;
  readonly holdHosts: Table<HoldHostRow>;
  /** Tickets of these hosts whose time touches [from, to], both ends included; by their start, the first ones. */
  ticketsOf(agents: readonly AgentId[], from: UtcMs, to: UtcMs, limit: number): Promise<TicketRow[]>;
  readonly sources: Table<SourceRow>;
  logs(ids: readonly LogId[]): Promise<LogRow[]>;
  /** Null: the collector's own logs. Oldest first. */
  logsOf(agent: AgentId | null): Promise<LogRow[]>;
  /** In the order of the ids; unknown ones are left out. */
  logStates(ids: readonly LogId[]): Promise<LogStateRow[]>;
  /** All logs of these agents, each agent's oldest first. */
  logStatesOf(agents: readonly AgentId[]): Promise<LogStateRow[]>;
  countLogs(agent: AgentId): Promise<number>;
  /** In the order of `pos`. */
  leaves(query: LeafQuery): Promise<LeafRow[]>;
  leavesAt(positions: readonly Pos[]): Promise<LeafRow[]>;
  /** Leaves of one log from seq to seq, both included. */
  leavesOf(log: LogId, from: number, to: number): Promise<LeafRow[]>;
  /** Highest committed position; 0: none. */
  lastPos(): Promise<Pos>;
  parts(positions: readonly Pos[]): Promise<PartRow[]>;
  wraps(ids: readonly Id<'wrap'>[]): Promise<WrapRow[]>;
  /** Where the parts lie that are under this group now, in the order of `pos`; `after` is the last one of before. */
  partsUnder(group: GroupId, after: PartPlaceRow | null, limit: number): Promise<PartPlaceRow[]>;
  /** The last leaf `erasure.done` of a group of this agreement; null: there is none. */
  lastErased(agreement: AgreementId): Promise<Pos | null>;
  /** How many parts lie under each of these groups; counted up to `MAX_COUNTED`, then `more`. */
  countUnder(groups: readonly GroupId[]): Promise<{ parts: number; more: boolean }[]>;
  /** Parts of these leaves that were erased alone. */
  tombstones(positions: readonly Pos[]): Promise<{ pos: Pos; group: GroupId }[]>;
  forks(log?: LogId): Promise<ForkRow[]>;
  /** Sessions known under these origins. */
  origins(group: GroupId, origins: readonly Buffer[]): Promise<OriginRow[]>;
  /** Of these sessions, those that are known under some origin. */
  withOrigin(sessions: readonly SessionId[]): Promise<SessionId[]>;
  /** How many each of these has; those without are left out. */
  originCounts(sessions: readonly SessionId[]): Promise<Map<SessionId, number>>;
  sessionsById(ids: readonly SessionId[]): Promise<SessionRow[]>;
  /** What tells these sessions apart, without the rest of their rows; in no order. */
  sessionHeads(ids: readonly SessionId[]): Promise<SessionHead[]>;
  /** In the order `(startedAt, session)`. */
  sessions(query: SessionQuery): Promise<SessionRow[]>;
  /** Sessions that run, the oldest first. */
  runningSessions(limit: number): Promise<SessionRow[]>;
  /** Unmerged sessions of the site with equal tool, kind, start, end and occurrence, other than `session`. */
  twins(row: SessionRow): Promise<SessionRow[]>;
  /** Of these, the unmerged ones for which `twins` would find any; one look for many. */
  twinned(ids: readonly SessionId[]): Promise<SessionId[]>;
  /**
   * Sessions that were merged into each of these, also through others: at most `most` for each, and of every host
   * one before any second.
   */
  mergedInto(ids: readonly SessionId[], most: number): Promise<{ root: SessionId; row: SessionRow }[]>;
  /** Of these, the ones that `mergedInto` would find any for; one look for many. */
  rootsAmong(ids: readonly SessionId[]): Promise<SessionId[]>;
  /** Sources of these hosts, in the order told; of each host at most `MAX_SOURCES` are kept. */
  sourcesOf(agents: readonly AgentId[]): Promise<SourceRow[]>;
  /** Gaps that touch [from, to). */
  gaps(agents: readonly AgentId[], from: UtcMs, to: UtcMs): Promise<GapRow[]>;
  /** Positions of leaves that name a session whose start is not known yet, ascending. */
  waiting(ids: readonly SessionId[]): Promise<WaitingRow[]>;
  alertsById(ids: readonly AlertId[]): Promise<AlertRow[]>;
  /** Open alerts of these hosts. */
  openAlerts(agents: readonly AgentId[]): Promise<AlertRow[]>;
  readonly roots: Table<RootRow>;
  readonly cameras: Table<CameraRow>;
  readonly cameraDays: Table<CameraDayRow>;
  readonly clockSteps: Table<ClockStepRow>;
  /** Roots and cameras of these hosts, in the order told. */
  rootsOf(agents: readonly AgentId[]): Promise<RootRow[]>;
  camerasOf(agents: readonly AgentId[]): Promise<CameraRow[]>;
  /** Days that touch [from, to), the newest first. */
  daysOf(query: CameraDayQuery): Promise<CameraDayRow[]>;
  /** What there is of each camera of these hosts, by its days; those without a day are left out. */
  cameraSums(agents: readonly AgentId[]): Promise<CameraSum[]>;
  /** In the order of `raisedPos`. */
  alerts(query: AlertQuery): Promise<AlertRow[]>;
  /**
   * Hosts that wait, those that were let in and have been heard last (or enrolled) before `before`, and these `agents`
   * unless they are revoked.
   */
  silentHosts(before: UtcMs, agents: readonly AgentId[]): Promise<SilentHost[]>;
  counts(): Promise<{ leaves: number; sessions: number; parts: number; forks: number }>;
}

export interface Tx extends Reader {
  setMeta(key: string, value: string): Promise<void>;
  readonly customers: WritableTable<CustomerRow>;
  readonly sites: WritableTable<SiteRow>;
  readonly agreements: WritableTable<AgreementRow>;
  readonly agents: WritableTable<AgentRow>;
  readonly tokens: WritableTable<TokenRow>;
  readonly people: WritableTable<PersonRow>;
  readonly approvals: WritableTable<ApprovalRow>;
  readonly signins: WritableTable<SigninRow>;
  readonly groups: WritableTable<GroupRow>;
  readonly commands: WritableTable<CommandRow>;
  readonly orphans: WritableTable<OrphanRow>;
  readonly keyCopies: WritableTable<KeyCopyRow>;
  readonly silences: WritableTable<SilenceRow>;
  dropSilences(agents: readonly AgentId[]): Promise<void>;
  readonly webhooks: WritableTable<WebhookRow>;
  readonly erasures: WritableTable<ErasureRow>;
  readonly confirmations: WritableTable<ConfirmationRow>;
  readonly sessionWatch: WritableTable<SessionWatchRow>;
  dropSessionWatch(watches: readonly string[]): Promise<void>;
  readonly auditRuns: WritableTable<AuditRow>;
  readonly auditHosts: WritableTable<AuditHostRow>;
  readonly auditSignatures: WritableTable<AuditSignatureRow>;
  readonly auditWatch: WritableTable<AuditWatchRow>;
  dropAuditWatch(agents: readonly AgentId[]): Promise<void>;
  readonly identities: WritableTable<IdentityRow>;
  readonly tickets: WritableTable<TicketRow>;
  readonly devices: WritableTable<DeviceRow>;
  readonly holds: WritableTable<HoldRow>;
  readonly holdHosts: WritableTable<HoldHostRow>;
  dropOrphans(groups: readonly GroupId[]): Promise<void>;
  readonly sources: WritableTable<SourceRow>;
  readonly roots: WritableTable<RootRow>;
  readonly cameras: WritableTable<CameraRow>;
  readonly cameraDays: WritableTable<CameraDayRow>;
  readonly clockSteps: WritableTable<ClockStepRow>;
  putLogs(rows: readonly LogRow[]): Promise<void>;
  /** Moves cursors after leaves were appended. */
  setHeads(rows: readonly { log: LogId; through: number; head: Buffer }[]): Promise<void>;
  /**
   * Appends leaves in the given order; returns their positions.
   * @throws TilsynError `store.duplicate-leaf` where `(log, seq)` is taken (K4)
   */
  appendLeaves(rows: readonly NewLeaf[]): Promise<Pos[]>;
  /** Parts whose `(pos, group)` is stored already are left as they are. */
  addParts(rows: readonly PartRow[]): Promise<void>;
  dropParts(keys: readonly { pos: Pos; group: GroupId }[]): Promise<void>;
  /** Drops these parts for ever: `addParts` does not look, whoever refills does. */
  entomb(keys: readonly { pos: Pos; group: GroupId }[]): Promise<void>;
  /** Wraps that are stored already are left as they are. */
  addWraps(rows: readonly WrapRow[]): Promise<void>;
  addForks(rows: readonly ForkRow[]): Promise<void>;
  putOrigins(rows: readonly OriginRow[]): Promise<void>;
  dropOrigins(rows: readonly OriginRow[]): Promise<void>;
  putSessions(rows: readonly SessionRow[]): Promise<void>;
  putAlerts(rows: readonly AlertRow[]): Promise<void>;
  putGaps(rows: readonly GapRow[]): Promise<void>;
  putWaiting(rows: readonly WaitingRow[]): Promise<void>;
  dropWaiting(ids: readonly SessionId[]): Promise<void>;
  /** Empties all that is made of leaves, and what waits for a start, before a rebuild. */
  clearProjections(): Promise<void>;
  /** Deletes at most so many parts that lie under this group; returns how many there were. */
  dropSomeUnder(group: GroupId, limit: number): Promise<number>;
  /** Deletes parts, wraps and origins that lie under these groups; returns how many parts there were. */
  dropGroups(groups: readonly GroupId[]): Promise<number>;
  /**
   * Runs `fn` on this transaction; where it throws, what it wrote is undone, the transaction goes on, and the error
   * is thrown again. Not for what appends leaves or calls `afterCommit`.
   */
  attempt<T>(fn: () => Promise<T>): Promise<T>;
  /** Called once this transaction is on disk, in the order of the calls; not called where it is rolled back. */
  afterCommit(fn: () => void): void;
}

export interface Store {
  /** Committed state. */
  readonly read: Reader;
  /**
   * One transaction (K1–K3). `tx` is dead once `fn` has resolved. Awaiting another `write` inside `fn` never
   * returns: hand `tx` on instead.
   */
  write<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Moves everything into the database file and empties its log, after the transactions that were asked for before:
   * what was deleted stands in neither. False where a reader keeps it from that; to be tried again.
   */
  settle(): Promise<boolean>;
  close(): Promise<void>;
}
