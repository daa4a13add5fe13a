/** What a projection is fed with: a leaf of a type that changes one, read and with its owner. */
import type { EventData } from '../protocol/event.ts';
import type { AgentId, AgreementId, CustomerId, LogId, SiteId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import type { Pos } from './store/types.ts';

/** What the projection of recordings reads. */
export const RECORDING_FACTS = [
  'camera.found',
  'camera.heard',
  'camera.gap',
  'camera.registered',
  'recordings.day',
  'recordings.overdue',
  'recordings.copies',
  'recordings.root-suspect',
  'recordings.accepted',
  'recordings.retired',
  'recording.missing',
  'sweep.waiting',
  'sweep.done',
  'clock.stepped',
] as const;

/** Types that change a projection; of all others the bytes are not even parsed. */
export const PROJECTED_TYPES = [
  'session.attempted',
  'session.rejected',
  'session.started',
  'session.updated',
  'session.ended',
  'session.merged',
  'session.explained',
  'source.added',
  'source.opened',
  'source.rotated',
  'source.skipped',
  'source.lost',
  'source.unreadable',
  'journal.gap',
  'host.named',
  'alert.raised',
  'alert.changed',
  'alert.cleared',
  'alert.acked',
  'agent.revoked',
  'device.known',
  'audit.run',
  'audit.signed',
  ...RECORDING_FACTS,
] as const;
export type ProjectedType = (typeof PROJECTED_TYPES)[number];

/** Whose log a leaf stands in; null: the collector's own. */
export type Owner = HostOf | null;
/** A host, and whose it is. */
export interface HostOf {
  agent: AgentId;
  customer: CustomerId;
  site: SiteId;
  agreement: AgreementId;
}

interface FactBase {
  pos: Pos;
  log: LogId;
  seq: number;
  at: UtcMs;
  owner: Owner;
  /** True where the leaf names sealed parts. */
  sealed: boolean;
}
export type FactOf<T extends ProjectedType> = T extends ProjectedType
  ? FactBase & { type: T; data: EventData<T> }
  : never;
/** A leaf whose type and fields this version knows. */
export type Fact = FactOf<ProjectedType>;
