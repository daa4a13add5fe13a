/** The root over what an erasure took: `{group, log, seq}` of each part, in the order in which they were stored. */
import type { GroupId } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import type { PartPlaceRow, Reader } from '../store/types.ts';

/** Places that are read at once. */
const PAGE = 1_000;

/** What lies under a group now. `between`: lets others have their turn, where nothing can be added meanwhile. */
export async function listUnder(
  reader: Pick<Reader, 'partsUnder'>,
  group: GroupId,
  between: () => Promise<void> = async () => {},
): Promise<{ parts: number; listRoot: string }> {
  const list = new ListRoot();
  for (let last: PartPlaceRow | null = null; ; ) {
    const page: PartPlaceRow[] = await reader.partsUnder(group, last, PAGE);
    for (const place of page) list.add(placeOf(place));
    last = page.at(-1) ?? last;
    if (page.length < PAGE) return { parts: list.size, listRoot: list.root() };
    await between();
  }
}

/** `pos` is this collector's own affair, and another after a restore. */
export function placeOf({ group, log, seq }: PartPlaceRow): Omit<PartPlaceRow, 'pos'> {
  return { group, log, seq };
}
