/** One sweep of a root that is mounted and catalogued already; prints how long it took and its longest stretch. */

import { identityOf } from '../agent/recordings/root.ts';
import { keepHeapSmall } from '../cli/agent-run.ts';
import type { Id } from '../protocol/ids.ts';
import { openPlace, sweepOnce, type Where } from '../test/nvr/place.ts';
import { Beat } from './beat.ts';

// As `agent run` has it.
keepHeapSmall();
const where = JSON.parse(process.argv[2] ?? '{}') as Where;
const opened = openPlace(where);
const { journal, catalogue, root } = opened;
journal.transact(() => {
  // The same disk image, perhaps behind a loop device of another number than when it was catalogued.
  catalogue.accept(root.id, root.source as Id<'source'>, JSON.stringify(identityOf(where.root)));
  return { tell: [] };
});
const beat = new Beat();
const used = process.cpuUsage();
const began = performance.now();
const report = await sweepOnce(opened);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(used);
const longest = beat.stop();
opened.close();
const { erased = 0, waits = null } = report ?? {};
process.stdout.write(
  JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, ...longest, erased, waits }),
);
