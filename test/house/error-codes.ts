/** Error codes and their texts, as the source makes them. */
import { eventDefinition } from '../../protocol/event.ts';
import { VERBS } from '../../protocol/frame.ts';
import { RETENTION_CLASSES } from '../../protocol/policy.ts';
import { READING_VERBS } from '../../protocol/words.ts';
import { codeOnly, type SourceFile } from './tree.ts';

export interface MadeError {
  code: string;
  /** The literal text with `…` where a value stands; null where it is put together elsewhere. */
  text: string | null;
  file: string;
}

const MADE = /new TilsynError\(\s*(['"])([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+)\1\s*,\s*/g;
const CODE = `(['"])([a-z][a-z0-9-]*\\.[a-z0-9.-]+)\\1`;
/**
 * Codes that reach `TilsynError` or a report by another way. All but the last two are also how events are named, and
 * events, verbs and classes of data are no errors.
 */
const HANDED = [
  // code: 'token.expired' · code: own?.code ?? 'link.failed' · const code = 'a.b'
  new RegExp(`\\bcode(?::| =)\\s*(?:[^,;\\n'"]*\\?\\?\\s*)?${CODE}`, 'g'),
  // wrong('tls.expired', 'it has expired')
  new RegExp(`\\b[a-z]\\w*\\(\\s*${CODE}\\s*,\\s*['"\`]`, 'g'),
  // { badFrame: 'frame.bad', 'not-json': 'chain.not-json' }
  new RegExp(`[\\w'"]:\\s*${CODE}`, 'g'),
  // this.#offend('flowExceeded', 'batch.credits', …) · about(\n 'erasure.second-absent',\n message
  new RegExp(`#offend\\('\\w+',\\s*${CODE}`, 'g'),
  new RegExp(`\\babout\\(\\s*${CODE}`, 'g'),
];
/** Findings of a check, and tables that are keyed by code: `'token.used': 'Make a new …'`. */
const FOUND = [new RegExp(`\\breport\\(\\s*${CODE}`, 'g'), new RegExp(`^\\s*${CODE}:\\s*(?=['"\`])`, 'gm')];
const ANY_CODE = new RegExp(CODE, 'g');
const NO_ERRORS: ReadonlySet<string> = new Set<string>([...VERBS, ...READING_VERBS, ...RETENTION_CLASSES]);

export function errorsIn(file: SourceFile): MadeError[] {
  const code = codeOnly(file.text);
  const made: MadeError[] = [];
  for (const match of code.matchAll(MADE)) {
    made.push({
      code: match[2] ?? '',
      text: literalAt(code, (match.index ?? 0) + match[0].length),
      file: file.path,
    });
  }
  const handed = [...HANDED.flatMap((way) => namesIn(code, way)), ...chosenIn(code)];
  const names = handed.filter((name) => eventDefinition(name) === undefined);
  for (const name of new Set([...names, ...FOUND.flatMap((way) => namesIn(code, way))]))
    if (!NO_ERRORS.has(name)) made.push({ code: name, text: null, file: file.path });
  return made;
}

function namesIn(code: string, way: RegExp): string[] {
  return [...code.matchAll(way)].map((match) => match[2] ?? '');
}

/** `new TilsynError(late ? 'a.b' : 'c.d', …`: every code that its first argument can be. */
function chosenIn(code: string): string[] {
  return [...code.matchAll(/new TilsynError\((?!\s*['"])([^,]*),/g)].flatMap(([, first]) =>
    namesIn(first ?? '', ANY_CODE),
  );
}

/** The string or template that begins at `at`, with `…` for each value in it. */
function literalAt(code: string, at: number): string | null {
  const quote = code[at];
  if (quote !== "'" && quote !== '"' && quote !== '`') return null;
  let out = '';
  for (let i = at + 1; i < code.length; i += 1) {
    const char = code[i];
    if (char === '\\') {
      i += 1;
      out += code[i] ?? '';
    } else if (quote === '`' && char === '$' && code[i + 1] === '{') {
      i = closingBrace(code, i + 1);
      out += '…';
    } else if (char === quote) return out;
    else out += char;
  }
  return null;
}

function closingBrace(code: string, from: number): number {
  let depth = 0;
  for (let i = from; i < code.length; i += 1) {
    if (code[i] === '{') depth += 1;
    if (code[i] === '}') depth -= 1;
    if (depth === 0) return i;
  }
  return code.length;
}

/** What stands in `docs/guide/troubleshooting.md`: every `code` in back quotes, and every heading. */
export function codesOn(page: string): Set<string> {
  return new Set([...page.matchAll(/`([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+)`/g)].map(([, code]) => code ?? ''));
}

export function headingsOn(page: string): Set<string> {
  return new Set(
    [...page.matchAll(/^#{2,4} (.+)$/gm)].map(([, text]) => (text ?? '').replaceAll('`', '').trim()),
  );
}

/** How an error's text is written as a heading. */
export function headingOf(text: string): string {
  return text.replaceAll('`', '').replace(/\s+/g, ' ').trim();
}
