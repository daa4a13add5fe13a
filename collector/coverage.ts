/**
 * Coverage: what was watched, from when to when, and where the gaps are. Pure; the API hands in the rows.
 *
 * A2  No answer without its coverage: every list, also an empty one, says what was watched, from when to when,
 *     and where the gaps are. A gap counts inside the asked range and after the host's enrolment.
 * A4  What one host tells makes no answer long: overlapping gaps of a reason are one, and what is more than an
 *     answer holds is one gap around it all.
 */
import { DEAD_MS } from '../protocol/frame.ts';
import type { AgentId } from '../protocol/ids.ts';
import { toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import type { AgentRow, GapRow, SourceRow } from './store/types.ts';

/** Evidence may lie this far behind without being called a gap: an agent is dead after that long in silence. */
export const COVERAGE_SLACK_MS = DEAD_MS;

const MAX_SOURCES = 256;
const MAX_GAPS = 256;

export interface CoverageGap {
  from: string;
  to: string;
  /**
   * `never-connected`, `waiting` (for approval), `revoked`, `no-contact`, `not-read-yet` (connected, but no source
   * was read through yet), `no-source`, `source-lost`, `source-unreadable`, `too-many-sources` (not all are
   * known), `more-gaps` (of any reason, together), `restore-unconfirmed` (the
   * collector was set back and the host has not spoken since), or the reason of a `journal.gap`.
   */
  reason: string;
}
export interface CoverageSource {
  source: string;
  type: string;
  state: SourceRow['state'];
  since: string;
  /** Rows left alone on purpose, and rows that could not be read. */
  skipped: number;
  unreadable: number;
}
export interface HostCoverage {
  /** Opened name; the id where the name was erased or never given. */
  host: string;
  hostId: AgentId;
  from: string;
  to: string;
  gaps: CoverageGap[];
  sources: CoverageSource[];
}
export interface Coverage {
  from: string | null;
  to: string;
  hosts: HostCoverage[];
}

export interface Asked {
  /** Null: each host's enrolment. */
  since: UtcMs | null;
  /** Null: now. Exclusive. */
  until: UtcMs | null;
  now: UtcMs;
}
export interface WatchedHost {
  agent: AgentRow;
  name: string | null;
  sources: readonly SourceRow[];
  gaps: readonly GapRow[];
  /** This state was set back, and the host was not let in since. */
  unconfirmed?: boolean;
}

/** The span of one host inside what was asked; null: it was not enrolled in it. */
export function hostSpan(agent: AgentRow, asked: Asked): { from: UtcMs; to: UtcMs } | null {
  const to = endOf(asked);
  const from = utcMs(Math.max(asked.since ?? agent.enrolledAt, agent.enrolledAt));
  const outside = asked.until !== null && from >= asked.until;
  return from > to || outside ? null : { from, to };
}

/** Coverage of these hosts, in the given order; hosts that were not enrolled in the range are left out. */
export function coverageOf(hosts: readonly WatchedHost[], asked: Asked): Coverage {
  const spans = hosts.flatMap((host) => {
    const span = hostSpan(host.agent, asked);
    return span === null ? [] : [{ host, ...span }];
  });
  const earliest = spans.reduce<UtcMs | null>(
    (min, s) => (min === null || s.from < min ? s.from : min),
    null,
  );
  const from = asked.since ?? earliest;
  return {
    from: from === null ? null : toIso(from),
    to: toIso(endOf(asked)),
    hosts: spans.map(({ host, from: start, to }) => ({
      host: host.name ?? host.agent.agent,
      hostId: host.agent.agent,
      from: toIso(start),
      to: toIso(to),
      gaps: gapsOf(host, start, to),
      sources: host.sources.slice(0, MAX_SOURCES).map(sourceOf),
    })),
  };
}

export function hasGap(coverage: Coverage): boolean {
  return coverage.hosts.some((host) => host.gaps.length > 0);
}

function endOf(asked: Asked): UtcMs {
  return utcMs(Math.min(asked.until ?? asked.now, asked.now));
}

function sourceOf(row: SourceRow): CoverageSource {
  const { source, tool, state, since, skipped, unreadable } = row;
  return { source, type: tool, state, since: toIso(since), skipped, unreadable };
}

interface Span {
  from: UtcMs;
  to: UtcMs;
  reason: string;
}

function gapsOf(host: WatchedHost, from: UtcMs, to: UtcMs): CoverageGap[] {
  const tail = host.unconfirmed === true ? lostTail(host.agent, from, to) : tailGap(host.agent, from, to);
  const found: Span[] = tail === null ? [] : [tail];
  const watchedTo = tail?.from ?? to;
  if (host.sources.length === 0 && watchedTo > from) found.push({ from, to: watchedTo, reason: 'no-source' });
  if (host.sources.length > MAX_SOURCES) found.push({ from, to, reason: 'too-many-sources' });
  const blind = host.sources
    .filter((source) => source.state !== 'reading')
    .map(({ since, state }) => ({
      fromAt: since,
      toAt: utcMs(Math.max(since, watchedTo)),
      reason: `source-${state}`,
    }));
  for (const row of [...blind, ...host.gaps]) {
    const inside = clip(row, from, to);
    if (inside !== null) found.push(inside);
  }
  return bounded(united(found)).map((gap) => ({
    from: toIso(gap.from),
    to: toIso(gap.to),
    reason: gap.reason,
  }));
}

/** Overlapping gaps of one reason as one: several sources may be blind at the same time. In the order of time. */
function united(gaps: readonly Span[]): Span[] {
  const open = new Map<string, Span>();
  const done: Span[] = [];
  for (const gap of inTime(gaps)) {
    const last = open.get(gap.reason);
    if (last !== undefined && gap.from <= last.to) {
      last.to = utcMs(Math.max(last.to, gap.to));
      continue;
    }
    const next = { ...gap };
    open.set(gap.reason, next);
    done.push(next);
  }
  return inTime(done);
}

function inTime(gaps: readonly Span[]): Span[] {
  return gaps.toSorted((a, b) => a.from - b.from || a.to - b.to);
}

/** A4: nothing is hidden, the last gap spans what it stands for. */
function bounded(gaps: readonly Span[]): Span[] {
  const [shown, more] = [gaps.slice(0, MAX_GAPS - 1), gaps.slice(MAX_GAPS - 1)];
  const [first] = more;
  if (first === undefined || more.length === 1) return [...gaps];
  const to = more.reduce((latest, gap) => Math.max(latest, gap.to), 0);
  return [...shown, { from: first.from, to: utcMs(to), reason: 'more-gaps' }];
}

/**
 * The end of the span that no evidence reaches. A host that was let in and has connected has as long for its first
 * evidence as for any other. From one that waits, was revoked or never connected none will come: no slack there.
 */
function tailGap(agent: AgentRow, from: UtcMs, to: UtcMs): Span | null {
  const connected = agent.state === 'approved' && agent.firstSeenAt !== null;
  const through = agent.readThrough ?? (connected ? agent.enrolledAt : null);
  if (through === null) return { from, to, reason: silence(agent) };
  if (to - through <= (agent.state === 'approved' ? COVERAGE_SLACK_MS : 0)) return null;
  return { from: utcMs(Math.max(from, through)), to, reason: silence(agent) };
}

/** Of a state that was set back: all after the last evidence, and never nothing, whatever was asked for. */
function lostTail({ readThrough }: AgentRow, from: UtcMs, to: UtcMs): Span {
  const through = Math.min(readThrough ?? from, to);
  return { from: utcMs(Math.max(from, through)), to, reason: 'restore-unconfirmed' };
}

function silence(agent: AgentRow): string {
  if (agent.state === 'revoked') return 'revoked';
  if (agent.state === 'waiting') return 'waiting';
  if (agent.firstSeenAt === null) return 'never-connected';
  return agent.readThrough === null ? 'not-read-yet' : 'no-contact';
}

/** A gap of no length counts where it lies inside. */
function clip(row: Pick<GapRow, 'fromAt' | 'toAt' | 'reason'>, from: UtcMs, to: UtcMs): Span | null {
  const start = utcMs(Math.max(row.fromAt, from));
  const end = utcMs(Math.min(row.toAt, to));
  return start > end || row.fromAt >= to || row.toAt < from
    ? null
    : { from: start, to: end, reason: row.reason };
}
