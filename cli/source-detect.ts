/**
 * `tilsyn source detect`: the remote tools of this machine, what Tilsyn can read of them, and where was looked.
 * Tools that nobody reads, and folders that could not be looked into, exit 6.
 */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { format, text } from './args.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { readTextFile } from './settings.ts';
import { type Cell, jsonText, tableText } from './text.ts';

type Detected = Awaited<ReturnType<typeof import('../agent/main.ts')['detectTools']>>;
type Found = Detected['found'][number];
type Finding = Detected['uncovered'][number];

const FIELDS = ['tool', 'name', 'folder', 'readable', 'supported', 'spec'];

export async function sourceDetect(input: Input): Promise<number> {
  const { io } = input;
  const root = text(input, 'root');
  if (root !== undefined) return await (await import('./source-root.ts')).detectRoot(input, root);
  const kind = format(input, 'table', 'json', 'csv');
  const { detectTools, parseConfig } = await import('../agent/main.ts');
  const path = text(input, 'config');
  const config = path === undefined ? null : parseConfig(readTextFile(path, 'the configuration'), path);
  const { found, lookedAt, uncovered } = await detectTools(config);
  const refused = lookedAt.filter((one) => one.result === 'refused');
  const items = found.map(shown);
  if (kind === 'json') {
    const coverage = { from: null, to: toIso(io.clock.now()), hosts: [] };
    io.out(jsonText({ schema: 1, items, findings: uncovered, lookedAt, coverage, next: null }));
  } else if (kind === 'csv') io.out(csvOf(items, FIELDS));
  else {
    io.out(items.length === 0 ? 'no source found\n' : tableText(HEADINGS, found.flatMap(rowsOf)));
    io.out(`looked into ${lookedAt.length} folders; ${refused.length} could not be looked into\n`);
  }
  for (const finding of uncovered) io.err(spoken(finding));
  for (const { folder } of refused) io.err(`refused: ${folder}; run this as root to look into it`);
  // Where a folder could not be looked into, "nothing" would be a guess.
  return refused.length + uncovered.length > 0 ? EXIT.findings : EXIT.done;
}

const HEADINGS = ['tool', 'log', 'file', 'can be read', 'by'];

/** TeamViewer's files also under the names that they had here before other tools were looked for. */
function shown(one: Found): Record<string, unknown> {
  const { connectionsIncoming = null, connections = null, logfile = null } = one.files;
  return one.tool === 'teamviewer' ? { ...one, connectionsIncoming, connections, logfile } : { ...one };
}

function rowsOf(one: Found): Cell[][] {
  const by = { 'built-in': 'Tilsyn', 'declared-example': `a declaration: ${one.spec}`, none: 'nothing' };
  const files = Object.entries(one.files);
  const last: Cell[] = [one.readable ? 'yes' : 'no', by[one.supported]];
  if (files.length === 0) return [[one.name, 'none', one.folder, '-', by[one.supported]]];
  return files.map(([part, path], index) => [index === 0 ? one.name : '', part, path, ...last]);
}

const WHY: Record<Finding['reason'], string> = {
  'no-source': 'no source is configured for it',
  'no-reader': 'Tilsyn cannot read its log; declare a source for it (docs/guide/sources.md)',
  'no-log': 'it is installed, and no log of it was found',
  refused: 'this account may not read its log',
};

function spoken({ name, folder, reason }: Finding): string {
  return `finding: ${name} in ${folder} is not watched: ${WHY[reason]}`;
}
