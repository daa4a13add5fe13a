/** Rows of legal holds. What a person wrote of them lies sealed in their events. */
import type { EventData } from '../../protocol/event.ts';
import type { HoldReach } from '../../protocol/event-holds.ts';
import type { HoldKind, HoldOrder } from '../../protocol/hold.ts';
import type { AgentId, CustomerId, Id, PersonId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Pos } from './rows.ts';

export type HoldId = Id<'hold'>;

export interface HoldRow {
  hold: HoldId;
  /** `unknown`: a host offered it back, and nothing else is known of it here. */
  kind: HoldKind | 'unknown';
  scope: HoldReach;
  state: 'placed' | 'released';
  /** The leaf `hold.placed`, or `hold.adopted`. */
  placedPos: Pos | null;
  createdAt: UtcMs;
  customer: CustomerId;
  placedBy: PersonId | null;
  reviewAt: UtcMs | null;
  restricted: boolean;
  notifiedAt: UtcMs | null;
  notifiedPos: Pos | null;
  releasedAt: UtcMs | null;
  releasedBy: PersonId | null;
  releasedPos: Pos | null;
}

export interface HoldHostRow {
  place: string;
  hold: HoldId;
  agent: AgentId;
  orders: HoldOrder;
  state: 'pending' | 'in-force' | 'released';
  appliedAt: UtcMs | null;
  report: EventData<'hold.reported'> | null;
  reportedAt: UtcMs | null;
  confirmedPos: Pos | null;
}
