/**
 * The root over what an erasure took: an RFC 6962 tree whose leaves are the canonical texts of `{group, log, seq}`, in
 * the order in which this collector stored the events. Kept as it grows: as many hashes as the tree is high.
 */
import { canonical, leafHash, nodeHash, sha256 } from '../../protocol/canonical.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { toB64 } from '../../protocol/ids.ts';
import type { PartPlaceRow, Reader } from '../store/types.ts';

export class ListRoot {
  /** Roots of whole subtrees, the largest first; `size` says how large each is, by its bits. */
  readonly #roots: Buffer[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ group, log, seq }: Omit<PartPlaceRow, 'pos'>): void {
    let hash = leafHash(canonical({ group, log, seq }));
    // Each one bit at the end of the size is a subtree as large as the one that has just become whole.
    for (let bits = this.#size; bits % 2 === 1; bits = Math.floor(bits / 2)) {
      hash = nodeHash(this.#roots.pop() ?? hash, hash);
    }
    this.#roots.push(hash);
    this.#size += 1;
  }

  /** base64url of 32 bytes; of nothing: the hash of nothing, as RFC 6962 has it. */
  root(): string {
    const [last = sha256(''), ...rest] = this.#roots.toReversed();
    return toB64(rest.reduce((right, left) => nodeHash(left, right), last));
  }
}

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
    for (const place of page) list.add(place);
    last = page.at(-1) ?? last;
    if (page.length < PAGE) return { parts: list.size, listRoot: list.root() };
    await between();
  }
}
