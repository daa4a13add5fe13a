/**
 * Reading personal data: content keys by wrap, parts by position. Holds content keys in memory, bounded, and
 * zeroes what it lets go. Nothing that it opens is kept.
 *
 * V14 Only a group whose row is live opens; from the start of an erasure its cached keys are zeroed.
 * V15 A part that cannot be opened, or is not as its type's allow-list says, is left out, never an error of the
 *     reading: who holds a key may have sealed anything.
 */
import { fitsPersonal } from '../protocol/event.ts';
import type { AgentId, GroupId, Id } from '../protocol/ids.ts';
import { openPart, type Personal } from '../protocol/seal.ts';
import type { Keyring } from './keyring.ts';
import type { LeafRow, PartRow, Pos, Reader, WrapRow } from './store/types.ts';
import type { Groups, OneoffKeys, Opener } from './types.ts';

/** One hour or 10,000 parts per key and agent: enough for a page of any list, 128 KiB of key material. */
const MAX_CONTENT_KEYS = 4_096;

interface Cached {
  group: GroupId;
  key: Buffer;
}

export interface KeyOpener extends Opener {
  /** Zeroes every cached key of this group. */
  forget(group: GroupId): void;
}

/** `limit` is for tests. Keys that it returns are lent: used at once, not kept. */
export function createOpener(keyring: Keyring, groups: Groups, limit = MAX_CONTENT_KEYS): KeyOpener {
  const contents = new Map<Id<'wrap'>, Cached>();
  const origins = new Map<GroupId, Buffer>();
  const oneoff = oneoffKeys();
  const isLive = (group: GroupId) => groups.byId(group)?.state === 'live';

  const drop = (wrap: Id<'wrap'>) => {
    contents.get(wrap)?.key.fill(0);
    contents.delete(wrap);
  };
  const forget = (group: GroupId) => {
    for (const [wrap, cached] of contents) if (cached.group === group) drop(wrap);
    origins.get(group)?.fill(0);
    origins.delete(group);
    oneoff.drop([group]);
  };
  keyring.onErase(forget);

  const remember = (wrap: Id<'wrap'>, cached: Cached) => {
    // Oldest first: a Map keeps the order of insertion, and a hit is inserted again.
    contents.delete(wrap);
    contents.set(wrap, cached);
    for (const oldest of contents.keys()) {
      if (contents.size <= limit) break;
      drop(oldest);
    }
  };

  const contentKey = (group: GroupId, wrap: WrapRow): Buffer | null => {
    if (wrap.group !== group || !isLive(group)) return null;
    const cached = contents.get(wrap.wrap);
    const key = cached?.group === group ? cached.key : keyring.openWrap(wrap);
    if (key !== null) remember(wrap.wrap, { group, key });
    return key;
  };

  const keyOf = (part: PartRow, wraps: ReadonlyMap<string, WrapRow>): Buffer | null => {
    if (part.wrap === null) return isLive(part.under) ? oneoff.get(part.under) : null;
    const wrap = wraps.get(part.wrap);
    return wrap === undefined ? null : contentKey(part.under, wrap);
  };

  return {
    oneoff,
    forget,
    contentKey,
    originKey(group) {
      if (!isLive(group)) return null;
      const key = origins.get(group) ?? keyring.originKey(group);
      if (key !== null) origins.set(group, key);
      return key;
    },
    async open(reader, positions) {
      const parts = await reader.parts(positions);
      const leaves = new Map((await reader.leavesAt(parts.map((part) => part.pos))).map((l) => [l.pos, l]));
      const wraps = await wrapsOf(reader, parts);
      const found = new Map<Pos, Personal>();
      for (const part of parts) {
        const leaf = leaves.get(part.pos);
        const key = leaf === undefined ? null : keyOf(part, wraps);
        const p = leaf === undefined || key === null ? null : openOne(leaf, part, key);
        // At most four groups per event, their fields apart.
        if (p !== null) found.set(part.pos, { ...found.get(part.pos), ...p });
      }
      return found;
    },
  };
}

async function wrapsOf(reader: Reader, parts: readonly PartRow[]): Promise<Map<string, WrapRow>> {
  const ids = new Set(parts.map((part) => part.wrap).filter((wrap) => wrap !== null));
  return new Map((await reader.wraps([...ids])).map((wrap) => [wrap.wrap, wrap]));
}

function openOne(leaf: LeafRow, part: PartRow, key: Buffer): Personal | null {
  const c = commitmentIn(leaf, part.group);
  if (c === null) return null;
  const place = { log: leaf.log, seq: leaf.seq, group: part.group, under: part.under };
  const p = openPart(key, place, c, part.body)?.p ?? null;
  return fitsPersonal(leaf.type, p) === true ? p : null;
}

function commitmentIn(leaf: LeafRow, group: GroupId): string | null {
  const { pii } = JSON.parse(leaf.bytes) as { pii: { group: string; c: string }[] };
  return pii.find((entry) => entry.group === group)?.c ?? null;
}

function oneoffKeys(): OneoffKeys {
  const keys = new Map<GroupId, { instance: Id<'instance'>; key: Buffer }>();
  const instances = new Map<AgentId, Id<'instance'>>();
  const agents = new Map<Id<'instance'>, AgentId>();
  const groupsOf = (instance: Id<'instance'>) =>
    [...keys].filter(([, held]) => held.instance === instance).map(([group]) => group);
  const drop = (groups: readonly GroupId[]) => {
    for (const group of groups) {
      keys.get(group)?.key.fill(0);
      keys.delete(group);
    }
  };
  const dropInstance = (instance: Id<'instance'>) => {
    const gone = groupsOf(instance);
    drop(gone);
    agents.delete(instance);
    return gone;
  };
  return {
    begin(agent, instance) {
      const before = instances.get(agent);
      instances.set(agent, instance);
      const gone = before === undefined || before === instance ? [] : dropInstance(before);
      agents.set(instance, agent);
      return gone;
    },
    put(group, instance, key) {
      const held = keys.get(group);
      if (held !== undefined && held.instance !== instance) return false;
      drop([group]);
      keys.set(group, { instance, key: Buffer.from(key) });
      return true;
    },
    get: (group) => keys.get(group)?.key ?? null,
    ownerOf(group) {
      const held = keys.get(group);
      return held === undefined ? null : (agents.get(held.instance) ?? null);
    },
    count: (instance) => groupsOf(instance).length,
    drop,
    dropInstance,
  };
}
