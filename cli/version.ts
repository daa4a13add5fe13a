/** `tilsyn version`: loads almost nothing. */
import { readFileSync } from 'node:fs';
import { EXIT } from '../protocol/errors.ts';
import type { Input } from './io.ts';

/** `version` of package.json, read as text so that nothing else is loaded. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

export async function versionCommand(input: Input): Promise<number> {
  const about = {
    version: version(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  const plain = (input.options.output ?? 'table') === 'table';
  if (plain) input.io.out(`tilsyn ${about.version}\n`);
  else (await import('./print.ts')).printData(input, about);
  return EXIT.done;
}
