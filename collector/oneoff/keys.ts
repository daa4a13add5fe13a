/**
 * One-off groups as they come: an agent makes one for each one-off session and hands its key over inside the
 * connection. The key lies in memory; of the group only its id, its agent and its agreement are stored.
 *
 * O1  No key of a one-off session is written, logged or answered with; each is zeroed when its group dies.
 * O2  A key is taken only from the process that the agent runs as now, for a group that is its own and not dead.
 * O3  A group has a row before the first of its parts is stored, so that whatever happens to the agent something
 *     here knows that it has to end.
 */
import type { WireKey, WirePart } from '../../protocol/frame.ts';
import { oneoffGroup } from '../../protocol/group.ts';
import { type AgentId, type AgreementId, fromB64, type GroupId, type Id } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { GroupRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recogniserOf } from './recognise.ts';

/** Sessions that one machine has at the same time are few; more keys than this are a flood. */
export const MAX_KEYS = 4_096;

/** Who hands keys over. */
export interface Giver {
  agent: AgentId;
  instance: Id<'instance'>;
}

/** True where this agent may have made the group: nobody else has, and it is not dead (O2). */
export function mayBeOf(row: GroupRow | null, agent: AgentId): boolean {
  return row === null || (row.kind === 'oneoff' && row.state === 'live' && row.subject === agent);
}

/** Takes keys of a live connection; false where they are more than an agent may have. */
export function takeKeys(ctx: Context, { agent, instance }: Giver, keys: readonly WireKey[]): boolean {
  const { oneoff } = ctx.opener;
  let count = keys.length === 0 ? 0 : oneoff.count(instance);
  for (const { group, key } of keys) {
    const raw = fromB64(key, 32);
    if (raw === null || !mayBeOf(ctx.groups.byId(group as GroupId), agent)) continue;
    if (count >= MAX_KEYS) return false;
    if (oneoff.put(group as GroupId, instance, raw)) count += 1;
    raw.fill(0);
  }
  if (keys.length > 0) recogniserOf(ctx)?.keysCame(keys.map(({ group }) => group as GroupId));
  return true;
}

/** The row of a one-off group; `subject` says whose it is. */
export function oneoffRow(group: GroupId, agent: AgentId, agreement: AgreementId, now: UtcMs): GroupRow {
  return {
    group,
    kind: 'oneoff',
    agreement,
    class: 'session',
    subject: agent,
    from: null,
    to: null,
    key: null,
    record: oneoffGroup(group, agreement),
    slot: null,
    state: 'live',
    dueAt: null,
    erasedAt: null,
    erasedBy: null,
    createdAt: now,
  };
}

interface Bringer {
  agent: AgentId;
  agreement: AgreementId;
  parts: readonly WirePart[];
}

/** Makes rows for the groups that parts of these batches lie under and whose keys were handed over (O3). */
export async function registerNamed(ctx: Context, batches: readonly Bringer[]): Promise<void> {
  const fresh = new Map<GroupId, GroupRow>();
  const now = ctx.clock.now();
  for (const { agent, agreement, parts } of batches) {
    for (const part of parts) {
      const group = part.group as GroupId;
      if (part.wrap !== null || ctx.groups.byId(group) !== null || fresh.has(group)) continue;
      if (ctx.opener.oneoff.ownerOf(group) !== agent) continue;
      fresh.set(group, oneoffRow(group, agent, agreement, now));
    }
  }
  if (fresh.size === 0) return;
  // A crash from this commit on leaves a row without parts: the agent hands the key over again, or the row ends.
  await ctx.store.write(async (tx) => {
    const rows: GroupRow[] = [];
    // An erasure may have come in between, for a group that nobody knew here.
    for (const row of fresh.values()) if ((await tx.groups.get(row.group)) === null) rows.push(row);
    await tx.groups.put(rows);
    tx.afterCommit(() => ctx.groups.committed(rows));
  });
  ctx.faults.hit?.('collector.oneoff.registered');
}
