/** Child of the kill test: a whole collector that kills itself at the named point. */
import { run } from '../../collector/main.ts';

const [state = '', point = ''] = process.argv.slice(2);
const hit = (at: string) => {
  if (at === point) process.kill(process.pid, 'SIGKILL');
};
await run({ state, listen: '127.0.0.1:0', signals: false, faults: { hit } });
