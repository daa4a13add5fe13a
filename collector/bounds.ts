/**
 * How far back a host may go: what is told to it with its enrolment and with every `welcome`.
 *
 * V60 What ended before the end of an earlier agreement of its site is not read by a host that is enrolled after that end:
 *     it was that agreement's, and is gone with it.
 * V61 What began before the end of the last erased span of its agreement is not sealed again.
 */
import { type Bounds, type SignedBounds, signBounds } from '../protocol/bounds.ts';
import { type UtcMs, utcMs } from '../protocol/time.ts';
import { isOver } from './erasing/end-rules.ts';
import type { AgentRow, Reader } from './store/types.ts';
import type { Context } from './types.ts';

type Host = Pick<AgentRow, 'agent' | 'agreement' | 'site' | 'enrolledAt'>;

export async function boundsOf(ctx: Context, host: Host): Promise<SignedBounds> {
  const { read } = ctx.store;
  const bounds: Bounds = {
    readFrom: await earlierEnd(read, host, ctx.clock.now()),
    sealFrom: await erasedThrough(read, host),
  };
  return signBounds(ctx.identity, host, bounds);
}

/**
 * V60. Also while its cooling-off lasts: from the effective date on it reads nothing itself, and what another host had
 * read by then under a living agreement would outlive it.
 */
async function earlierEnd(read: Reader, host: Host, now: UtcMs): Promise<UtcMs | null> {
  const others = new Set((await read.agents.list({ site: host.site })).map(({ agreement }) => agreement));
  others.delete(host.agreement);
  const ends: UtcMs[] = [];
  for (const agreement of others) {
    const row = await read.agreements.get(agreement);
    if (row === null || row.endsAt === null || !isOver(row, now)) continue;
    // A host that was enrolled before that end reads what is its own agreement's.
    if (row.endsAt <= host.enrolledAt) ends.push(row.endsAt);
  }
  return latest(ends);
}

/** V61. Spans fall due in their order: what lies before one that is gone is gone, or was never read. */
async function erasedThrough(read: Reader, { agreement }: Host): Promise<UtcMs | null> {
  const spans = await read.groups.list({ agreement, class: 'session', kind: 'span' });
  return latest(spans.flatMap(({ state, to }) => (state === 'live' || to === null ? [] : [to])));
}

function latest(times: readonly UtcMs[]): UtcMs | null {
  return times.length === 0 ? null : utcMs(Math.max(...times));
}
