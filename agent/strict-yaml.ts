/**
 * YAML that people write by hand: strict, every problem said at once with its line. Messages name keys and what was
 * expected, never a value: paths hold people's names.
 *
 * C5  Every problem of the file is said at once, with the nearest known word: one mistake never hides another that
 *     could have been seen, and no guess is run on.
 */
import { isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import type { TilsynError } from '../protocol/errors.ts';
import { nearest } from '../protocol/nearest.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_PROBLEMS = 50;

type Document = ReturnType<typeof parseDocument>;
export type Place = readonly PropertyKey[];

export interface Problem {
  line: number;
  text: string;
}

/** What a file of one kind has to be. */
export interface Strict<S extends z.ZodType> {
  schema: S;
  /** The keys that may stand at a place; `at` looks up what stands elsewhere in the file. */
  keysAt(place: Place, at: (place: Place) => unknown): string[];
  /** Puts near words in the place of mistyped ones that would hide other mistakes, and says so. */
  mend?(data: unknown, lineOf: (place: Place) => number): Problem[];
  /** Other ways to write the same. */
  prepare?(data: unknown): unknown;
  /** What the schema cannot see, of a file that fits it. */
  more?(value: z.output<S>, lineOf: (place: Place) => number): Problem[];
  /** Said where the file as a whole is of no use. */
  expected: string;
  /** The error for a file with problems; `said` is their number and all of them. */
  refuse(file: string, said: string): TilsynError;
}

export interface Read<T> {
  value: T;
  lineOf(place: Place): number;
}

/**
 * Reads a file. `file` is named in messages only.
 * @throws what `strict.refuse` makes of all problems
 */
export function readStrict<S extends z.ZodType>(
  text: string,
  file: string,
  strict: Strict<S>,
): Read<z.output<S>> {
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw invalid(file, [{ line: 1, text: 'larger than 1 MiB' }], strict);
  try {
    return readDocument(text, file, strict);
  } catch (error) {
    // Ten thousand brackets: the YAML reader gives up its stack before we see a document.
    if (error instanceof RangeError) throw invalid(file, [{ line: 1, text: 'nested too deeply' }], strict);
    throw error;
  }
}

function readDocument<S extends z.ZodType>(text: string, file: string, strict: Strict<S>): Read<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (place: Place) => lines.linePos(startOf(document, place)).line;
  const problems = yamlProblems(document, lines);
  // Two equal keys leave a document that can be checked further; other errors may have eaten half of it.
  const whole = problems.every((problem) => problem.text === YAML_TEXTS.DUPLICATE_KEY);
  if (!whole) throw invalid(file, problems, strict);
  const data: unknown = document.toJS() ?? {};
  problems.push(...(strict.mend?.(data, lineOf) ?? []));
  const parsed = strict.schema.safeParse(strict.prepare?.(data) ?? data);
  if (!parsed.success)
    problems.push(...parsed.error.issues.flatMap((issue) => issueProblems(issue, document, lines, strict)));
  else problems.push(...(strict.more?.(parsed.data, lineOf) ?? []));
  if (problems.length > 0 || !parsed.success) throw invalid(file, problems, strict);
  return { value: parsed.data, lineOf };
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

function issueProblems(
  issue: z.core.$ZodIssue,
  document: Document,
  lines: LineCounter,
  strict: Strict<z.ZodType>,
): Problem[] {
  const place = issue.path;
  if (issue.code === 'unrecognized_keys') {
    const known = strict.keysAt(place, (other) => document.getIn(other));
    return issue.keys.map((key) => ({
      line: lines.linePos(keyStart(document, place, key)).line,
      text: `unknown key "${printable(key)}"${where(place)}${suggestion(key, known)}`,
    }));
  }
  const name = place.length === 0 ? 'the file' : dotted(place);
  const text = issue.code === 'invalid_type' && place.length === 0 ? strict.expected : null;
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

export function dotted(place: Place): string {
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

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(file: string, problems: Problem[], strict: Strict<z.ZodType>): TilsynError {
  const said = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, text }) => `  line ${line}: ${text}`);
  const sorted = [...new Set(said)];
  const shown = sorted.slice(0, MAX_PROBLEMS);
  if (sorted.length > shown.length) shown.push(`  and ${sorted.length - shown.length} more`);
  const count = sorted.length === 1 ? '1 problem' : `${sorted.length} problems`;
  return strict.refuse(file, `${count}\n${shown.join('\n')}`);
}
