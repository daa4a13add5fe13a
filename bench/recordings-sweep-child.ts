/** One sweep of a root that is mounted and catalogued already; prints how long it took and its longest stretch. */

import { identityOf } from '../agent/recordings/root.ts';
import type { Id } from '../protocol/ids.ts';
import { openPlace, sweepOnce, type Where } from '../test/nvr/place.ts';

const where = JSON.parse(process.argv[2] ?? '{}') as Where;
const opened = openPlace(where);
const { journal, catalogue, root } = opened;
journal.transact(() => {
  // The same disk image, perhaps behind a loop device of another number than when it was catalogued.
  catalogue.accept(root.id, root.source as Id<'source'>, JSON.stringify(identityOf(where.root)));
  return { tell: [] };
});
let [longestMs, last] = [0, performance.now()];
const beat = setInterval(() => {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - last);
  last = now;
}, 1);
const began = performance.now();
const report = await sweepOnce(opened);
const seconds = (performance.now() - began) / 1000;
clearInterval(beat);
opened.close();
process.stdout.write(
  JSON.stringify({ seconds, longestMs, erased: report?.erased ?? 0, waits: report?.waits ?? null }),
);
