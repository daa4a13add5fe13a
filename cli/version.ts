/** `tilsyn version`: loads almost nothing. */
import { readFileSync } from 'node:fs';
import { EXIT } from '../protocol/errors.ts';
import type { Input } from './io.ts';
import { jsonText } from './text.ts';

/** `version` of package.json, read as text so that nothing else is loaded. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

export async function versionCommand({ io, options }: Input): Promise<number> {
  const about = {
    version: version(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  io.out(options.output === 'json' ? jsonText(about) : `tilsyn ${about.version}\n`);
  return EXIT.done;
}
