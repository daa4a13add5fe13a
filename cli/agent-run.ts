/** `tilsyn agent run`. */
import { EXIT } from '../protocol/errors.ts';
import { stateDir, text } from './args.ts';
import type { Input } from './io.ts';

export async function agentRun(input: Input): Promise<number> {
  const state = stateDir(input);
  const config = text(input, 'config');
  const { run } = await import('../agent/main.ts');
  const running = await run({ state, ...(config === undefined ? {} : { config }) });
  await running.stopped;
  return EXIT.done;
}
