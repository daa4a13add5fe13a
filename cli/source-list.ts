/** `tilsyn source list`: what the agent reads (asked of the agent where one runs), and what it could read. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { format, stateDir, text } from './args.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { readTextFile } from './settings.ts';
import { type Cell, jsonText, tableText } from './text.ts';

interface Shown {
  type: string;
  file: string | null;
  /** `detected`: it is there and nobody reads it. */
  state: string;
  problem: string | null;
  configured: boolean;
}

const FIELDS = ['type', 'file', 'state', 'problem', 'configured'];

export async function sourceList(input: Input): Promise<number> {
  const { io } = input;
  const kind = format(input, 'table', 'json', 'csv');
  const agent = await import('../agent/main.ts');
  const status = await agent.status({ state: stateDir(input) });
  const known = status.running
    ? status.sources.map((source) => ({ ...source, configured: true }))
    : fromConfig(input, agent);
  const { found } = await agent.detectSources();
  const items: Shown[] = [...known];
  for (const { tool, connectionsIncoming: file } of found) {
    if (file !== null && !known.some((one) => isSame(one.file, file))) {
      items.push({
        type: tool,
        file,
        state: status.running ? 'detected' : 'not-running',
        problem: null,
        configured: false,
      });
    }
  }
  const headings = ['type', 'file', 'state', 'problem'];
  const rows: Cell[][] = items.map((one) => [one.type, one.file, one.state, one.problem]);
  if (kind === 'json') {
    const coverage = { from: null, to: toIso(io.clock.now()), hosts: [] };
    io.out(jsonText({ schema: 1, items, running: status.running, coverage, next: null }));
  } else if (kind === 'csv') io.out(csvOf(items, FIELDS));
  else {
    io.out(
      items.length === 0 ? 'no source: none is configured and none was found\n' : tableText(headings, rows),
    );
    if (!status.running) io.out('the agent does not run: nothing is read now\n');
  }
  return EXIT.done;
}

/** The file that a source names first; null where it is detected, or is no file. */
function fileOf(source: NonNullable<ReturnType<Parse>['sources']>[number]): string | null {
  switch (source.type) {
    case 'teamviewer':
      return source.connectionsIncoming;
    case 'anydesk':
      return source.trace ?? source.connections;
    case 'rustdesk':
      return source.logfile;
    case 'rdp':
      return null;
    default:
      return source.path;
  }
}

/** What the agent would find wrong; without a path it detects one, which the list does too. */
function problemOf(path: string | null): string | null {
  return path !== null && !existsSync(path) ? 'no such file yet' : null;
}

type Agent = Pick<typeof import('../agent/main.ts'), 'parseConfig' | 'listsNobody' | 'NOBODY_LISTED'>;
type Parse = Agent['parseConfig'];

function fromConfig(input: Input, { parseConfig, listsNobody, NOBODY_LISTED }: Agent): Shown[] {
  const path = text(input, 'config');
  if (path === undefined) return [];
  const { sources, recordings } = parseConfig(readTextFile(path, 'the configuration'), path);
  return [
    ...(sources ?? []).map((one) => ({
      type: one.type,
      file: fileOf(one),
      state: 'not-running',
      problem: listsNobody(one) ? NOBODY_LISTED : problemOf(fileOf(one)),
      configured: true,
    })),
    ...recordings.map(({ type, root }) => ({
      type,
      file: root,
      state: 'not-running',
      problem: existsSync(root) ? null : 'no such folder yet',
      configured: true,
    })),
  ];
}

/** The agent shows a path below a home by its last name only. */
function isSame(shown: string | null, path: string): boolean {
  return shown === path || shown === `…/${basename(path)}`;
}
