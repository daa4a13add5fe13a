/** The tree as the house tests see it: every source file of the product, and the text of its code alone. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
/** The rooms whose code ships. */
export const PRODUCT = ['protocol', 'agent', 'collector', 'cli'] as const;
export const EVERYTHING = [...PRODUCT, 'test', 'bench', 'installers'] as const;

export interface SourceFile {
  /** From the root, with forward slashes. */
  path: string;
  text: string;
}

export function filesIn(rooms: readonly string[], suffix = '.ts'): SourceFile[] {
  return rooms.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({
        path: relative(ROOT, path).split(sep).join('/'),
        text: readFileSync(path, 'utf8'),
      })),
  );
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

const REGEX_BEFORE = /(?:^|[(,=:[!&|?{};+\n]|\breturn|\bcase|=>)\s*$/;

/**
 * The text without comments. With `strings: false` what stands between quotes goes too; templates stay, for
 * they hold code. Line breaks stay, so that line numbers agree.
 */
export function codeOnly(text: string, options: { strings: boolean } = { strings: true }): string {
  let out = '';
  let i = 0;
  const skipTo = (end: number, keep: boolean) => {
    const part = text.slice(i, end);
    out += keep ? part : part.replace(/[^\n]/g, '');
    i = end;
  };
  while (i < text.length) {
    const two = text.slice(i, i + 2);
    const char = text[i] ?? '';
    if (two === '//') skipTo(endOf(text, '\n', i), false);
    else if (two === '/*') skipTo(endOf(text, '*/', i + 2) + 2, false);
    else if (char === "'" || char === '"') {
      const end = closing(text, i, char);
      if (options.strings) skipTo(end, true);
      else {
        out += char + char;
        i = end;
      }
    } else if (char === '`') skipTo(closing(text, i, char), true);
    else if (char === '/' && REGEX_BEFORE.test(out.slice(-80))) skipTo(closing(text, i, '/'), true);
    else skipTo(i + 1, true);
  }
  return out;
}

function endOf(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? text.length : at;
}

/** Just behind the quote that closes the one at `from`. Inside a class of a regular expression `/` is plain. */
function closing(text: string, from: number, quote: string): number {
  let inClass = false;
  for (let i = from + 1; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (quote === '/' && char === '[') inClass = true;
    else if (quote === '/' && char === ']') inClass = false;
    else if (char === quote && !inClass) return i + 1;
    else if (char === '\n' && quote !== '`') return i;
  }
  return text.length;
}

export interface Import {
  /** `node:fs`, `zod`, or a path from the root for one of our own files. */
  target: string;
  own: boolean;
  /** Types only: gone when the program runs. */
  typeOnly: boolean;
  dynamic: boolean;
  /** What stands between `import` and `from`. */
  names: string;
}

const STATIC = /^[ \t]*(?:import|export)\s+([^;'"]*?)\s*from\s*['"]([^'"]+)['"]/gm;
const BARE = /^[ \t]*import\s*['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\s*\(\s*['"]([^'"]+)['"]/g;
const TYPE_ONLY = /^(?:type\s+[{*]|\{\s*(?:type\s+[\w$]+(?:\s+as\s+[\w$]+)?\s*,?\s*)+\})/;

export function importsOf(file: SourceFile): Import[] {
  const code = codeOnly(file.text);
  const found: Import[] = [];
  const add = (specifier: string, names: string, dynamic: boolean) => {
    const own = specifier.startsWith('.');
    const target = own ? posix.join(dirname(file.path), specifier) : specifier;
    found.push({ target, own, names, dynamic, typeOnly: TYPE_ONLY.test(names) });
  };
  for (const [, names = '', specifier = ''] of code.matchAll(STATIC)) add(specifier, names, false);
  for (const [, specifier = ''] of code.matchAll(BARE)) add(specifier, '', false);
  for (const [, specifier = ''] of code.matchAll(DYNAMIC)) add(specifier, '', true);
  return found;
}

/** `path:line` of every match, for messages that can be clicked. */
export function placesOf(file: SourceFile, code: string, pattern: RegExp): string[] {
  const global = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`);
  return [...code.matchAll(global)].map((match) => {
    const line = code.slice(0, match.index).split('\n').length;
    return `${file.path}:${line} ${match[0].trim().replace(/\s+/g, ' ')}`;
  });
}
