/** Who dies while an agreement ends, and where: rows of the table in `docs/design/erasing.md`. */
import type { Kill } from './ending.ts';

export const KILLS: readonly Kill[] = [
  { name: 'nobody is killed' },
  { name: 'collector, erasing has begun', point: 'erasing.begun' },
  { name: 'collector, one copy of the keys is overwritten', point: 'keyring.copy-1' },
  { name: 'collector, the keys are gone', point: 'erasing.keys-gone' },
  { name: 'collector, the rows are gone', point: 'erasing.rows-gone' },
  { name: 'the agent, as the end is approved', agent: true },
  { name: 'both', point: 'erasing.keys-gone', agent: true },
  { name: 'nobody; a new agent reads the old log', again: true },
];
