/** One sealed part under another group: opened, sealed anew, and put in the place of the old one. */
import { fitsPersonal } from '../../protocol/event.ts';
import { type Leaf, readLeaf } from '../../protocol/leaf.ts';
import { type OpenedPart, openPart } from '../../protocol/seal.ts';
import { commitmentFor, type Resealer } from '../ingest/regroup.ts';
import type { GroupRow, LeafRow, PartRow, Tx, WrapRow } from '../store/types.ts';
import type { OwnDraft, OwnLog } from '../types.ts';

export interface Moved {
  leaf: Leaf;
  opened: OpenedPart;
  part: PartRow;
  wrap: WrapRow;
  body: Buffer;
  draft: OwnDraft;
}

/** Null where the part does not open, is not what its leaf says, or the target has no key: it stays as it is. */
export function movedOf(
  resealer: Resealer,
  target: GroupRow,
  part: PartRow,
  leaf: LeafRow | undefined,
  key: Buffer | null,
): Moved | null {
  const record = leaf === undefined ? null : readLeaf(leaf.bytes);
  if (leaf === undefined || record === null || typeof record === 'string' || key === null) return null;
  const c = commitmentFor(record.pii, part.group);
  const { log, seq, type } = leaf;
  const place = { log, seq, group: part.group, under: part.under };
  const opened = c === undefined ? null : openPart(key, place, c, part.body);
  if (c === undefined || opened === null || fitsPersonal(type, opened.p) === false) return null;
  const resealed = resealer.seal(target, { ...place, under: target.group }, c, opened);
  if (resealed === null) return null;
  const data = { log, seq, from: part.under, to: target.group };
  const { wrap, body } = resealed;
  return {
    leaf: record,
    opened,
    part: { ...part, under: target.group, wrap: wrap.wrap, body },
    wrap,
    body,
    draft: { type: 'sealed.regrouped', data },
  };
}

/** The new part stands in the transaction in which the old one goes: neither is ever without the other. */
export async function storeMoved(own: OwnLog, tx: Tx, moved: readonly Moved[]): Promise<void> {
  await tx.addWraps(moved.map(({ wrap }) => wrap));
  await tx.dropParts(moved.map(({ part }) => part));
  await tx.addParts(moved.map(({ part }) => part));
  await own.append(
    tx,
    moved.map(({ draft }) => draft),
  );
}
