/** Rows of what hosts told of their recordings: projections. */
import type { AgentId, CustomerId, Id, PersonId, SiteId, SourceId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Pos } from './rows.ts';

export type CameraId = Id<'camera'>;

export interface LeftOver {
  reason: string;
  count: number;
}
export interface SeenCopies {
  kind: string;
  place: string;
  count: number;
  more: boolean;
}

/** One root of recordings on a host. Times are by the host's clock. */
export interface RootRow {
  source: SourceId;
  agent: AgentId;
  state: 'watched' | 'suspect' | 'retired';
  reason: string | null;
  waits: string | null;
  /** Whatever the reason was meanwhile. */
  waitsSince: UtcMs | null;
  plan: string | null;
  /** Expired and still there; null: never told. */
  left: LeftOver[] | null;
  leftAt: UtcMs | null;
  copies: SeenCopies[] | null;
  sweptAt: UtcMs | null;
  missing: number;
  toldAt: UtcMs;
}

export interface CameraRow {
  camera: CameraId;
  agent: AgentId;
  source: SourceId;
  customer: CustomerId;
  site: SiteId;
  /** Leaf with its sealed name. */
  foundPos: Pos;
  foundAt: UtcMs;
  sound: 'audio' | 'none' | 'unknown' | null;
  /** Since when it does not record; null: it does. */
  gapFrom: UtcMs | null;
  /** Leaf with what the register says; null: it is in no register. */
  registeredPos: Pos | null;
  registeredAt: UtcMs | null;
  registeredBy: PersonId | null;
  /** How long its footage is to be kept, as the register has it; null: it does not say. */
  retainMonths: number | null;
  retainMs: number | null;
  signageAt: UtcMs | null;
}

export interface CameraDayRow {
  /** Camera and begin, with a space between. */
  day: string;
  camera: CameraId;
  agent: AgentId;
  fromAt: UtcMs;
  toAt: UtcMs;
  count: number;
  bytes: number;
  present: number;
  erased: number;
  missing: number;
  firstAt: UtcMs;
  lastAt: UtcMs;
  gaps: number;
  gapSeconds: number;
  toldAt: UtcMs;
}

export interface ClockStepRow {
  agent: AgentId;
  at: UtcMs;
  byMs: number;
}

/** What there is of a camera by the days that were told. `oldest`, `newest` of days of which something is there. */
export interface CameraSum {
  camera: CameraId;
  count: number;
  bytes: number;
  erased: number;
  missing: number;
  oldest: UtcMs | null;
  newest: UtcMs | null;
}
