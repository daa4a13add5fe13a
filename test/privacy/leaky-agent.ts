/**
 * An agent that leaks on purpose: the product's own `run()`, and a fault seam that writes canaries into the state
 * directory in every form that the searcher says it knows. What it writes must be found, or the search proves
 * nothing. The product itself never looks for a seam anywhere.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../agent/main.ts';
import { LEAKS } from './leaks.ts';

interface Config {
  state: string;
  config: string;
  text: string;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

let leaked = false;
const handle = await run({
  state: config.state,
  config: config.config,
  signals: true,
  faults: {
    hit(point) {
      if (point !== 'agent.append.after-commit' || leaked) return;
      leaked = true;
      for (const [index, { make }] of LEAKS.entries()) {
        writeFileSync(join(config.state, `leak-${index}.bin`), make(config.text));
      }
      process.send?.('leaked');
    },
  },
});
await handle.stopped;
process.exit(0);
