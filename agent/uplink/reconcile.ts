/**
 * What to do with each log once `welcome` has said how far the collector is. Pure.
 *
 * U13  A log goes on only where both sides have the same leaf at the collector's cursor.
 * U14  A log that was rolled back, cloned or refused is never continued: its successor names where it ended (B1).
 * U15  What the collector is missing is sent again while it is kept; what is not kept becomes a gap by name.
 * U16  A closed log that the collector has whole is left as it is, whatever state it is in there.
 */
import type { BirthReason } from '../../protocol/birth.ts';
import type { CollectorFrame, FrameOf } from '../../protocol/frame.ts';
import type { LogId } from '../../protocol/ids.ts';

export type Cursor = FrameOf<CollectorFrame, 'welcome'>['cursors'][number];

/** What this side knows of one of its logs. */
export interface LogView {
  log: LogId;
  next: number;
  acked: number;
  open: boolean;
  /** Leaf hash as base64url (of the birth at 0); null where it is not kept. */
  hashAt(seq: number): string | null;
}

export interface Predecessor {
  size: number;
  head: string | null;
}

export type LogPlan =
  /** Send from `through` + 1; `rewind` where the collector is behind what it had acked. */
  | { do: 'resume'; through: number; rewind: boolean }
  /** The open log ends here; its successor names `predecessor`. */
  | { do: 'succeed'; reason: BirthReason; predecessor: Predecessor }
  /** A closed log that cannot be drained any more: its rest becomes a gap of the open one. */
  | { do: 'give-up'; reason: BirthReason; predecessor: Predecessor };

/** @param cursor what the collector says of this log; undefined: it has never seen it */
export function reconcile(view: LogView, cursor: Cursor | undefined): LogPlan {
  if (cursor === undefined) return unlisted(view);
  if (!view.open && cursor.through >= view.next - 1) return resume(view, view.next - 1);
  const predecessor = { size: cursor.through, head: cursor.head };
  if (cursor.state === 'frozen' || cursor.state === 'quarantined') {
    return finish(view, 'quarantined', predecessor);
  }
  // An open log that the collector knows as closed has a successor that we forgot: we were rolled back.
  if (cursor.state === 'closed' && view.open) return finish(view, 'restored', predecessor);
  if (cursor.through > view.next - 1) return finish(view, 'restored', predecessor);
  const ours = view.hashAt(cursor.through);
  if (ours !== null && ours !== cursor.head) return finish(view, 'restored', predecessor);
  if (ours === null || !kept(view, cursor.through)) return finish(view, 'collector-restored', predecessor);
  // It takes nothing new into a log that it has closed: sending would only be refused, again and again.
  if (cursor.state === 'closed' && cursor.through < view.next - 1)
    return finish(view, 'restored', predecessor);
  return resume(view, cursor.through);
}

function unlisted(view: LogView): LogPlan {
  const birth = view.hashAt(0);
  if (birth !== null && kept(view, 0)) return resume(view, 0);
  return finish(view, 'collector-restored', { size: 0, head: birth });
}

/** True where the leaf after `through` can be sent, or there is none to send. */
function kept(view: LogView, through: number): boolean {
  return through + 1 >= view.next || view.hashAt(through + 1) !== null;
}

function resume(view: LogView, through: number): LogPlan {
  return { do: 'resume', through, rewind: through < view.acked };
}

function finish(view: LogView, reason: BirthReason, predecessor: Predecessor): LogPlan {
  return { do: view.open ? 'succeed' : 'give-up', reason, predecessor };
}
