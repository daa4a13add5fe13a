/** A camera's rows of all states in the order of their latest ends, page by page: the index has them by state. */
import type { DayRow } from './days.ts';
import type { RowPlace, ToldStore } from './told-store.ts';

const PAGE = 500;
const STATE_COUNT = 4;

interface Stream {
  rows: DayRow[];
  at: number;
  next: RowPlace | null;
}

export interface RowsPage {
  rows: DayRow[];
  /** No row of a later page ends before it. */
  through: number;
}

/** @param from rows that end after it; null: all, and those without an end first */
export async function* camerasRows(
  store: Pick<ToldStore, 'rows'>,
  camera: number,
  from: number | null,
  rest: () => Promise<void>,
): AsyncGenerator<RowsPage> {
  const first = (state: number): Stream => {
    // Names of that end are behind its place: an end is after it only where it is later.
    const place = from === null ? { end: -2, folder: 0 } : { end: from, folder: Number.MAX_SAFE_INTEGER };
    return { rows: [], at: 0, next: { state, ...place, name: '' } };
  };
  const streams = Array.from({ length: STATE_COUNT }, (_, state) => first(state));
  for (;;) {
    for (const stream of streams) refill(store, camera, stream);
    const open = streams.filter(({ rows, at }) => at < rows.length);
    if (open.length === 0) return;
    // As far as each stream is known; one that has ended stands in nobody's way.
    const known = Math.min(
      ...open.map(({ rows, next }) => (next === null ? Number.POSITIVE_INFINITY : endOf(rows.at(-1)))),
    );
    const rows = open.flatMap((stream) => until(stream, known));
    rows.sort((a, b) => endOf(a) - endOf(b));
    yield { rows, through: Math.min(known, endOf(rows.at(-1))) };
    await rest();
  }
}

function refill(store: Pick<ToldStore, 'rows'>, camera: number, stream: Stream): void {
  if (stream.at < stream.rows.length || stream.next === null) return;
  const page = store.rows(camera, stream.next, PAGE);
  stream.rows = page.rows;
  stream.at = 0;
  stream.next = page.next;
}

function until(stream: Stream, end: number): DayRow[] {
  const from = stream.at;
  while (stream.at < stream.rows.length && endOf(stream.rows[stream.at]) <= end) stream.at += 1;
  return stream.rows.slice(from, stream.at);
}

function endOf(row: DayRow | undefined): number {
  return row?.ends ?? -1;
}
