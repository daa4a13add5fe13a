/** Child of the store's kill test: says each number once its transaction has resolved, until it is killed. */
import { openStore } from '../../collector/store/sqlite.ts';
import { leaf, log, logRow } from '../contract/store-rows.ts';

const store = await openStore(process.argv[2] ?? '');
await store.write((tx) => tx.putLogs([logRow()]));
for (let through = 0; ; through += 3) {
  await store.write(async (tx) => {
    await tx.appendLeaves([1, 2, 3].map((n) => leaf(through + n)));
    await tx.setHeads([{ log, through: through + 3, head: Buffer.alloc(32) }]);
  });
  process.stdout.write(`${through + 3}\n`);
}
