/** `tilsyn quickstart` (what `npm start` runs). */
import { text } from './args.ts';
import type { Input } from './io.ts';

export async function quickstartRun(input: Input): Promise<number> {
  const { quickstart } = await import('./quickstart.ts');
  const dir = text(input, 'dir');
  return quickstart(dir === undefined ? {} : { dir }, input.io);
}
