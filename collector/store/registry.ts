/** The registry tables: which field lies in which column. Ids, states and times only; nothing personal. */
import { type Columns, type Sql, sqliteTable } from './table.ts';
import type {
  AgentRow,
  AgreementRow,
  ApprovalRow,
  CommandRow,
  ConfirmationRow,
  CustomerRow,
  DeviceRow,
  ErasureRow,
  GroupRow,
  HoldHostRow,
  HoldRow,
  IdentityRow,
  KeyCopyRow,
  OrphanRow,
  PersonRow,
  Reader,
  SessionWatchRow,
  SigninRow,
  SilenceRow,
  SiteRow,
  TicketRow,
  TokenRow,
  WebhookRow,
} from './types.ts';

const customers: Columns<CustomerRow> = {
  customer: ['customer'],
  namePos: ['name_pos'],
  createdAt: ['created_at'],
};
const sites: Columns<SiteRow> = {
  site: ['site'],
  customer: ['customer'],
  namePos: ['name_pos'],
  createdAt: ['created_at'],
};
const agreements: Columns<AgreementRow> = {
  agreement: ['agreement'],
  customer: ['customer'],
  mode: ['mode'],
  state: ['state'],
  isDefault: ['is_default', 'flag'],
  startsAt: ['starts_at'],
  endsAt: ['ends_at'],
  createdAt: ['created_at'],
  coolingUntil: ['cooling_until'],
  orderedAt: ['ordered_at'],
  orderedBy: ['ordered_by'],
  endedAt: ['ended_at'],
};
const agents: Columns<AgentRow> = {
  agent: ['agent'],
  key: ['key'],
  customer: ['customer'],
  site: ['site'],
  agreement: ['agreement'],
  mode: ['mode'],
  state: ['state'],
  token: ['token'],
  enrolledAt: ['enrolled_at'],
  revokedAt: ['revoked_at'],
  conflictAt: ['conflict_at'],
  firstSeenAt: ['first_seen_at'],
  generation: ['generation'],
  lastSeenAt: ['last_seen_at'],
  readThrough: ['read_through'],
  skewMs: ['skew_ms'],
  backlog: ['backlog'],
  software: ['software', 'json'],
  namePos: ['name_pos'],
};
const tokens: Columns<TokenRow> = {
  token: ['token'],
  secretHash: ['secret_hash'],
  customer: ['customer'],
  site: ['site'],
  agreement: ['agreement'],
  mode: ['mode'],
  uses: ['uses'],
  used: ['used'],
  cidrPos: ['cidr_pos'],
  requireApproval: ['require_approval', 'flag'],
  state: ['state'],
  createdBy: ['created_by'],
  createdAt: ['created_at'],
  expiresAt: ['expires_at'],
};
const people: Columns<PersonRow> = {
  person: ['person'],
  role: ['role'],
  customers: ['customers', 'json'],
  state: ['state'],
  namePos: ['name_pos'],
  reading: ['reading', 'flag'],
  ndaPos: ['nda_pos'],
  createdBy: ['created_by'],
  createdAt: ['created_at'],
};
const approvals: Columns<ApprovalRow> = {
  approval: ['approval'],
  verb: ['verb'],
  body: ['body', 'json'],
  state: ['state'],
  askedBy: ['asked_by'],
  createdAt: ['created_at'],
  expiresAt: ['expires_at'],
  askedPos: ['asked_pos'],
  about: ['about'],
  customers: ['customers', 'json'],
  aloneAt: ['alone_at'],
  decidedBy: ['decided_by'],
  decidedAt: ['decided_at'],
};
const signins: Columns<SigninRow> = {
  signin: ['signin'],
  person: ['person'],
  tokenHash: ['token_hash'],
  state: ['state'],
  createdAt: ['created_at'],
  expiresAt: ['expires_at'],
  lastUsedAt: ['last_used_at'],
};
const groups: Columns<GroupRow> = {
  group: ['grp'],
  kind: ['kind'],
  agreement: ['agreement'],
  class: ['class'],
  subject: ['subject'],
  from: ['from_at'],
  to: ['to_at'],
  key: ['key'],
  record: ['record', 'json'],
  slot: ['slot'],
  state: ['state'],
  dueAt: ['due_at'],
  erasedAt: ['erased_at'],
  erasedBy: ['erased_by'],
  createdAt: ['created_at'],
};
const erasures: Columns<ErasureRow> = {
  group: ['grp'],
  by: ['by_what'],
  policy: ['policy'],
  version: ['version'],
  dueAt: ['due_at'],
  begunAt: ['begun_at'],
  doneAt: ['done_at'],
  parts: ['parts'],
  listRoot: ['list_root'],
  method: ['method'],
  donePos: ['done_pos'],
};
const confirmations: Columns<ConfirmationRow> = { agent: ['agent'], pos: ['pos'], at: ['at'] };
const orphans: Columns<OrphanRow> = { group: ['grp'], firstSeen: ['first_seen'] };
const keyCopies: Columns<KeyCopyRow> = {
  copy: ['copy'],
  kind: ['kind'],
  pos: ['pos'],
  madeAt: ['made_at'],
  untilAt: ['until_at'],
};
const identities: Columns<IdentityRow> = {
  identity: ['identity'],
  person: ['person'],
  kind: ['kind'],
  from: ['from_at'],
  to: ['to_at'],
  state: ['state'],
  valuePos: ['value_pos'],
  createdBy: ['created_by'],
  createdAt: ['created_at'],
};
const tickets: Columns<TicketRow> = {
  ticket: ['ticket'],
  agent: ['agent'],
  from: ['from_at'],
  to: ['to_at'],
  pos: ['pos'],
  importedBy: ['imported_by'],
  importedAt: ['imported_at'],
};
const commands: Columns<CommandRow> = {
  command: ['command'],
  agent: ['agent'],
  generation: ['generation'],
  n: ['n'],
  verb: ['verb'],
  body: ['body', 'json'],
  sig: ['sig'],
  createdBy: ['created_by'],
  createdAt: ['created_at'],
  resultAt: ['result_at'],
  ok: ['ok', 'flag'],
  result: ['result', 'json'],
};

