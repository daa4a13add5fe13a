/** Many honest agents in one process, each the product's own `run()` on a state directory of its own. */
import { readFileSync } from 'node:fs';
import { enrol, type Handle, run } from '../../agent/main.ts';

interface Config {
  states: string[];
  /** File of a token with enough uses. */
  token: string;
  config: string;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const token = readFileSync(config.token, 'utf8');
const handles: Handle[] = [];
for (const state of config.states) {
  await enrol({ state, token });
  handles.push(await run({ state, config: config.config, signals: false }));
}
process.once('SIGTERM', () => {
  Promise.all(handles.map((handle) => handle.stop())).then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.on('message', () => process.send?.(handles.map((handle) => handle.status().collector)));
process.send?.('ready');
