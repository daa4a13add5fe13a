/** `tilsyn agent run`. */
import { setFlagsFromString } from 'node:v8';
import { EXIT } from '../protocol/errors.ts';
import { stateDir, text } from './args.ts';
import type { Input } from './io.ts';

export async function agentRun(input: Input): Promise<number> {
  keepHeapSmall();
  const state = stateDir(input);
  const [config, metrics] = [text(input, 'config'), text(input, 'metrics')];
  const { run } = await import('../agent/main.ts');
  const running = await run({ state, metrics, ...(config === undefined ? {} : { config }) });
  if (running.metrics !== null) input.io.err(`agent: metrics on http://${running.metrics}/metrics`);
  await running.stopped;
  return EXIT.done;
}

/** Before the agent is loaded; what measures its memory does the same. */
export function keepHeapSmall(): void {
  // The young generation stays as small as it begins: 5 MB less idle and while draining, no more CPU. V8
  // reads this when it would grow, so it may be set while running.
  setFlagsFromString('--semi-space-growth-factor=1');
  // The old one is collected after 8 MB of news. Each event leaves a cipher and a hash behind, outside of V8's heap
  // and so not in its count: a log of 40 MB took 153 MB of memory without this, 129 MB with it, and no more CPU.
  setFlagsFromString('--heap-growing-percent=10');
}
