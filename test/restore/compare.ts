/** What was written and what is there now: every leaf of every agent, and every session with its personal fields. */
import Sqlite from 'better-sqlite3';
import type { Session } from '../identity/stage.ts';

/** `log/seq` → bytes, of the agents' logs. */
export type Leaves = Map<string, string>;

export function leavesIn(path: string): Leaves {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    const rows = db.prepare<[], { log: string; seq: number; bytes: string }>(
      `SELECT l.log AS log, seq, bytes FROM leaves JOIN logs l ON l.id = leaves.log
       WHERE l.agent IS NOT NULL ORDER BY pos`,
    );
    const found: Leaves = new Map();
    for (const { log, seq, bytes } of rows.all()) found.set(`${log}/${seq}`, bytes);
    return found;
  } finally {
    db.close();
  }
}

/** Leaves of these logs that are missing, or are other bytes. */
export function lostLeaves(before: Leaves, after: Leaves, ofLogs: (log: string) => boolean): string[] {
  return [...before]
    .filter(([place]) => ofLogs(place.split('/')[0] ?? ''))
    .flatMap(([place, bytes]) => {
      const now = after.get(place);
      if (now === undefined) return [`${place}: lost`];
      return now === bytes ? [] : [`${place}: other bytes`];
    });
}

function seen({ id, host, startedAt, endedAt, peer, localUser }: Session): string {
  return JSON.stringify({ id, host, startedAt, endedAt, peer, localUser });
}

/** Sessions that are not as before, are missing, or are there twice. */
export function changedSessions(before: readonly Session[], after: readonly Session[]): string[] {
  const now = new Map<string, number>();
  for (const one of after) now.set(seen(one), (now.get(seen(one)) ?? 0) + 1);
  const starts = Map.groupBy(after, ({ host, startedAt, peer }) => `${host} ${startedAt} ${peer?.id}`);
  return [
    ...before.filter((one) => !now.has(seen(one))).map(({ id }) => `session ${id}: lost or changed`),
    ...[...now].filter(([, n]) => n > 1).map(([text]) => `session twice: ${text.slice(0, 50)}`),
    ...[...starts].filter(([, same]) => same.length > 1).map(([start]) => `session twice: ${start}`),
  ];
}
