/** Child of the kill test: folds, and kills itself at the n-th named point. */
import { openTelemetry } from '../../collector/store/telemetry.ts';
import { utcMs } from '../../protocol/time.ts';

const [dir = '', at = '0', now = '0'] = process.argv.slice(2);
let left = Number(at);
const faults = {
  hit(point: string) {
    if (!point.startsWith('telemetry.')) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
};
const telemetry = openTelemetry({ dir, faults });
await telemetry.thin(utcMs(Number(now)));
await telemetry.close();
process.stdout.write('done');
