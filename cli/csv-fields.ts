/** The CSV columns of each list, in their order; what an item has beyond them follows. */
const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const SESSION_CSV = words(`
  id host hostId customer site tool direction kind mode state startedAt endedAt durationSeconds startBasis endBasis
  endReason peer.id peer.names peer.ips.ip peer.ips.basis technician localUser toolSessionId auth failedAttempts files
  ticket purpose confirmedBy mergedFrom.id mergedFrom.hostId personal
  erasedAt log seq`);
export const EVENT_CSV = words('pos at type recognised hostId log seq receivedAt data personal opened');
export const GAP_CSV = words('host hostId from to reason');
export const HOST_CSV = words(`
  id host name customer site agreement mode state approval enrolledAt firstSeenAt lastSeenAt readThrough revokedAt
  conflictAt skewMs backlog software.version software.platform software.node sources.source sources.type sources.state
  sources.since sources.skipped sources.unreadable gaps.from gaps.to gaps.reason rules`);
export const TELEMETRY_CSV = words(`
  at spanSeconds samples cpuPermille cpuMinPermille cpuMaxPermille memUsedPermille memMinPermille memMaxPermille
  memTotalMb uptimeSeconds disks.index disks.name disks.label disks.usedPermille disks.usedMinPermille
  disks.usedMaxPermille disks.freeMb disks.totalMb disks.inodesUsedPermille`);
export const TOKEN_CSV = words(
  'id state customer site agreement mode uses used cidr requireApproval createdBy createdAt expiresAt',
);
export const PERSON_CSV = words(
  'id role name state customers nda reading createdBy createdAt signins.id signins.state signins.createdAt signins.expiresAt signins.lastUsedAt',
);
export const AGREEMENT_CSV = words(`
  id customer customerId mode state isDefault startsAt endsAt coolingOffUntil eraseAt endedAt createdAt hosts.host
  hosts.hostId hosts.state hosts.lastSeenAt hosts.takenAt hosts.clearedAt hosts.erasedAt kept.group
  kept.reason kept.sessions`);
export const AGREEMENT_SHOW_CSV = [
  ...AGREEMENT_CSV,
  ...words(`
  groups.live groups.erasing groups.erased erasures.id erasures.class erasures.kind erasures.state erasures.by
  erasures.parts erasures.from erasures.to erasures.dueAt erasures.doneAt moreErasures`),
];
export const ERASURE_CSV = words(`
  id class kind agreement customer customerId from to state by policy version dueAt begunAt doneAt lateSeconds method
  verified parts listRoot backupHorizon.until backupHorizon.known backupHorizon.copies backupHorizon.images events.pos
  events.log events.seq events.type hosts.host hosts.hostId hosts.state hosts.confirmedAt hosts.lastSeenAt`);
export const IDENTITY_CSV = words('id person kind value from to state createdBy createdAt');
export const ALERT_CSV = words(`
  id host hostId customer site agreement check index level state raisedAt changedAt clearedAt value threshold forSeconds
  notify ackedAt ackedBy`);
export const APPROVAL_CSV = words(
  'id verb body state askedBy askedAt reason expiresAt approvers aloneAt decidedBy decidedAt',
);
export const WEBHOOK_CSV = words(`
  id url customer customerId state failingSince failures lastStatus lastReason triedAt delivered deliveredAt waiting
  createdBy createdAt`);
export const RULE_CSV = words(`
  class mode trigger keepAtMost keepAtLeast round span action note policy version zone pack setBy setAt`);
export const FINDING_CSV = words('id severity line finding class mode rule text');
export const PLAN_CSV = words(`
  group class kind customer customerId agreement subject from to state dueAt reason action policy version parts more`);
export const RECORDING_CSV = words(`
  id source camera cameraName path startedAt startedAtLatest endedAt endBasis sizeBytes state retainUntil holds reason`);
export const STATS_CSV = words(`
  source root layout camera name count bytes oldest newest due held unbounded erased missing limit`);
export const SWEEP_CSV = words(`source root mode waits plan count bytes oldest dueBy planned left`);
export const ROOT_CSV = words(`source root mode state waits since plan sweptAt left`);
export const HOLD_CSV = words(`
  id kind case basis reason wide state placedBy placedAt reviewAt restricted scope.from scope.to scope.padSeconds
  agents.host agents.hostId agents.state agents.lastSeen agents.protection agents.copied agents.recordings agents.bytes
  agents.erased agents.erasing agents.missing agents.reportedAt agents.reason agents.confirmed sessions.held
  sessions.gone notice.dueAt notice.doneAt notice.overdue releasedAt releasedBy`);
export const PREVIEW_CSV = words(`
  recordings bytes erased erasing sessions wide complete hosts.host hosts.hostId hosts.answered hosts.lastSeen
  hosts.recordings hosts.bytes hosts.oldest hosts.newest`);
export const AUDIT_CSV = words(`
  id host hostId customer site agreement trigger startedAt endedAt everySeconds findings signed.person signed.at`);
export const AUDIT_SHOW_CSV = [
  ...AUDIT_CSV,
  ...words(`
  checks.check checks.looked checks.of checks.explained checks.unseen found.check found.code found.count found.source
  found.tool found.unseen findingsMissing signed.note`),
];
export const CAMERA_CSV = words(`
  id host hostId customer site source name address area purpose registered.at registered.by registered.retain.months
  registered.retain.hours registered.signage registered.place foundAt sound notRecordingSince recordings missing oldest
  newest findings`);
