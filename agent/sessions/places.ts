/**
 * What a source remembers of its open sessions on the disk: where in the log each began, and its random id. Numbers and
 * ids only; what the log said there is read again (`docs/design/sessions.md`).
 */
import { isId, type SessionId } from '../../protocol/ids.ts';

/**
 * `untold`: an attempt of which nothing was told. `held`: a session that may be history, not told yet. `done`: ended, and
 * a row about it may still come.
 */
export type OpenState = 'untold' | 'attempted' | 'held' | 'active' | 'done';

/** A line: generation of the file, offset of its first byte, and which of its changes. */
export interface Place {
  file: number;
  start: number;
  n: number;
}

export interface OpenPlace extends Place {
  session: SessionId;
  state: OpenState;
  /** UTC milliseconds. */
  startedAt: number;
  /** Of `done`. */
  endedAt: number | null;
}

/** Beside the follower's state, in the same text. */
export interface Places {
  open: OpenPlace[];
  /** First line of the failures that are counted together and not told yet; null: none wait. */
  failing: Place | null;
  /** Inodes of the generations from the oldest of these lines on. */
  trail: { file: number; ino: string }[];
}

export const NO_PLACES: Places = { open: [], failing: null, trail: [] };

type Row = [file: number, start: number, n: number, session: string, state: number, at: number, end: number];
const STATES: readonly OpenState[] = ['untold', 'attempted', 'held', 'active', 'done'];

/**
 * As it is stored: small, because it is written with every transaction. Undefined where there is nothing to say, so that
 * what an earlier state said is taken back: sessions that are over would end once more at the next start.
 */
export function packPlaces({ open, failing, trail }: Places): { sessions: unknown } {
  if (open.length === 0 && failing === null) return { sessions: undefined };
  const rows = open.map(
    ({ file, start, n, session, state, startedAt, endedAt }): Row => [
      ...([file, start, n] as const),
      session,
      STATES.indexOf(state),
      startedAt,
      endedAt ?? -1,
    ],
  );
  return {
    sessions: {
      open: rows,
      failing: failing === null ? null : [failing.file, failing.start, failing.n],
      trail: trail.map(({ file, ino }) => [file, ino]),
    },
  };
}

/** What was stored; nothing where it is not as this version writes it. */
export function unpackPlaces(cursor: string | null): Places {
  if (cursor === null) return NO_PLACES;
  const stored = (JSON.parse(cursor) as { sessions?: Record<string, unknown> }).sessions;
  if (stored === undefined || !Array.isArray(stored.open) || !Array.isArray(stored.trail)) return NO_PLACES;
  const failing = Array.isArray(stored.failing) ? (stored.failing as number[]) : null;
  return {
    open: (stored.open as Row[]).flatMap(openOf),
    failing: failing === null ? null : { file: failing[0] ?? 0, start: failing[1] ?? 0, n: failing[2] ?? 0 },
    trail: (stored.trail as [number, string][]).map(([file, ino]) => ({ file, ino })),
  };
}

function openOf([file, start, n, session, state, startedAt, endedAt]: Row): OpenPlace[] {
  const known = STATES[state];
  if (known === undefined || !isId(session)) return [];
  const id = session as SessionId;
  return [{ file, start, n, session: id, state: known, startedAt, endedAt: endedAt < 0 ? null : endedAt }];
}

export function placeKey({ file, start, n }: Place): string {
  return `${file}:${start}:${n}`;
}

/** The earliest of these lines; null where there is none. */
export function oldestOf({ open, failing }: Pick<Places, 'open' | 'failing'>): Place | null {
  const all: Place[] = failing === null ? [...open] : [...open, failing];
  return all.reduce<Place | null>((low, one) => (low === null || before(one, low) ? one : low), null);
}

export function earlier(a: Place, b: Place | null): Place {
  return b !== null && before(b, a) ? b : a;
}

function before(a: Place, b: Place): boolean {
  return a.file < b.file || (a.file === b.file && a.start < b.start);
}
