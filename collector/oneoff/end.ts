/**
 * The end of one-off groups: key zeroed, parts deleted, row `erased`, all in one transaction. There is no slot, and so
 * no step between: a crash before the commit leaves a live group whose key died with the process, and the agent, its
 * next `hello` or the look of `care.ts` ends it again; after the commit it is over.
 *
 * O4  An erasure waits for no backlog: it takes its turn at the store between two turns of ingest, at most.
 * O5  What ended stays so: a part that comes afterwards is dropped and counted, its leaf is stored and acked.
 * O6  An agent ends groups of its own only. One that nobody knew here is noted as dead, because its leaf may be on
 *     the way.
 * O7  A group that its agent's `hello` does not name is over: the process that had its key is gone.
 */
import type { AgentId, AgreementId, GroupId, Id } from '../../protocol/ids.ts';
import { SECOND_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import { listUnder } from '../erasing/list-root.ts';
import { settleSoon } from '../settler.ts';
import type { ErasureRow, GroupRow, Tx } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { oneoffRow } from './keys.ts';

/** `lane`: the agent said so; `process`: it runs anew; `contact`: it was not heard of for a day; `revoked`. */
export type EndedBy = 'lane' | 'process' | 'contact' | 'revoked';

/** Groups in one transaction: ingest goes on in between. */
const SLICE = 128;
/** `hello` names at most so many groups; the newest, where there are more. */
const HELLO_GROUPS = 2048;

export interface Owner {
  agent: AgentId;
  agreement: AgreementId;
}

/**
 * Ends these groups of an agent (O6).
 * @param dueAt when they had to be gone by; null: whenever they end
 * @returns those that are over, durably; also such as were before
 */
export async function endGroups(
  ctx: Context,
  owner: Owner,
  groups: readonly GroupId[],
  by: EndedBy,
  dueAt: UtcMs | null = null,
): Promise<GroupId[]> {
  const own = groups.filter((group) => isOwn(ctx.groups.byId(group), owner.agent));
  for (let at = 0; at < own.length; at += SLICE) {
    const slice = own.slice(at, at + SLICE);
    try {
      ctx.faults.hit?.('collector.erase.before');
      await ctx.store.write((tx) => endIn(ctx, tx, owner, slice, by, dueAt));
    } finally {
      // Also where nothing could be written: from the agent's word on nobody reads it here.
      ctx.opener.oneoff.drop(slice);
    }
    ctx.faults.hit?.('collector.erase.committed');
  }
  if (own.length > 0) settleSoon(ctx);
  return own;
}

function isOwn(row: GroupRow | null, agent: AgentId): boolean {
  return row === null || (row.kind === 'oneoff' && row.subject === agent);
}

async function endIn(
  ctx: Context,
  tx: Tx,
  { agent, agreement }: Owner,
  groups: readonly GroupId[],
  by: EndedBy,
  dueAt: UtcMs | null,
): Promise<void> {
  const now = ctx.clock.now();
  const dead: GroupRow[] = [];
  const drafts: OwnDraft[] = [];
  const erasures: ErasureRow[] = [];
  for (const group of new Set(groups)) {
    const row = await tx.groups.get(group);
    if (row?.state === 'erased') continue;
    const ended = { state: 'erased', dueAt, erasedAt: now, erasedBy: by } as const;
    dead.push({ ...(row ?? oneoffRow(group, agent, agreement, now)), ...ended });
    // Nothing of it was ever here: there is no erasure of ours to tell of.
    if (row === null) continue;
    const { parts, listRoot } = await listUnder(tx, group);
    await tx.dropGroups([group]);
    drafts.push(...told(group, parts, listRoot, dueAt, now, by));
    const times = { dueAt, begunAt: now, doneAt: now };
    const unruled = { policy: null, version: null, method: 'key-dropped', donePos: null };
    erasures.push({ group, by, parts, listRoot, ...times, ...unruled });
  }
  await tx.groups.put(dead);
  const positions = await ctx.own.append(tx, drafts);
  // Two events for each: the second one is `erasure.done`.
  await tx.erasures.put(erasures.map((row, i) => ({ ...row, donePos: positions[i * 2 + 1] ?? null })));
  tx.afterCommit(() => ctx.groups.committed(dead));
}

function told(
  group: GroupId,
  count: number,
  listRoot: string,
  dueAt: UtcMs | null,
  now: UtcMs,
  by: EndedBy,
): OwnDraft[] {
  const late = dueAt === null ? null : Math.max(0, Math.floor((now - dueAt) / SECOND_MS));
  const data = {
    group,
    class: 'session',
    policy: null,
    version: null,
    dueAt: dueAt === null ? null : toIso(dueAt),
    count,
    listRoot,
    lateSeconds: late,
    method: 'key-dropped',
    by,
  } as const;
  return [
    { type: 'erasure.started', data },
    { type: 'erasure.done', data },
  ];
}

/** A proven agent has come: what its process does not hold any more is over (O7). */
export async function endForgotten(
  ctx: Context,
  owner: Owner,
  hello: { instance: string; groups: readonly string[] },
): Promise<void> {
  ctx.opener.oneoff.begin(owner.agent, hello.instance as Id<'instance'>);
  const held = new Set(hello.groups);
  // Nothing can be said of those that had no room in it; the agent's own erasures name them.
  if (hello.groups.length >= HELLO_GROUPS) return;
  const gone = ctx.groups.oneoff(owner.agent).filter(({ group }) => !held.has(group));
  if (gone.length === 0) return;
  await endGroups(
    ctx,
    owner,
    gone.map(({ group }) => group),
    'process',
  );
}
