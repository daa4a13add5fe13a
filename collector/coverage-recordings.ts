/**
 * Coverage of an answer about recordings: what the host says of its roots, beside what the collector knows of the host. Pure.
 *
 * V72 No answer without its coverage (A2): a gap of a root, and that nothing can be called overdue, is a gap of its host; of
 *     a host that is not connected the time since it last spoke is one, however short. That no source of sessions is read
 *     says nothing about recordings.
 * V73 What a host says is read strictly: coverage that cannot be understood is a gap around it all.
 */
import { z } from 'zod';
import { id, iso } from '../protocol/group.ts';
import { fromIso, toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import type { CoverageGap, HostCoverage } from './coverage.ts';

const when = iso.nullable();
const watched = z
  .array(
    z.object({
      source: id,
      from: when,
      to: when,
      gaps: z.array(z.object({ from: when, to: when, reason: z.string().regex(/^[a-z-]{1,64}$/) })).max(16),
    }),
  )
  .max(64);
type Root = z.infer<typeof watched>[number];

/**
 * @param answer of the host; null: it gave none @param lastSeenAt of the host
 * @param why it gave none: of one that is connected nothing is known at all
 */
export function recordingCoverage(
  host: HostCoverage,
  answer: Record<string, unknown> | null,
  lastSeenAt: UtcMs | null,
  why = 'not-connected',
): HostCoverage {
  const { from, to } = host;
  if (answer === null) {
    const known = lastSeenAt !== null && why === 'not-connected';
    const since = known ? later(from, toIso(lastSeenAt)) : from;
    // The same silence, told by what is known of the host's sources of sessions, is told once.
    const gaps = host.gaps.filter(({ reason }) => reason !== 'no-source' && reason !== 'no-contact');
    return { ...host, gaps: [...gaps, { from: since, to, reason: why }] };
  }
  const read = watched.safeParse(answer.watched ?? []);
  if (!read.success) return { ...host, gaps: [...host.gaps, { from, to, reason: 'source-unreadable' }] };
  if (read.data.length === 0) return host;
  const known = host.gaps.filter(({ reason }) => reason !== 'no-source');
  const sources = read.data.map((root) => ({
    ...{ source: root.source, type: 'recordings', state: 'reading' as const },
    ...{ since: ends(root.from, from), skipped: 0, unreadable: 0 },
  }));
  return {
    ...host,
    gaps: [...known, ...read.data.flatMap((root) => gapsOf(root, host))],
    sources: [...host.sources.filter(({ type }) => type !== 'recordings'), ...sources],
  };
}

/** An end that the host does not know is that of the answer. */
function gapsOf(root: Root, { from, to }: HostCoverage): CoverageGap[] {
  return root.gaps.map((gap) => ({
    from: ends(gap.from ?? root.from, from),
    to: ends(gap.to, to),
    reason: gap.reason,
  }));
}

function ends(at: string | null, otherwise: string): string {
  return at ?? otherwise;
}

function later(a: string, b: string): string {
  return toIso(utcMs(Math.max(fromIso(a) ?? 0, fromIso(b) ?? 0)));
}
