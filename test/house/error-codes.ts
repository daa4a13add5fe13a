/** Error codes and their texts, as the source makes them. */
import { eventDefinition } from '../../protocol/event.ts';
import { codeOnly, type SourceFile } from './tree.ts';

export interface MadeError {
  code: string;
  /** The literal text with `…` where a value stands; null where it is put together elsewhere. */
  text: string | null;
  file: string;
}

const MADE = /new TilsynError\(\s*(['"])([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+)\1\s*,\s*/g;
/** Codes that a table or a helper hands on: `code: 'token.expired'`, `wrong('tls.expired', 'it has expired')`. */
const HANDED = /\b(?:code:|code =)\s*(['"])([a-z][a-z0-9-]*\.[a-z0-9.-]+)\1/g;
const PASSED = /\b[a-z]\w*\(\s*(['"])([a-z][a-z0-9-]*\.[a-z0-9.-]+)\1\s*,\s*['"`]/g;

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
  for (const match of [...code.matchAll(HANDED), ...code.matchAll(PASSED)]) {
    const name = match[2] ?? '';
    if (eventDefinition(name) === undefined) made.push({ code: name, text: null, file: file.path });
  }
  return made;
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
