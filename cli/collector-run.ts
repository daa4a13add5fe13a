/** `tilsyn collector run`. */
import { EXIT } from '../protocol/errors.ts';
import { stateDir, text } from './args.ts';
import type { Input } from './io.ts';

export async function collectorRun(input: Input): Promise<number> {
  const state = stateDir(input);
  const { run } = await import('../collector/main.ts');
  const [listen, metrics] = [text(input, 'listen'), text(input, 'metrics')];
  const running = await run({ state, metrics, ...(listen === undefined ? {} : { listen }) });
  input.io.err(`collector: listening on ${running.address}`);
  if (running.metrics !== null) input.io.err(`collector: metrics on http://${running.metrics}/metrics`);
  await running.stopped;
  return EXIT.done;
}
