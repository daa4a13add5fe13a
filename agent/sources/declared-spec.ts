/** Reads a declaration: its YAML, and what no schema can see of it. Every problem is said at once (C5). */
import { TilsynError } from '../../protocol/errors.ts';
import { type Place, type Problem, readStrict, type Strict } from '../strict-yaml.ts';
import {
  csvSpec,
  type DeclaredSpec,
  declaredSchema,
  type Fields,
  fields,
  type LineSpec,
  lineSpec,
  type Rule,
  rule,
  time,
} from './declared-schema.ts';
import { REASONS_OF } from './declared-words.ts';
import { placesOf, type Template } from './template.ts';

export type { CsvSpec, DeclaredSpec, LineSpec } from './declared-schema.ts';

/** @throws TilsynError `spec.invalid`, whose message lists all problems */
export function parseDeclared(text: string, file: string): DeclaredSpec {
  return readStrict(text, file, STRICT).value;
}

const STRICT: Strict<typeof declaredSchema> = {
  schema: declaredSchema,
  keysAt,
  more: (spec, lineOf) => (spec.format === 'lines' ? lineProblems(spec, lineOf) : []),
  expected: 'expected settings such as "format:"',
  refuse: (file, said) =>
    new TilsynError('spec.invalid', `reading the declaration ${file}: ${said}`, {
      exit: 'usage',
      hint: 'Mend the lines named; docs/guide/sources.md explains every key.',
    }),
};

function keysAt(place: Place, at: (place: Place) => unknown): string[] {
  const [first, , third] = place;
  if (first === undefined) return Object.keys(at(['format']) === 'csv' ? csvSpec.shape : lineSpec.shape);
  if (first === 'time') return Object.keys(time.shape);
  if (first === 'defaults') return ['direction', 'kind', 'auth', 'ipBasis'];
  if (first === 'only') return ['of', 'is'];
  if (place.length > 1 && (first === 'fields' || (third === 'fields' && place.length > 3)))
    return ['of', 'words', 'else'];
  if (first === 'fields' || third === 'fields') return Object.keys(fields.shape);
  return first === 'lines' ? Object.keys(rule.shape) : [];
}

type Lines = (place: Place) => number;

function lineProblems(spec: LineSpec, lineOf: Lines): Problem[] {
  const problems = spec.lines.flatMap((one, index) => ruleProblems(one, ['lines', index], lineOf));
  const whats = new Set(spec.lines.map((one) => one.what));
  if (!whats.has('started') && !whats.has('record')) {
    problems.push({ line: lineOf(['lines']), text: 'lines: no rule says that a session started, or was' });
  }
  if (whats.has('started') && !whats.has('ended')) {
    const text = 'lines: sessions start and never end; where the log says no end, use what: record';
    problems.push({ line: lineOf(['lines']), text });
  }
  return problems;
}

function ruleProblems(one: Rule, place: Place, lineOf: Lines): Problem[] {
  const name = `lines[${String(place[1])}]`;
  const groups = Object.keys(one.match.namedGroups());
  const used: [string, Template | undefined][] = [
    ['key', one.key],
    ['end', one.end],
    ['duration', one.duration],
    ...templatesOf(one.fields),
  ];
  const problems = used.flatMap(([key, template]) =>
    placesOf(template ?? [])
      .filter((names) => !names.some((group) => groups.includes(group)))
      .map(() => ({
        line: lineOf([...place, ...key.split('.')]),
        text: `${name}.${key}: the pattern has no group of that name; it has: ${groups.join(', ') || 'none'}`,
      })),
  );
  const allowed: readonly string[] = one.what === 'rejected' ? REASONS_OF.rejected : REASONS_OF.ended;
  const wrong = wordsOf(one.fields.reason).filter((word) => !allowed.includes(word));
  if (wrong.length > 0) {
    const text = `${name}.fields.reason: expected one of: ${allowed.join(', ')}`;
    problems.push({ line: lineOf([...place, 'fields', 'reason']), text });
  }
  if (one.what !== 'record' && (one.end !== undefined || one.duration !== undefined)) {
    problems.push({ line: lineOf(place), text: `${name}: end and duration belong to what: record` });
  }
  return problems;
}

function templatesOf(all: Fields): [string, Template][] {
  return Object.entries(all).flatMap(([key, value]): [string, Template][] => {
    if (value === undefined || typeof value === 'string') return [];
    return [[`fields.${key}`, 'of' in value ? value.of : value]];
  });
}

function wordsOf(reason: Fields['reason']): string[] {
  if (reason === undefined) return [];
  if (typeof reason === 'string') return [reason];
  return [...Object.values(reason.words), ...(reason.else === undefined ? [] : [reason.else])];
}
