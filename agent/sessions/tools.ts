/**
 * Which tools are read on this machine: those of the configuration, or what is found here. Sources get their ids by
 * what they are and where they lie, so that a restart goes on with the same ones.
 *
 * B11 Whose sign-ins of a server are recorded has to be said: without a configuration sshd and RDP are not read, only
 *     found.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { SourceId } from '../../protocol/ids.ts';
import type { AgentConfig, SourceConfig } from '../config.ts';
import type { Listed } from '../config-sources.ts';
import type { MakeReader } from '../sources/change.ts';
import { loadDeclared } from '../sources/declared-load.ts';
import type { DeclaredSpec } from '../sources/declared-spec.ts';
import type { DetectInput } from '../sources/detect.ts';
import { detectTeamviewer } from '../sources/detect.ts';
import { makeMatcher } from '../sources/match.ts';
import { readerOf } from '../sources/registry.ts';
import type { Tool, ToolFile } from './chains.ts';

export interface ToolsDeps {
  config: AgentConfig;
  detect: DetectInput;
  /** A stable id for a source that this text stands for. */
  sourceId: (label: string) => SourceId;
}

/** A tool, and the name of its source in the configuration. */
export interface ChosenTool {
  name: SourceConfig['type'];
  tool: Tool;
}

/** Without a configuration: whatever is there, from now on. */
const AUTOMATIC: SourceConfig = {
  type: 'teamviewer',
  connectionsIncoming: null,
  connections: null,
  logfile: null,
  startFrom: 'now',
};

/** @throws TilsynError `spec.*` where a declaration cannot be read */
export async function chooseTools(deps: ToolsDeps): Promise<ChosenTool[]> {
  const chosen: ChosenTool[] = [];
  const seen = new Set<SourceId>();
  for (const source of deps.config.sources ?? [AUTOMATIC]) {
    for (const tool of await toolsOf(deps, source)) {
      const files = [...tool.logs, ...tool.rows];
      // Named twice, or found beside the one that was named.
      if (files.length === 0 || files.some((file) => seen.has(file.source))) continue;
      for (const file of files) seen.add(file.source);
      chosen.push({ name: source.type, tool });
    }
  }
  return chosen;
}

async function toolsOf(deps: ToolsDeps, source: SourceConfig): Promise<Tool[]> {
  switch (source.type) {
    case 'teamviewer':
      return await teamviewers(deps, source);
    case 'sshd':
      return await oneLog(deps, source, 'sshd', source.path ?? '/var/log/auth.log', source);
    case 'anydesk':
      // The trace says more, and both tell of the same sessions: the list of connections is read where it is alone.
      if (source.trace !== null) return await oneLog(deps, source, 'anydesk', source.trace, null, 'trace');
      return await oneLog(deps, source, 'anydesk', source.connections, null, 'connection-trace');
    case 'rustdesk':
      return await oneLog(deps, source, 'rustdesk', source.logfile, null);
    case 'rdp':
      return [];
    case 'declared':
    case 'csv':
      return await declared(deps, source);
  }
}

/** One installation each. A file that was named stands for that kind of file everywhere. */
async function teamviewers(
  { detect, sourceId }: ToolsDeps,
  source: Extract<SourceConfig, { type: 'teamviewer' }>,
): Promise<Tool[]> {
  const { connectionsIncoming, connections, logfile, startFrom } = source;
  const named = connectionsIncoming !== null || connections !== null || logfile !== null;
  const installed = named
    ? [{ connectionsIncoming, connections, logfile }]
    : (await detectTeamviewer(detect)).found;
  const reader = await readerNamed('teamviewer', 'logfile', null);
  // As it was named before there were other files: its position stays its own.
  const file = (path: string, word: string, label: string): ToolFile => ({
    ...{ path, word, source: sourceId(label) },
  });
  return installed.map((one) => ({
    type: 'teamviewer',
    startFrom,
    matches: null,
    logs:
      one.logfile === null
        ? []
        : [{ ...file(one.logfile, 'logfile', `teamviewer-log\0${one.logfile}`), reader }],
    rows: [
      ...(one.connectionsIncoming === null
        ? []
        : [
            {
              ...file(one.connectionsIncoming, 'connections', `teamviewer\0${one.connectionsIncoming}`),
              direction: 'incoming' as const,
            },
          ]),
      ...(one.connections === null
        ? []
        : [
            {
              ...file(one.connections, 'connections-outgoing', `teamviewer-out\0${one.connections}`),
              direction: 'outgoing' as const,
            },
          ]),
    ],
  }));
}

async function oneLog(
  { sourceId }: ToolsDeps,
  { type, startFrom }: SourceConfig,
  tool: Tool['type'],
  path: string | null,
  matching: { match: 'listed' | 'all'; listed: Listed | null } | null,
  part: string | null = null,
): Promise<Tool[]> {
  if (path === null) return [];
  const reader = await readerNamed(type, part, null);
  const source = sourceId(`${type}${part === null ? '' : `-${part}`}\0${path}`);
  const matches =
    matching === null || matching.match === 'all' ? null : makeMatcher(matching.listed ?? NOBODY);
  const word = part ?? 'logfile';
  return [{ type: tool, startFrom, matches, logs: [{ source, path, word, reader }], rows: [] }];
}

const NOBODY: Listed = { accounts: [], keys: [], networks: [] };

async function declared(
  { sourceId }: ToolsDeps,
  source: Extract<SourceConfig, { type: 'declared' | 'csv' }>,
): Promise<Tool[]> {
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
