/** Wraps that are stored, by id: the newest few thousand, so that a part does not cost a look into the store. */

import type { WirePart, WireWrap } from '../../protocol/frame.ts';
import type { Id, LogId } from '../../protocol/ids.ts';
import type { Reader, WrapRow } from '../store/types.ts';

const MOST = 8192;

export class WrapCache {
  readonly #rows = new Map<string, WrapRow>();

  get(wrap: string): WrapRow | undefined {
    return this.#rows.get(wrap);
  }

  /** Only rows that a transaction committed. */
  add(rows: readonly WrapRow[]): void {
    for (const row of rows) {
      this.#rows.delete(row.wrap);
      this.#rows.set(row.wrap, row);
    }
  }

  /** Forgets the oldest. Not while a turn is at work: it would miss what it has loaded. */
  trim(): void {
    for (const oldest of this.#rows.keys()) {
      if (this.#rows.size <= MOST) break;
      this.#rows.delete(oldest);
    }
  }

  /**
   * Fetches what these frames name and is stored. A wrap that is stored wins over one of the same id in a frame:
   * it is the stored one that readers will open parts with.
   */
  async load(
    reader: Reader,
    frames: readonly { parts: readonly WirePart[]; wraps: readonly WireWrap[] }[],
  ): Promise<void> {
    const ids = new Set<string>();
    for (const { parts, wraps } of frames) {
      for (const { wrap } of parts) if (wrap !== null && !this.#rows.has(wrap)) ids.add(wrap);
      for (const { id } of wraps) if (!this.#rows.has(id)) ids.add(id);
    }
    if (ids.size > 0) this.add(await reader.wraps([...ids] as Id<'wrap'>[]));
  }
}

export function wrapRows(log: LogId, wraps: readonly WireWrap[]): Map<string, WrapRow> {
  const rows = new Map<string, WrapRow>();
  for (const { id, group, body } of wraps) {
    rows.set(id, {
      wrap: id as Id<'wrap'>,
      log,
      group: group as WrapRow['group'],
      body: Buffer.from(body, 'base64url'),
    });
  }
  return rows;
}
