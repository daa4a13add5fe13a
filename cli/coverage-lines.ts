/**
 * What was watched, in words: the lines that end a table.
 *
 * H1  Rows that were not understood are told wherever their host was watched: they stand in the last line of the
 *     table, and an empty list beside them is a finding, as with a gap.
 * H2  Two hosts of one name can be told apart in what is shown of them.
 */
import { clean } from './text.ts';
import { showIso } from './times.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows of the API, shown as they come
export type Item = Record<string, any>;

export interface Gap {
  from: string;
  to: string;
  reason: string;
}
export interface Watched {
  host: string;
  hostId: string;
  from: string;
  to: string;
  gaps: Gap[];
  sources: Item[];
}
export interface ListAnswer {
  schema: 1;
  items: Item[];
  coverage: { from: string | null; to: string; hosts: Watched[] };
  next: string | null;
}

export function gapCount({ coverage }: ListAnswer): number {
  return coverage.hosts.reduce((sum, host) => sum + host.gaps.length, 0);
}

/** Rows that the sources of these hosts could not read (H1). */
export function unreadableCount({ coverage }: ListAnswer): number {
  return coverage.hosts.reduce((sum, host) => sum + unreadableRows(host), 0);
}

function unreadableRows({ sources }: Watched): number {
  return sources.reduce((sum, { unreadable }) => sum + (Number(unreadable) || 0), 0);
}

/** True where what is not in the answer may have happened all the same. */
export function isIncomplete(answer: ListAnswer): boolean {
  return gapCount(answer) > 0 || unreadableCount(answer) > 0;
}

/** So much of an id tells two hosts apart and still fits into a line. */
const SHORT_ID = 8;

/** The name of each host by its id, with the short id where another one has the same name (H2). */
export function hostNames({ coverage: { hosts } }: ListAnswer): Map<string, string> {
  const ids = new Map<string, Set<string>>();
  for (const { host, hostId } of hosts) ids.set(host, (ids.get(host) ?? new Set()).add(hostId));
  return new Map(
    hosts.map(({ host, hostId }) => [
      hostId,
      (ids.get(host)?.size ?? 0) > 1 ? `${host} (${hostId.slice(0, SHORT_ID)})` : host,
    ]),
  );
}

export const NOBODY = 'no host was watched';
/** Gaps that are told one by one; the rest is a number. */
const SHOWN_GAPS = 20;

const WHY: Readonly<Record<string, string>> = {
  'never-connected': 'the agent was enrolled and has not connected yet',
  waiting: 'the host waits for `tilsyn host approve`',
  revoked: 'the host was revoked',
  'no-contact': 'nothing was heard from the agent',
  'not-read-yet': 'the agent has not read its sources yet',
  'no-source': 'nothing is read on this host: no source was found or configured',
  'source-lost': 'a source is no longer there',
  'source-unreadable': 'a source cannot be read',
  'too-many-sources': 'the host told of more sources than are kept',
  'more-gaps': 'the host told of more gaps than are shown; they lie in this span',
  'not-connected': 'the host is not connected, and only it can say',
  'host-silent': 'the host is connected and did not answer in time',
  'host-busy': 'others were asking the host already',
  'host-refused': 'the host could not answer; its own log says why',
  'not-asked': 'there was no time left to ask this host',
  'no-policy': 'the host was given no retention rules, so that nothing can be called overdue',
  'no-rule': 'no rule in force says how long recordings may be kept, so that nothing can be called overdue',
  'time-untrusted': 'the host has no trusted time, so that nothing can be called overdue',
  'first-scan': 'the folder is being read for the first time',
  suspect: 'what lies under the root is not what was accepted',
  'not-accepted': 'nobody accepted this root yet',
  retired: 'the root was given up',
  'no-audit': 'the host has not told of a self-audit for longer than its schedule allows',
  'restore-unconfirmed': 'the collector was set back, and the host has not spoken since',
};

/** Each gap with its reason in words, each host with rows that were not understood, then the coverage line. */
export function coverageLines(answer: ListAnswer, tz: string): string[] {
  const { coverage } = answer;
  if (coverage.hosts.length === 0) return [NOBODY];
  const names = hostNames(answer);
  const gaps = coverage.hosts.flatMap((host) =>
    host.gaps.map((gap) => ({ name: names.get(host.hostId) ?? host.host, ...gap })),
  );
  const lines = gaps.slice(0, SHOWN_GAPS).map(({ name, from, to, reason }) => {
    const why = WHY[reason] ?? 'evidence was lost';
    return `gap: ${clean(name)}  ${showIso(from, tz)} to ${showIso(to, tz)}  ${clean(reason)}: ${why}`;
  });
  if (gaps.length > SHOWN_GAPS) lines.push(`gap: and ${gaps.length - SHOWN_GAPS} more`);
  return [...lines, closingLine(answer, tz)];
}

function closingLine(answer: ListAnswer, tz: string): string {
  const { from: asked, to, hosts } = answer.coverage;
  // From when the first of them was watched: the time asked for may lie long before any enrolment.
  const from = hosts.map((host) => host.from).sort()[0] ?? asked;
  const [gaps, rows] = [gapCount(answer), unreadableCount(answer)];
  const span = `${showIso(from, tz) ?? '-'} to ${showIso(to, tz)}`;
  const missed = rows === 0 ? '' : `, ${counted(rows, 'row')} not understood`;
  return `coverage: ${counted(hosts.length, 'host')}, ${span}, ${gaps === 0 ? 'no gap' : counted(gaps, 'gap')}${missed}`;
}

function counted(n: number, what: string): string {
  return n === 1 ? `1 ${what}` : `${n} ${what}s`;
}
