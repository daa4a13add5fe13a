/** Rows of what the collector watches: alerts, silence, sessions, webhooks. */
import type { AlertCheck, AlertLevel, Notify } from '../../protocol/alert.ts';
import type { AlertState } from '../../protocol/alert-machine.ts';
import type { AuditTrigger } from '../../protocol/event-audit.ts';
import type { AgentId, AgreementId, CustomerId, Id, PersonId, SiteId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { AgentRow, Pos } from './rows.ts';

export type AlertId = Id<'alert'>;
/** One episode of an alert. Times are by the clock of who told of them. */
export interface AlertRow {
  alert: AlertId;
  /** The host that it is about. */
  agent: AgentId;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
  /** True: the collector says so; false: the host itself. */
  own: boolean;
  check: AlertCheck;
  /** Disk, as samples number it; null: the machine. */
  index: number | null;
  level: AlertLevel;
  state: 'open' | 'cleared';
  notify: Notify;
  value: number | null;
  threshold: number | null;
  forSeconds: number;
  raisedAt: UtcMs;
  /** Last told of. */
  changedAt: UtcMs;
  clearedAt: UtcMs | null;
  ackedAt: UtcMs | null;
  ackedBy: PersonId | null;
  /** The leaf that it begins with. */
  raisedPos: Pos;
}

/** The machine of one alert from sessions; a host and check that is at rest has no row. */
export interface SessionWatchRow {
  /** Host and check, with a space between. */
  watch: string;
  alert: AlertId | null;
  state: AlertState;
}
/** A host that is silent, or was not long ago. */
export interface SilenceRow {
  agent: AgentId;
  /** The open episode; null: none. */
  alert: AlertId | null;
  state: AlertState;
}
export type SilentHost = Pick<AgentRow, 'agent' | 'state' | 'enrolledAt' | 'firstSeenAt' | 'lastSeenAt'>;

export type WebhookId = Id<'webhook'>;
export interface WebhookRow {
  webhook: WebhookId;
  /** Alerts of this customer only; null: of all. */
  customer: CustomerId | null;
  state: 'active' | 'removed';
  /** Everything up to here was answered with 2xx, or is not for this one. */
  cursor: Pos;
  delivered: number;
  deliveredAt: UtcMs | null;
  triedAt: UtcMs | null;
  /** First failed attempt since the last success. */
  failingSince: UtcMs | null;
  failures: number;
  /** HTTP status of the last attempt; null: there was no answer. */
  status: number | null;
  /** A word: why there was none. */
  reason: string | null;
  /** An event says that it fails. */
  told: boolean;
  createdBy: PersonId | null;
  createdAt: UtcMs;
  removedAt: UtcMs | null;
}

/** A self-audit of a host. Times are by its clock. */
export interface AuditRow {
  run: Id<'run'>;
  agent: AgentId;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
  trigger: AuditTrigger;
  startedAt: UtcMs;
  endedAt: UtcMs;
  /** Longest time to its next ones, seconds; null: none is near. */
  everySeconds: number | null;
  /** So many leaves before its own are its findings. */
  findings: number;
  pos: Pos;
}

/** The newest self-audit of a host. */
export interface AuditHostRow {
  agent: AgentId;
  pos: Pos;
  everySeconds: number | null;
}

/** A person read a run and its findings. */
export interface AuditSignatureRow {
  /** Run and person, with a space between. */
  signature: string;
  run: Id<'run'>;
  person: PersonId;
  at: UtcMs;
  pos: Pos;
}

/** The machine of one host's audits; one that is at rest has no row. */
export type AuditWatchRow = SilenceRow;
