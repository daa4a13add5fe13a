/** What `tilsyn agent status` shows: put together from what the rooms say of themselves. Nothing personal. */
import { basename } from 'node:path';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { freeBytes, inState, sizeOf } from './files.ts';
import { DATABASE_FILE } from './journal-open.ts';
import type { PumpState, SourceStatus } from './pump.ts';
import type { RecordingsState } from './recordings/roots.ts';
import type { HealthStatus } from './telemetry/health.ts';
import type { AgentIdentity, Journal } from './types.ts';
import type { LinkStatus } from './uplink/link.ts';

export interface ShownSource {
  /** Random id, as events name it; null where this version does not read it. */
  source: string | null;
  type: string;
  /** What is read. */
  file: string | null;
  state: PumpState | RecordingsState;
  /** Why it is not read. */
  problem: string | null;
  position: number | null;
  behindBytes: number;
  rows: number;
  unreadable: number;
  skipped: number;
  /** Sessions that this agent is not to record (`match: listed`). */
  unlisted: number;
  lastRowAt: string | null;
}

export interface AgentStatus {
  schema: 1;
  running: true;
  version: string;
  startedAt: string;
  agent: string;
  agreement: string;
  site: string;
  mode: AgentIdentity['mode'];
  enrolledAt: string;
  collector: { url: string; name: string } & LinkStatus;
  logs: { log: string; open: boolean; next: number; acked: number; backlog: number }[];
  backlog: number;
  /** Every source was read and made durable up to this time. */
  readThrough: string | null;
  sources: ShownSource[];
  database: { sizeBytes: number; walBytes: number; freeBytes: number | null };
  /** Samples of the machine: numbers and indexes only. */
  telemetry: HealthStatus['telemetry'];
  /** Open ones; what was cleared stands in the log of events. */
  alerts: HealthStatus['alerts'];
}

export interface StatusParts {
  state: string;
  version: string;
  startedAt: UtcMs;
  identity: AgentIdentity;
  journal: Journal;
  link: LinkStatus;
  sources: ShownSource[];
  readThrough: UtcMs | null;
  health: HealthStatus;
}

export function buildStatus(parts: StatusParts): AgentStatus {
  const { identity, journal, state, version, link, sources, readThrough } = parts;
  const { agent, agreement, site, mode, enrolledAt, url, collectorName } = identity;
  const database = inState(state, DATABASE_FILE);
  return {
    schema: 1,
    running: true,
    version,
    startedAt: toIso(parts.startedAt),
    agent,
    agreement,
    site,
    mode,
    enrolledAt,
    collector: { url, name: collectorName, ...link },
    logs: journal.logs().map(({ log, open, next, acked }) => ({
      log,
      open,
      next,
      acked,
      backlog: Math.max(0, next - 1 - acked),
    })),
    backlog: journal.backlog(),
    readThrough: readThrough === null ? null : toIso(readThrough),
    sources,
    database: {
      sizeBytes: sizeOf(database) ?? 0,
      walBytes: sizeOf(`${database}-wal`) ?? 0,
      freeBytes: freeBytes(state),
    },
    ...parts.health,
  };
}

// Folders below these carry the names of people.
const HOMES = /^(?:\/home\/|\/Users\/|[A-Za-z]:\\Users\\)/;

/** A path as it may be shown: whole where it is a folder of the system, its last name only below a home. */
export function shownPath(path: string): string {
  if (!HOMES.test(path)) return path;
  return `…/${path.includes('\\') ? path.slice(path.lastIndexOf('\\') + 1) : basename(path)}`;
}

export function shownSource(status: SourceStatus, path: string | null): ShownSource {
  const { lastRowAt } = status;
  return {
    ...status,
    file: path === null ? null : shownPath(path),
    lastRowAt: lastRowAt === null ? null : toIso(lastRowAt),
  };
}

/** Body of the `status` frame: what the collector shows beside a host. Ids, words, numbers, times; no paths. */
export function statusFrameBody(
  sources: readonly ShownSource[],
  version: string,
  startedAt: UtcMs,
): Record<string, unknown> {
  return { version, startedAt: toIso(startedAt), sources: sources.map(({ file: _file, ...rest }) => rest) };
}
