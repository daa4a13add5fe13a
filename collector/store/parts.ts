/** Sealed parts, wraps and origins: what lies under key groups, and goes with them. */
import type { Id, SessionId } from '../../protocol/ids.ts';
import { IdMap, type Ids } from './ids.ts';
import type { Sql } from './table.ts';
import type { OriginRow, PartRow, Reader, Tx, WrapRow } from './types.ts';

type Reads = Pick<
  Reader,
  | 'parts'
  | 'wraps'
  | 'partsUnder'
  | 'countUnder'
  | 'lastErased'
  | 'tombstones'
  | 'origins'
  | 'withOrigin'
  | 'originCounts'
>;
type Writes = Pick<
  Tx,
  | 'addParts'
  | 'dropParts'
  | 'entomb'
  | 'addWraps'
  | 'putOrigins'
  | 'dropOrigins'
  | 'dropSomeUnder'
  | 'dropGroups'
>;

/** Parts of one group that are counted before an answer says "more": some milliseconds. */
const MAX_COUNTED = 100_000;

interface PartCells {
  pos: number;
  leaf_grp: number;
  grp: number;
  wrap: string | null;
  body: Buffer;
}
interface WrapCells {
  wrap: string;
  log: number;
  grp: number;
  body: Buffer;
}

export function readParts(sql: Sql, ids: Ids): Reads {
  const partRow = (cells: unknown): PartRow => {
    const c = cells as PartCells;
    const [group, under] = [ids.groups.hex(c.leaf_grp), ids.groups.hex(c.grp)] as const;
    return { pos: c.pos, group, under, wrap: c.wrap, body: c.body } as PartRow;
  };
  const wrapRow = (cells: unknown): WrapRow => {
    const c = cells as WrapCells;
    const wrap = c.wrap as Id<'wrap'>;
    return { wrap, log: ids.logs.hex(c.log), group: ids.groups.hex(c.grp), body: c.body };
  };
  return {
    async parts(positions) {
      return sql(`SELECT s.pos, s.leaf_grp, s.grp, w.wrap, s.body FROM sealed s
        LEFT JOIN wraps w ON w.id = s.wrap
        WHERE s.pos IN (SELECT value FROM json_each(?)) ORDER BY s.pos, s.leaf_grp`)
        .all(JSON.stringify(positions))
        .map(partRow);
    },
    async wraps(wanted) {
      const get = sql('SELECT wrap, log, grp, body FROM wraps WHERE wrap = ?');
      return wanted
        .map((wrap) => get.get(wrap))
        .filter((cells) => cells !== undefined)
        .map(wrapRow);
    },
    async partsUnder(group, after, limit) {
      const id = ids.groups.find(group);
      if (id === null) return [];
      const last = after === null ? [-1, -1] : [after.pos, ids.groups.find(after.group) ?? -1];
      const rows = sql(`SELECT s.pos, s.leaf_grp, l.log, l.seq FROM sealed s JOIN leaves l ON l.pos = s.pos
        WHERE s.grp = ? AND (s.pos, s.leaf_grp) > (?, ?) ORDER BY s.pos, s.leaf_grp LIMIT ?`).all(
        id,
        ...last,
        limit,
      ) as { pos: number; leaf_grp: number; log: number; seq: number }[];
      return rows.map(({ pos, leaf_grp, log, seq }) => ({
        pos,
        log: ids.logs.hex(log),
        seq,
        group: ids.groups.hex(leaf_grp),
      }));
    },
    async lastErased(agreement) {
      const row = sql(`SELECT MAX(e.done_pos) AS pos FROM erasures e JOIN key_groups g ON g.grp = e.grp
        WHERE g.agreement = ?`).get(agreement) as { pos: number | null };
      return row.pos;
    },
    async countUnder(groups) {
      const count = sql(`SELECT COUNT(*) AS parts FROM (SELECT 1 FROM sealed WHERE grp = ? LIMIT ?)`);
      const counts: { parts: number; more: boolean }[] = [];
      for (const group of groups) {
        const id = ids.groups.find(group);
        const { parts } = id === null ? { parts: 0 } : (count.get(id, MAX_COUNTED + 1) as { parts: number });
        counts.push({ parts: Math.min(parts, MAX_COUNTED), more: parts > MAX_COUNTED });
        // Others have their turn between two of them.
        if (parts > 1_000) await new Promise(setImmediate);
      }
      return counts;
    },
    async tombstones(positions) {
      const rows = sql(`SELECT pos, leaf_grp FROM tombstones
        WHERE pos IN (SELECT value FROM json_each(?)) ORDER BY pos, leaf_grp`).all(JSON.stringify(positions));
      return (rows as { pos: number; leaf_grp: number }[]).map(({ pos, leaf_grp }) => ({
        pos,
        group: ids.groups.hex(leaf_grp),
      }));
    },
    async origins(group, wanted) {
      const id = ids.groups.find(group);
      if (id === null) return [];
      const get = sql('SELECT origin, session FROM origins WHERE grp = ? AND origin = ?');
      return wanted
        .map((origin) => get.get(id, origin) as Omit<OriginRow, 'group'> | undefined)
        .filter((cells) => cells !== undefined)
        .map(({ origin, session }) => ({ group, origin, session }));
    },
    async withOrigin(sessions) {
      const rows = sql(`SELECT DISTINCT session FROM origins
        WHERE session IN (SELECT value FROM json_each(?))`).all(JSON.stringify(sessions));
      return (rows as { session: SessionId }[]).map(({ session }) => session);
    },
    async originCounts(sessions) {
      const rows = sql(`SELECT session, count(*) AS n FROM origins
        WHERE session IN (SELECT value FROM json_each(?)) GROUP BY session`).all(JSON.stringify(sessions));
      return new Map((rows as { session: SessionId; n: number }[]).map(({ session, n }) => [session, n]));
    },
  };
}

