/**
 * Which tools are read on this machine: those of the configuration, or what is found here. Sources get their ids by
 * what they are and where they lie, so that a restart goes on with the same ones.
 *
 * B11 Whose sign-ins of a server are recorded has to be said: without a configuration sshd and RDP are not read, only
 *     found.
 */
import { posix, win32 } from 'node:path';
import { TilsynError } from '../../protocol/errors.ts';
import type { SourceId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import type { AgentConfig, SourceConfig } from '../config.ts';
import { type Listed, listsNobody } from '../config-sources.ts';
import type { MakeReader } from '../sources/change.ts';
import type { DeclaredSpec } from '../sources/declared-spec.ts';
import type { FoundTool, ToolInput } from '../sources/detect-tools.ts';
import { makeMatcher } from '../sources/match.ts';
import { readerOf } from '../sources/registry.ts';
import type { Uncovered } from '../sources/uncovered.ts';
import type { Tool, ToolFile } from './chains.ts';
import { AUTOMATIC, coveredOf } from './covering.ts';

export interface ToolsDeps {
  config: AgentConfig;
  detect: ToolInput;
  clock: Clock;
  /** A stable id for a source that this text stands for. */
  sourceId: (label: string) => SourceId;
}

export interface Chosen {
  tools: Tool[];
  /** Tools of this machine that nobody reads. */
  uncovered: Uncovered[];
}

/** @throws TilsynError `spec.*` where a declaration cannot be read */
export async function chooseTools(deps: ToolsDeps): Promise<Chosen> {
  const { found, uncovered } = await coveredOf(deps.detect, deps.config);
  const tools: Tool[] = [];
  const seen = new Set<SourceId>();
  for (const source of deps.config.sources ?? AUTOMATIC) {
    for (const tool of await toolsOf(deps, source, found)) {
      const files = [...tool.logs, ...tool.rows];
      // Named twice, or found beside the one that was named.
      if (files.length === 0 || files.some((file) => seen.has(file.source))) continue;
      for (const file of files) seen.add(file.source);
      tools.push(tool);
    }
  }
  return { tools, uncovered };
}

async function toolsOf(deps: ToolsDeps, source: SourceConfig, found: readonly FoundTool[]): Promise<Tool[]> {
  const files = (part: string) =>
    found.filter(({ tool }) => tool === source.type).flatMap((one) => one.files[part] ?? []);
  const logs = async (paths: readonly (string | null)[], part: string | null = null) => {
    const given = paths.filter((path) => path !== null);
    return await Promise.all(given.map((path) => oneLog(deps, source, path, part)));
  };
  switch (source.type) {
    case 'teamviewer':
      return await teamviewers(deps, source, found);
    case 'sshd':
      // Where none is there yet, the one that Debian writes: it is read as soon as it is.
      return await logs([source.path ?? files('logfile')[0] ?? '/var/log/auth.log']);
    case 'anydesk': {
      // The trace says more, and both tell of the same sessions: the list of connections is read where it is alone.
      const named = source.trace !== null || source.connections !== null;
      const traces = named ? [source.trace] : tracesOf(files('trace'));
      if (traces.some((path) => path !== null)) return await logs(traces, 'trace');
      return await logs(named ? [source.connections] : files('connections'), 'connection-trace');
    }
    case 'rustdesk':
      return await logs(source.logfile === null ? files('logfile') : [source.logfile]);
    case 'rdp':
      return deps.detect.platform === 'win32' ? [await remoteDesktop(deps, source)] : [];
    case 'declared':
    case 'csv':
      return await declared(deps, source);
  }
}

/** Where there is a service its trace says who was let in; those of users beside it would tell the same again. */
function tracesOf(paths: readonly string[]): string[] {
  const service = paths.filter((path) => /ad_svc\.trace$/i.test(path));
  return service.length > 0 ? service : [...paths];
}

type TeamviewerFiles = Record<'connectionsIncoming' | 'connections' | 'logfile', string | null>;

/** One installation each. What was named overrides what lies beside it. */
async function teamviewers(
  { detect, sourceId }: ToolsDeps,
  source: Extract<SourceConfig, { type: 'teamviewer' }>,
  found: readonly FoundTool[],
): Promise<Tool[]> {
  const { dirname } = detect.platform === 'win32' ? win32 : posix;
  const { connectionsIncoming, connections, logfile, startFrom } = source;
  const named: TeamviewerFiles = { connectionsIncoming, connections, logfile };
  const folders = new Set(Object.values(named).flatMap((path) => (path === null ? [] : [dirname(path)])));
  const installed = found.filter(({ tool, folder }) => {
    return tool === 'teamviewer' && (folders.size === 0 || folders.has(folder));
  });
  const all = installed.map(({ files }) => ({ ...NO_FILES, ...files, ...given(named) }));
  const reader = await readerNamed('teamviewer', 'logfile', null);
  const file = (path: string, word: string, label: string): ToolFile => ({
    ...{ path, word, source: sourceId(`${label}\0${path}`) },
  });
  // As a position was named before there were other files: that of incoming rows stays its own.
  return (folders.size > 0 && all.length === 0 ? [named] : all).map((one) => ({
    ...{ type: 'teamviewer', startFrom, matches: null },
    logs: one.logfile === null ? [] : [{ ...file(one.logfile, 'logfile', 'teamviewer-log'), reader }],
    rows: [
      ...(one.connectionsIncoming === null
        ? []
        : [rowsFile(file(one.connectionsIncoming, 'connections', 'teamviewer'), 'incoming')]),
      ...(one.connections === null
        ? []
        : [rowsFile(file(one.connections, 'connections-outgoing', 'teamviewer-out'), 'outgoing')]),
    ],
  }));
}

const NO_FILES: TeamviewerFiles = { connectionsIncoming: null, connections: null, logfile: null };

function given(files: TeamviewerFiles): Partial<TeamviewerFiles> {
  return Object.fromEntries(Object.entries(files).filter(([, path]) => path !== null));
}

function rowsFile(file: ToolFile, direction: 'incoming' | 'outgoing'): Tool['rows'][number] {
  return { ...file, direction };
}

/** Windows' own logs: there is no file to follow, and a program has to be asked. */
async function remoteDesktop(
  { detect, clock, sourceId }: ToolsDeps,
  source: Extract<SourceConfig, { type: 'rdp' }>,
): Promise<Tool> {
  const { WevtutilFeed } = await import('../sources/rdp-feed.ts');
  const { makeRunWevtutil, wevtutilPath } = await import('../sources/wevtutil.ts');
  const run = makeRunWevtutil(wevtutilPath(detect.env.SystemRoot));
  const reader = await readerNamed('rdp', null, null);
  const file = { source: sourceId('rdp'), path: 'Windows event logs', word: 'event-log' };
  return {
    ...{ type: 'rdp', startFrom: source.startFrom, rows: [], ...matcherOf(source) },
    logs: [{ ...file, reader, feed: (state) => new WevtutilFeed({ run, clock, state }) }],
  };
}

function matcherOf(source: SourceConfig): Pick<Tool, 'matches' | 'listsNobody'> {
  if (!('match' in source) || source.match === 'all') return { matches: null };
  const matches = makeMatcher(source.listed ?? NOBODY);
  return listsNobody(source) ? { matches, listsNobody: true } : { matches };
}

async function oneLog(
  { sourceId }: ToolsDeps,
  source: SourceConfig,
  path: string,
  part: string | null,
): Promise<Tool> {
  const reader = await readerNamed(source.type, part, null);
  const id = sourceId(`${source.type}${part === null ? '' : `-${part}`}\0${path}`);
  return {
    ...{ type: toolOf(source.type), startFrom: source.startFrom, rows: [], ...matcherOf(source) },
    logs: [{ source: id, path, word: part ?? 'logfile', reader }],
  };
}

function toolOf(type: SourceConfig['type']): Tool['type'] {
  return type === 'csv' ? 'declared' : type;
}

const NOBODY: Listed = { accounts: [], keys: [], networks: [] };

async function declared(
  { sourceId }: ToolsDeps,
  source: Extract<SourceConfig, { type: 'declared' | 'csv' }>,
): Promise<Tool[]> {
  // Loaded where one is declared: patterns bring an engine of their own.
  const { loadDeclared } = await import('../sources/declared-load.ts');
  const spec = loadDeclared(source.spec);
  const reader = await readerNamed(source.type, null, spec);
  const paths = source.path === null ? spec.files : [source.path];
  const word = source.type === 'csv' ? 'report' : 'logfile';
  return paths.map((path) => ({
    type: 'declared',
    startFrom: source.startFrom,
    matches: null,
    logs: [{ source: sourceId(`${source.type}\0${source.spec}\0${path}`), path, word, reader }],
    rows: [],
  }));
}

async function readerNamed(
  type: string,
  part: string | null,
  spec: DeclaredSpec | null,
): Promise<MakeReader> {
  const reader = await readerOf(type, part, spec);
  if (reader !== null) return reader;
  throw new TilsynError('source.unknown-type', `reading a source of type ${type}: this version cannot`, {
    exit: 'usage',
    hint: 'Look at the type of the source, and at the format of its declaration.',
  });
}
