/** Feeding a reader by hand, and what it gives, short. */
import type { LineReader, MakeReader, SessionChange } from '../../../agent/sources/change.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

export function made(make: MakeReader, ownIps: readonly string[] = []): LineReader {
  return make({ zone: 'UTC', near: () => utcMs(Date.UTC(2026, 2, 12)), ownIps });
}

/** All changes; a line that cannot be read stops the test. */
export function changesOf(reader: LineReader, lines: readonly string[]): SessionChange[] {
  return lines.flatMap((line) => {
    const result = reader.line(line);
    if (!result.ok) throw new Error(`not read: ${result.reason}`);
    return [...result.changes];
  });
}

export function problemOf(reader: LineReader, line: string): string {
  const result = reader.line(line);
  return result.ok ? `${result.changes.length} changes` : result.reason;
}

export const whats = (changes: readonly SessionChange[]) => changes.map(({ what }) => what);

/** Time of a change as ISO text; of one without, empty. */
export const atOf = (change: SessionChange | undefined) =>
  change !== undefined && 'at' in change ? toIso(change.at) : '';

export const keysOf = (changes: readonly SessionChange[]) =>
  new Set(changes.flatMap((change) => ('key' in change ? [change.key] : [])));
