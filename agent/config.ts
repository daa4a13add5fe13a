/**
 * `agent.yaml`: strict, every problem said at once with its line. Messages name keys and what was expected,
 * never a value: paths hold people's names.
 *
 * C5  Every problem of the file is said at once, with the nearest known word: one mistake never hides another that
 *     could have been seen, and no guess is run on.
 */
import { isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import { nearest } from '../protocol/nearest.ts';
import { type AgentConfig, configSchema, keysAt, SOURCE_TYPES } from './config-schema.ts';

export { exampleConfig } from './config-example.ts';
export type { AgentConfig, NotBuilt, TeamviewerSource } from './config-schema.ts';

const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_PROBLEMS = 50;

type Document = ReturnType<typeof parseDocument>;
type Place = readonly PropertyKey[];

interface Problem {
  line: number;
  text: string;
}

/**
 * Reads a configuration. `file` is named in messages only.
 * @throws TilsynError `config.invalid`, whose message lists all problems
 */
export function parseConfig(text: string, file: string): AgentConfig {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES)
    throw invalid(file, [{ line: 1, text: 'larger than 1 MiB' }]);
  try {
    return readConfig(text, file);
  } catch (error) {
    // Ten thousand brackets: the YAML reader gives up its stack before we see a document.
    if (error instanceof RangeError) throw invalid(file, [{ line: 1, text: 'nested too deeply' }]);
    throw error;
  }
}

function readConfig(text: string, file: string): AgentConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (place: Place) => lines.linePos(startOf(document, place)).line;
  const problems = yamlProblems(document, lines);
  // Two equal keys leave a document that can be checked further; other errors may have eaten half of it.
  const whole = problems.every((problem) => problem.text === YAML_TEXTS.DUPLICATE_KEY);
  if (!whole) throw invalid(file, problems);
  const data: unknown = document.toJS() ?? {};
  problems.push(...mendTypes(data, lineOf));
  const off = isRecord(data) && (data.telemetry === 'off' || data.telemetry === false);
  const parsed = configSchema.safeParse(off ? { ...data, telemetry: null } : data);
  if (!parsed.success)
    problems.push(...parsed.error.issues.flatMap((issue) => issueProblems(issue, document, lines)));
  else problems.push(...doubledFiles(parsed.data.sources ?? [], lineOf));
  if (problems.length > 0 || !parsed.success) throw invalid(file, problems);
  return configOf(parsed.data, off, lineOf);
}

/**
 * A source whose type is misspelt is read as the type that was meant, so that everything else that is wrong in it
 * is said at the same time. It stays a problem: nothing is ever run on a guess.
 */
function mendTypes(data: unknown, lineOf: (place: Place) => number): Problem[] {
  const sources = isRecord(data) && Array.isArray(data.sources) ? data.sources : [];
  return sources.flatMap((source: unknown, index) => {
    const near = isRecord(source) && typeof source.type === 'string' ? meantType(source.type) : null;
    if (!isRecord(source) || near === null || near === source.type) return [];
    source.type = near;
    const place = ['sources', index, 'type'];
    const text = `expected one of: ${SOURCE_TYPES.join(', ')}; did you mean "${near}"?`;
    return [{ line: lineOf(place), text: `${dotted(place)}: ${text}` }];
  });
}

function meantType(typed: string): string | null {
  return SOURCE_TYPES.includes(typed) ? typed : nearest(typed, SOURCE_TYPES);
}

function configOf(
  data: z.output<typeof configSchema>,
  off: boolean,
  lineOf: (place: Place) => number,
): AgentConfig {
  const { sources, telemetry, holds, schedule, proxy } = data;
  const notBuilt = (sources ?? []).flatMap((source, index) =>
    source.type === 'teamviewer' ? [] : [{ type: source.type, line: lineOf(['sources', index]) }],
  );
  return {
    sources: sources?.filter((source) => source.type === 'teamviewer') ?? null,
    notBuilt,
    telemetry: off ? null : { everyMs: telemetry.every, notify: telemetry.notify },
    neverEraseYoungerThanMs: data.neverEraseYoungerThan,
    holds: { holdFreshnessMs: holds.holdFreshness, deferAtMostMs: holds.deferAtMost },
    schedule,
    proxy,
  };
}

/** One file read by two sources would count each session twice. */
function doubledFiles(
  sources: { type: string; connectionsIncoming?: string | null }[],
  lineOf: (place: Place) => number,
): Problem[] {
  const seen = new Set<string>();
  return sources.flatMap((source, index) => {
    if (source.type !== 'teamviewer') return [];
    const file = source.connectionsIncoming ?? 'detected';
    if (!seen.has(file)) {
      seen.add(file);
      return [];
    }
    return [
      { line: lineOf(['sources', index]), text: `sources[${index}]: another source reads the same file` },
    ];
  });
}