export function writeParts(sql: Sql, ids: Ids): Writes {
  return {
    async addParts(rows) {
      const add = sql(`INSERT INTO sealed (pos, leaf_grp, grp, wrap, body) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (pos, leaf_grp) DO NOTHING`);
      // Made anew for each call: wraps are many and short-lived, a cache for ever would only grow.
      const wraps = new IdMap(sql, 'wraps', 'wrap');
      for (const { pos, group, under, wrap, body } of rows) {
        const wrapId = wrap === null ? null : wraps.int(wrap);
        add.run(pos, ids.groups.int(group), ids.groups.int(under), wrapId, body);
      }
    },
    async dropParts(keys) {
      const drop = sql('DELETE FROM sealed WHERE pos = ? AND leaf_grp = ?');
      for (const { pos, group } of keys) drop.run(pos, ids.groups.int(group));
    },
    async entomb(keys) {
      const drop = sql('DELETE FROM sealed WHERE pos = ? AND leaf_grp = ?');
      const mark = sql('INSERT INTO tombstones (pos, leaf_grp) VALUES (?, ?) ON CONFLICT DO NOTHING');
      for (const { pos, group } of keys) {
        const id = ids.groups.int(group);
        drop.run(pos, id);
        mark.run(pos, id);
      }
    },
    async addWraps(rows) {
      const add = sql(`INSERT INTO wraps (wrap, log, grp, body) VALUES (?, ?, ?, ?)
        ON CONFLICT (wrap) DO NOTHING`);
      for (const r of rows) add.run(r.wrap, ids.logs.int(r.log), ids.groups.int(r.group), r.body);
    },
    async dropOrigins(rows) {
      const drop = sql('DELETE FROM origins WHERE grp = ? AND origin = ?');
      for (const { group, origin } of rows) drop.run(ids.groups.int(group), origin);
    },
    async putOrigins(rows) {
      const put = sql(`INSERT INTO origins (grp, origin, session) VALUES (?, ?, ?)
        ON CONFLICT (grp, origin) DO UPDATE SET session = excluded.session`);
      for (const r of rows) put.run(ids.groups.int(r.group), r.origin, r.session);
    },
    async dropSomeUnder(group, limit) {
      const id = ids.groups.find(group);
      if (id === null) return 0;
      return sql(`DELETE FROM sealed WHERE (pos, leaf_grp) IN
        (SELECT pos, leaf_grp FROM sealed WHERE grp = ? ORDER BY pos, leaf_grp LIMIT ?)`).run(id, limit)
        .changes;
    },
    async dropGroups(groups) {
      let parts = 0;
      for (const group of groups) {
        const id = ids.groups.int(group);
        parts += sql('DELETE FROM sealed WHERE grp = ?').run(id).changes;
        sql('DELETE FROM wraps WHERE grp = ?').run(id);
        sql('DELETE FROM origins WHERE grp = ?').run(id);
      }
      return parts;
    },
  };
}
