/**
 * The root over a list: an RFC 6962 tree whose leaves are the canonical texts of its items, in their order. Kept as it
 * grows: as many hashes as the tree is high.
 *
 * X19 The same items in the same order give the same root, on either side; any other list gives another.
 */
import { canonical, leafHash, nodeHash, sha256 } from './canonical.ts';
import { toB64 } from './ids.ts';

export class ListRoot {
  /** Roots of whole subtrees, the largest first; `size` says how large each is, by its bits. */
  readonly #roots: Buffer[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: unknown): void {
    let hash = leafHash(canonical(item));
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
