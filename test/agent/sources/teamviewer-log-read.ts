/** Reads lines as the engine does, and keeps what was said. */
import type { LineReader, ReaderOptions, SessionChange } from '../../../agent/sources/change.ts';
import { makeTeamviewerLogReader } from '../../../agent/sources/teamviewer-log.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

export const OPTIONS: ReaderOptions = {
  zone: 'America/Los_Angeles',
  near: () => utcMs(Date.UTC(2024, 2, 6)),
  ownIps: ['192.0.2.16'],
};

export interface Read {
  changes: SessionChange[];
  problems: string[];
  reader: LineReader;
}

export function read(lines: readonly string[], options: Partial<ReaderOptions> = {}): Read {
  return readMore(makeTeamviewerLogReader({ ...OPTIONS, ...options }), lines);
}

export function readMore(reader: LineReader, lines: readonly string[]): Read {
  const changes: SessionChange[] = [];
  const problems: string[] = [];
  for (const text of lines) {
    const result = reader.line(text);
    if (result.ok) changes.push(...result.changes);
    else problems.push(result.reason);
  }
  return { changes, problems, reader };
}

/** What happened, in short. */
export function words(changes: readonly SessionChange[]): string[] {
  return changes.map(({ what }) => what);
}

export function first<W extends SessionChange['what']>(changes: readonly SessionChange[], what: W) {
  const found = changes.find((change) => change.what === what);
  if (found === undefined) throw new Error(`nothing was ${what}`);
  return found as Extract<SessionChange, { what: W }>;
}

export function all<W extends SessionChange['what']>(changes: readonly SessionChange[], what: W) {
  return changes.filter((change) => change.what === what) as Extract<SessionChange, { what: W }>[];
}

export function iso(change: SessionChange): string {
  return 'at' in change ? toIso(change.at) : '';
}

/** All that was told of one session besides its beginning and end. */
export function known(changes: readonly SessionChange[], key: string) {
  const told = all(changes, 'updated').filter((change) => change.key === key);
  return {
    names: told.flatMap((change) => change.known?.peerNames ?? []),
    ips: told
      .flatMap((change) => change.known?.peerIps ?? [])
      .map(({ ip, basis, scope }) => `${ip} ${basis} ${scope}`),
    files: told.flatMap((change) => change.files ?? []),
  };
}
