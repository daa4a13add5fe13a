/**
 * What no answer about recordings covers.
 *
 * C46 An answer (R8) that says "gone" says as well what was not looked at; what of it can be seen is counted (C77).
 */
import type { Copies, CopyKind } from './copies.ts';
import type { Root } from './roots.ts';

/** Whatever is answered. */
export const NOT_LOOKED_AT = ['exports', 'copies-elsewhere', 'backups', 'snapshots'] as const;

const WORDS: Readonly<Record<CopyKind, string>> = {
  export: 'exports',
  clip: 'clips',
  'recycle-bin': 'recycle-bins',
  snapshot: 'snapshots',
  thumbnails: 'thumbnails',
  'lost-found': 'lost-and-found',
};

export interface NotLookedAt {
  notLookedAt: string[];
  copies: ({ source: string } & Copies)[];
}

/** @param copies of a root, as they were counted last; null or absent: not yet */
export function notLookedAt(
  { copies }: { copies?(root: number): readonly Copies[] | null },
  roots: readonly Pick<Root, 'id' | 'source'>[],
): NotLookedAt {
  const found = roots.flatMap(({ id, source }) => (copies?.(id) ?? []).map((one) => ({ source, ...one })));
  return {
    notLookedAt: [...new Set([...NOT_LOOKED_AT, ...found.map(({ kind }) => WORDS[kind])])],
    copies: found,
  };
}