const silences: Columns<SilenceRow> = { agent: ['agent'], alert: ['alert'], state: ['state', 'json'] };
const sessionWatch: Columns<SessionWatchRow> = {
  watch: ['watch'],
  alert: ['alert'],
  state: ['state', 'json'],
};
const holds: Columns<HoldRow> = {
  hold: ['hold'],
  kind: ['kind'],
  scope: ['scope', 'json'],
  state: ['state'],
  placedPos: ['placed_pos'],
  createdAt: ['created_at'],
  customer: ['customer'],
  placedBy: ['placed_by'],
  reviewAt: ['review_at'],
  restricted: ['restricted', 'flag'],
  notifiedAt: ['notified_at'],
  notifiedPos: ['notified_pos'],
  releasedAt: ['released_at'],
  releasedBy: ['released_by'],
  releasedPos: ['released_pos'],
};
const holdHosts: Columns<HoldHostRow> = {
  place: ['place'],
  hold: ['hold'],
  agent: ['agent'],
  orders: ['orders', 'json'],
  state: ['state'],
  appliedAt: ['applied_at'],
  report: ['report', 'json'],
  reportedAt: ['reported_at'],
  confirmedPos: ['confirmed_pos'],
};
const devices: Columns<DeviceRow> = { agent: ['agent'], pos: ['pos'] };
const webhooks: Columns<WebhookRow> = {
  webhook: ['webhook'],
  customer: ['customer'],
  state: ['state'],
  cursor: ['cursor'],
  delivered: ['delivered'],
  deliveredAt: ['delivered_at'],
  triedAt: ['tried_at'],
  failingSince: ['failing_since'],
  failures: ['failures'],
  status: ['status'],
  reason: ['reason'],
  told: ['told', 'flag'],
  createdBy: ['created_by'],
  createdAt: ['created_at'],
  removedAt: ['removed_at'],
};

/** Tickets of these hosts whose time touches [from, to], both ends included; the first ones. */
export function readTickets(sql: Sql): Pick<Reader, 'ticketsOf'> {
  const table = sqliteTable(sql, 'tickets', tickets);
  return {
    async ticketsOf(agents, from, to, limit) {
      return table.select(
        `WHERE agent IN (SELECT value FROM json_each(?)) AND from_at <= ? AND to_at >= ?
          ORDER BY from_at, ticket LIMIT ?`,
        [JSON.stringify(agents), to, from, limit],
      );
    },
  };
}

export function registry(sql: Sql) {
  return {
    customers: sqliteTable(sql, 'customers', customers),
    sites: sqliteTable(sql, 'sites', sites),
    agreements: sqliteTable(sql, 'agreements', agreements),
    agents: sqliteTable(sql, 'agents', agents),
    tokens: sqliteTable(sql, 'tokens', tokens),
    people: sqliteTable(sql, 'people', people),
    approvals: sqliteTable(sql, 'approvals', approvals),
    signins: sqliteTable(sql, 'signins', signins),
    groups: sqliteTable(sql, 'key_groups', groups),
    commands: sqliteTable(sql, 'commands', commands),
    orphans: sqliteTable(sql, 'orphans', orphans),
    keyCopies: sqliteTable(sql, 'key_copies', keyCopies),
    silences: sqliteTable(sql, 'silences', silences),
    webhooks: sqliteTable(sql, 'webhooks', webhooks),
    erasures: sqliteTable(sql, 'erasures', erasures),
    confirmations: sqliteTable(sql, 'confirmations', confirmations),
    sessionWatch: sqliteTable(sql, 'session_watch', sessionWatch),
    identities: sqliteTable(sql, 'identities', identities),
    tickets: sqliteTable(sql, 'tickets', tickets),
    devices: sqliteTable(sql, 'devices', devices),
    holds: sqliteTable(sql, 'holds', holds),
    holdHosts: sqliteTable(sql, 'hold_hosts', holdHosts),
  };
}
