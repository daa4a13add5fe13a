/**
 * CSV for spreadsheets and scripts.
 *
 * H4  CSV carries every field of the JSON item: a column each, nested ones under dotted names, times in ISO 8601
 *     UTC, numbers as numbers. The columns that a list declares stand there in their order also where it is empty.
 */
import type { Item } from './coverage-lines.ts';
import { type Cell, csvText } from './text.ts';

/** Between several values in one cell. */
const BETWEEN = '; ';

/** Header and rows. Declared names come first; a declared name whose value is an object is shown as JSON. */
export function csvOf(items: readonly Item[], declared: readonly string[] = []): string {
  const opaque = new Set(declared);
  const rows = items.map((item) => flatten(item, opaque));
  const found = new Set([...declared, ...rows.flatMap((row) => [...row.keys()])]);
  // `peer` that is null once and an object elsewhere is not a column beside `peer.id`.
  const parents = new Set([...found].flatMap(parentsOf));
  const names = [...found].filter((name) => opaque.has(name) || !parents.has(name));
  return csvText(
    names,
    rows.map((row) => names.map((name) => row.get(name))),
  );
}

function parentsOf(name: string): string[] {
  const parts = name.split('.');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'));
}

function flatten(item: Item, opaque: ReadonlySet<string>, prefix = ''): Map<string, Cell> {
  const row = new Map<string, Cell>();
  for (const [key, value] of Object.entries(item)) {
    const name = prefix + key;
    if (typeof value !== 'object' || value === null) row.set(name, value);
    else if (opaque.has(name) && !Array.isArray(value)) row.set(name, JSON.stringify(value));
    else for (const [inner, cell] of inside(name, value, opaque)) row.set(inner, cell);
  }
  return row;
}

function inside(name: string, value: Item | unknown[], opaque: ReadonlySet<string>): [string, Cell][] {
  if (!Array.isArray(value)) return [...flatten(value, opaque, `${name}.`)];
  if (value.length === 0 || !value.every(isRecord)) return [[name, value.map(plain).join(BETWEEN)]];
  const columns = new Set(value.flatMap((one) => Object.keys(one)));
  return [...columns].map((key) => [`${name}.${key}`, value.map((one) => plain(one[key])).join(BETWEEN)]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
