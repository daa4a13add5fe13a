/** Random bytes that repeat: SHA-256 in counter mode over a seed. For tests only. */
import { createHash } from 'node:crypto';
import type { Id, Random } from '../../protocol/ids.ts';

export function seeded(seed: string): Random {
  let n = 0;
  return (size) => {
    const chunks: Buffer[] = [];
    for (let have = 0; have < size; have += 32) {
      chunks.push(createHash('sha256').update(`${seed}:${n}`).digest());
      n += 1;
    }
    return Buffer.concat(chunks).subarray(0, size);
  };
}

/** An id that is easy to see in a failure: `idOf('a1')` is a1a1…a1. */
export function idOf<Kind extends string>(twoHex: string): Id<Kind> {
  return twoHex.repeat(16) as Id<Kind>;
}
