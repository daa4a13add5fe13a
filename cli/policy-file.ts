/**
 * A retention policy as a YAML file. Messages name keys and what was expected; a value is not repeated.
 *
 * H5  Every problem of a policy file is said at once, with its line and the nearest known word.
 */
import { isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { nearest } from '../protocol/nearest.ts';
import {
  againText,
  doubledRules,
  type Policy,
  policySchema,
  policyShape,
  type Rule,
  ruleProblems,
  ruleShape,
} from '../protocol/policy.ts';
import { takenName } from '../protocol/policy-own.ts';

const MAX_BYTES = 256 * 1024;
const MAX_PROBLEMS = 200;

export interface FileProblem {
  line: number;
  text: string;
}
/** `lines`: where each rule begins. */
export type PolicyFile = { policy: Policy; lines: number[] } | { problems: FileProblem[] };

type Document = ReturnType<typeof parseDocument>;
type Place = readonly PropertyKey[];

export function readPolicyFile(text: string): PolicyFile {
  if (Buffer.byteLength(text) > MAX_BYTES) return { problems: [{ line: 1, text: 'larger than 256 KiB' }] };
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const broken = yamlProblems(document, (offset) => counter.linePos(offset).line);
  if (broken.length > 0) return { problems: inOrder(broken) };
  const data: unknown = document.toJS() ?? {};
  const lineOf = (place: Place, key?: string) => counter.linePos(startOf(document, place, key)).line;
  const parsed = policySchema.safeParse(data);
  const raw = isRecord(data) && Array.isArray(data.rules) ? data.rules : [];
  const name = isRecord(data) && typeof data.name === 'string' ? takenName({ name: data.name }) : null;
  const taken = name === null ? [] : [{ line: lineOf(['name']), text: `name: ${name}` }];
  if (parsed.success && name === null)
    return { policy: parsed.data, lines: raw.map((_, i) => lineOf(['rules', i])) };
  if (parsed.success) return { problems: taken };
  const issues = parsed.error.issues.flatMap((issue) => spoken(issue, data, lineOf));
  return { problems: inOrder([...taken, ...issues, ...betweenFields(raw, lineOf)]) };
}

type LineOf = (place: Place, key?: string) => number;

/** The schema looks at fields together only where each is right: here those are, whatever else is wrong (H5). */
function betweenFields(raw: readonly unknown[], lineOf: LineOf): FileProblem[] {
  const rules = raw.map(readable);
  const within = rules.flatMap((rule, i) =>
    ruleProblems(rule).map(({ field, text }) => ({
      line: lineOf(['rules', i, field]),
      text: `rules[${i}].${field}: ${text}`,
    })),
  );
  const again = doubledRules(rules).map(({ at, first }) => {
    return { line: lineOf(['rules', at]), text: `rules[${at}]: ${againText(first)}` };
  });
  return [...within, ...again];
}

function readable(rule: unknown): Partial<Rule> {
  if (!isRecord(rule)) return {};
  const fields = Object.entries(ruleShape).flatMap(([name, schema]) => {
    const one = schema.safeParse(rule[name]);
    return one.success ? [[name, one.data]] : [];
  });
  return Object.fromEntries(fields);
}

function spoken(issue: z.core.$ZodIssue, data: unknown, lineOf: LineOf): FileProblem[] {
  const place = issue.path;
  const name = place.length === 0 ? 'the file' : dotted(place);
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(place.length === 0 ? policyShape : ruleShape);
    return issue.keys.map((key) => ({
      line: lineOf(place, key),
      text: `unknown key "${printable(key)}"${place.length === 0 ? '' : ` in ${name}`}${suggested(key, known)}`,
    }));
  }
  return [{ line: lineOf(place), text: `${name}: ${whatOf(issue, valueAt(data, place))}` }];
}

function whatOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is missing';
  if (issue.code === 'custom') return issue.message;
  if (issue.code === 'invalid_value') {
    const known = issue.values.map(String);
    return `expected one of: ${known.join(', ')}${suggested(value, known, '')}`;
  }
  if (issue.code === 'too_big') return `more than ${issue.maximum}`;
  if (issue.code === 'too_small') return `less than ${issue.minimum}`;
  if (issue.code === 'invalid_type')
    return `expected ${issue.expected === 'array' ? 'a list' : issue.expected}`;
  return issue.message;
}

function suggested(word: unknown, known: readonly string[], otherwise = `; known here: ${known.join(', ')}`) {
  const near = typeof word === 'string' ? nearest(word, known) : null;
  return near === null ? otherwise : `; did you mean "${near}"?`;
}

function yamlProblems(document: Document, lineAt: (offset: number) => number): FileProblem[] {
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    line: lineAt(error.pos[0]),
    text:
      error.code === 'RESOURCE_EXHAUSTION'
        ? 'nested too deeply'
        : `not YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
  }));
  // Never resolved: a few lines of aliases can stand for gigabytes.
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node) && !node.anchor) return;
      problems.push({
        line: lineAt(node.range?.[0] ?? 0),
        text: 'anchors (&) and aliases (*) are not used in this file',
      });
    },
    Pair: (_key, { key }) => {
      if (!isCollection(key)) return;
      problems.push({ line: lineAt(key.range?.[0] ?? 0), text: 'a key has to be one word' });
    },
  });
  return problems;
}

/** Offset of what stands at `place` (of its key `key`), or of the nearest thing around it that exists. */
function startOf(document: Document, place: Place, key?: string): number {
  const map = place.length === 0 ? document.contents : document.getIn(place, true);
  const pair = isMap(map)
    ? map.items.find(({ key: found }) => isScalar(found) && String(found.value) === key)
    : undefined;
  if (isNode(pair?.key)) return pair.key.range?.[0] ?? 0;
  for (let length = place.length; length > 0; length--) {
    const node = document.getIn(place.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return document.contents?.range?.[0] ?? 0;
}

function valueAt(data: unknown, place: Place): unknown {
  return place.reduce((at: unknown, key) => (at as Record<PropertyKey, unknown> | null)?.[key], data);
}

function dotted(place: Place): string {
  const text = place.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.replace(/^\./, '');
}

function printable(key: string): string {
  return key.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** By line, each once. */
function inOrder(problems: readonly FileProblem[]): FileProblem[] {
  const unique = new Map(problems.map((one) => [`${one.line} ${one.text}`, one]));
  const sorted = [...unique.values()].sort((a, b) => a.line - b.line);
  const rest = sorted.length - MAX_PROBLEMS;
  if (rest <= 0) return sorted;
  return [
    ...sorted.slice(0, MAX_PROBLEMS),
    { line: sorted.at(-1)?.line ?? 1, text: `and ${rest} more problems` },
  ];
}
