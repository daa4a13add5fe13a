/** One sweep in a process of its own, which may kill itself at a named point: what a power cut leaves is what is left. */
import { openPlace, sweepOnce, type Where } from './place.ts';

interface Order {
  where: Where;
  /** Null: it lives. */
  point: string | null;
  /** At which time of reaching the point, from 1. */
  nth: number;
}

const { where, point, nth } = JSON.parse(process.argv[2] ?? '{}') as Order;
let reached = 0;
const opened = openPlace(where, {
  hit(at) {
    if (at !== point) return;
    reached += 1;
    if (reached === nth) process.kill(process.pid, 'SIGKILL');
  },
});
const report = await sweepOnce(opened);
opened.close();
process.stdout.write(JSON.stringify(report));
