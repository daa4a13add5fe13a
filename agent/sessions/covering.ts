/** Which tools of this machine are read, and which are not (M6). */
import type { AgentConfig } from '../config.ts';
import { namedFiles, type SourceConfig } from '../config-sources.ts';
import { detectTools, type ToolDetection, type ToolInput } from '../sources/detect-tools.ts';
import { type Covering, type Uncovered, uncovered } from '../sources/uncovered.ts';

/** Without a configuration: what says of itself that it is remote support, from now on. */
export const AUTOMATIC: readonly SourceConfig[] = [
  { type: 'teamviewer', connectionsIncoming: null, connections: null, logfile: null, startFrom: 'now' },
  { type: 'anydesk', trace: null, connections: null, startFrom: 'now' },
  { type: 'rustdesk', logfile: null, startFrom: 'now' },
];

export interface Covered extends ToolDetection {
  uncovered: Uncovered[];
}

/**
 * What is installed here, and what of it nobody reads.
 * @throws TilsynError `spec.*` where a declaration cannot be read
 */
export async function coveredOf(input: ToolInput, config: AgentConfig | null): Promise<Covered> {
  const detection = await detectTools(input);
  const sources = await Promise.all((config?.sources ?? AUTOMATIC).map(coveringOf));
  return { ...detection, uncovered: uncovered(detection.found, sources) };
}

async function coveringOf(source: SourceConfig): Promise<Covering> {
  const { type } = source;
  if (type === 'csv') return { type, files: [source.path], spec: source.spec };
  if (type !== 'declared') return { type, files: namedFiles(source), spec: null };
  if (source.path !== null) return { type, files: [source.path], spec: source.spec };
  // Loaded where one is declared: patterns bring an engine of their own.
  const { loadDeclared } = await import('../sources/declared-load.ts');
  return { type, files: loadDeclared(source.spec).files, spec: source.spec };
}
