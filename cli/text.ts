/**
 * Text on its way to a terminal, a spreadsheet or a program. An attacker chooses names (a computer's, an account's):
 *
 * Y1  No control or direction character of such a name reaches a terminal.
 * Y2  No cell of a CSV starts a formula.
 * Y3  JSON keeps every character, escaped where a terminal would act on it.
 */

// C0, DEL and C1; zero-width, line and direction marks; the byte-order mark.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Y1. Each such character is shown as U+FFFD, so that a doctored name is seen to be one. */
export function clean(text: string): string {
  return text.replace(UNSAFE, '\ufffd');
}

/** One JSON document (Y3), as text with a newline. */
export function jsonText(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, null, indent);
  return `${text.replace(indent === 0 ? UNSAFE : UNSAFE_BUT_NEWLINE, escaped)}\n`;
}

// Between JSON's tokens only its own newlines stand; inside strings C0 is escaped already.
const UNSAFE_BUT_NEWLINE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** What a table or a CSV can show; lists are joined. */
export type Cell = string | number | boolean | null | undefined;

export function cellText(cell: Cell): string {
  return cell === null || cell === undefined ? '' : clean(String(cell));
}

/** Columns padded to the widest cell; headings in capitals. No trailing blanks. */
export function tableText(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [
    headings.map((h) => h.toUpperCase()),
    ...rows.map((row) => row.map((c) => cellText(c) || '-')),
  ];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => [...(line[i] ?? '')].length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => pad(cell, widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - [...cell].length));
}

/** RFC 4180, with CRLF as it says; formula-safe (Y2). */
export function csvText(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [headings, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(cell: Cell): string {
  const text = cellText(cell);
  const safe = typeof cell === 'string' && /^[=+\-@\ufffd]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
