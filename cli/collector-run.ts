/** `tilsyn collector run`. */
import { EXIT } from '../protocol/errors.ts';
import { stateDir, text } from './args.ts';
import type { Input } from './io.ts';

export async function collectorRun(input: Input): Promise<number> {
  const state = stateDir(input);
  const { run } = await import('../collector/main.ts');
  const listen = text(input, 'listen');
  const running = await run({ state, ...(listen === undefined ? {} : { listen }) });
  input.io.err(`collector: listening on ${running.address}`);
  await running.stopped;
  return EXIT.done;
}
