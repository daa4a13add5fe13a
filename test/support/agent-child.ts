/**
 * The agent as a process of the fault tests: the product's own `run()`, with a fault seam built from argv. The
 * product itself never looks for a seam anywhere.
 */
import { randomBytes } from 'node:crypto';
import { run } from '../../agent/main.ts';
import { childSeam, type SeamConfig } from './flags.ts';

interface Config extends SeamConfig {
  state: string;
  config: string;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
// The harness is gone: nobody would ever end this process.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/**
 * Four random bytes are asked for in one place only: the jitter of the link's waits. A tenth of it lets a world
 * meet as many live links in minutes as a site does in half an hour; the waits stay inside what the product allows.
 */
function random(size: number): Buffer {
  const bytes = randomBytes(size);
  if (size === 4) bytes.writeUInt32BE(Math.floor(bytes.readUInt32BE() / 10));
  return bytes;
}

let stopping = false;
const handle = await run({
  state: config.state,
  config: config.config,
  random,
  faults: childSeam(config),
  signals: false,
});
process.on('SIGTERM', () => {
  if (stopping) return;
  stopping = true;
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.send?.('ready');