const YAML_TEXTS: Record<string, string> = {
  DUPLICATE_KEY: 'this key stands here twice',
  TAB_AS_INDENT: 'indented with a tab; YAML wants blanks',
  BAD_INDENT: 'the indentation does not fit the lines above',
  MISSING_CHAR: 'a bracket, quote, comma or colon is missing',
  MULTIPLE_DOCS: 'a second document begins here; one is expected',
  BLOCK_AS_IMPLICIT_KEY: 'a nested value has to start on its own line',
  TAG_RESOLVE_FAILED: 'tags such as !!this are not known here',
};

function yamlProblems(document: Document, lines: LineCounter): Problem[] {
  const at = (offset: number) => lines.linePos(offset).line;
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    line: at(error.pos[0]),
    text: YAML_TEXTS[error.code] ?? `not YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
  }));
  visit(document, {
    // Never resolved: a few lines of aliases can stand for gigabytes.
    Node: (_key, node) => {
      if (!isAlias(node) && !node.anchor) return;
      problems.push({
        line: at(node.range?.[0] ?? 0),
        text: 'anchors (&) and aliases (*) are not used in this file',
      });
    },
    Pair: (_key, { key }) => {
      if (!isCollection(key)) return;
      problems.push({ line: at(key.range?.[0] ?? 0), text: 'a key has to be one word' });
    },
  });
  return problems;
}

function issueProblems(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): Problem[] {
  const place = issue.path;
  if (issue.code === 'unrecognized_keys') {
    const type = document.getIn([...place, 'type']);
    const known = keysAt(place, typeof type === 'string' ? meantType(type) : type);
    return issue.keys.map((key) => ({
      line: lines.linePos(keyStart(document, place, key)).line,
      text: `unknown key "${printable(key)}"${where(place)}${suggestion(key, known)}`,
    }));
  }
  const name = place.length === 0 ? 'the file' : dotted(place);
  const text =
    issue.code === 'invalid_type' && place.length === 0 ? 'expected settings such as "sources:"' : null;
  return [
    {
      line: lines.linePos(startOf(document, place)).line,
      text: `${name}: ${text ?? spoken(issue)}${meant(issue, document)}`,
    },
  ];
}

/** A union's own message says nothing; that of its last branch, the general one, does. */
function spoken(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union' || !issue.message.startsWith('Invalid input')) return issue.message;
  return issue.errors.at(-1)?.[0]?.message ?? issue.message;
}

/** The known word that a mistyped one is near to; the word itself is not repeated. */
function meant(issue: z.core.$ZodIssue, document: Document): string {
  if (issue.code !== 'invalid_value') return '';
  const value = document.getIn(issue.path);
  const near = typeof value === 'string' ? nearest(value, issue.values.map(String)) : null;
  return near === null ? '' : `; did you mean "${near}"?`;
}

function suggestion(key: string, known: string[]): string {
  const near = nearest(key, known);
  if (near !== null) return `; did you mean "${near}"?`;
  return known.length === 0 ? '' : `; known here: ${known.join(', ')}`;
}

function where(place: Place): string {
  return place.length === 0 ? '' : ` in ${dotted(place)}`;
}

function dotted(place: Place): string {
  return place
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function printable(key: string): string {
  return key.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40);
}

/** Offset of the key in the map at `place`. */
function keyStart(document: Document, place: Place, key: string): number {
  const map = place.length === 0 ? document.contents : document.getIn(place, true);
  const pair = isMap(map)
    ? map.items.find(({ key: found }) => isScalar(found) && String(found.value) === key)
    : undefined;
  return isNode(pair?.key) ? (pair.key.range?.[0] ?? 0) : startOf(document, place);
}

/** Offset of what stands at `place`, or of the nearest thing around it that exists. */
function startOf(document: Document, place: Place): number {
  for (let length = place.length; length > 0; length--) {
    const node = document.getIn(place.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return document.contents?.range?.[0] ?? 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(file: string, problems: Problem[]): TilsynError {
  const said = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, text }) => `  line ${line}: ${text}`);
  const sorted = [...new Set(said)];
  const shown = sorted.slice(0, MAX_PROBLEMS);
  if (sorted.length > shown.length) shown.push(`  and ${sorted.length - shown.length} more`);
  const count = sorted.length === 1 ? '1 problem' : `${sorted.length} problems`;
  return new TilsynError('config.invalid', `reading ${file}: ${count}\n${shown.join('\n')}`, {
    exit: 'usage',
    hint: 'Mend the lines named. Without a file the agent detects its sources and only reports.',
  });
}

/** What an agent without a file does: detect the sources, report, erase nothing. */
export const defaultConfig: AgentConfig = parseConfig('', 'the defaults');
