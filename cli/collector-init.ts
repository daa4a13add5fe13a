/** `tilsyn collector init`. */
import { EXIT } from '../protocol/errors.ts';
import { packNamed } from '../protocol/packs.ts';
import { flag, format, required, stateDir, text } from './args.ts';
import type { Input } from './io.ts';
import { printFields } from './print.ts';
import { jsonText } from './text.ts';

export async function collectorInit(input: Input): Promise<number> {
  const options = {
    state: stateDir(input),
    policy: required(input, 'policy', '--policy'),
    name: text(input, 'name'),
    url: text(input, 'url'),
    keys2: text(input, 'keys2'),
    tlsCert: text(input, 'tlsCert'),
    tlsKey: text(input, 'tlsKey'),
  };
  const kind = format(input, 'table', 'json');
  const made = flag(input, 'dryRun')
    ? planned(options)
    : await (await import('../collector/main.ts')).init(options);
  if (kind === 'json') input.io.out(jsonText(made));
  else {
    printFields(input.io, [
      ['name', made.name],
      ['url', made.url],
      ['identity', made.identity],
      ['CA file', made.caFile],
      ['admin token', made.adminTokenFile],
    ]);
    input.io.err(`Start it: tilsyn collector run --state ${options.state}`);
  }
  return EXIT.done;
}

/** What can be said without making anything. @throws TilsynError `policy.unknown` */
function planned(options: { policy: string; name?: string | undefined; url?: string | undefined }) {
  packNamed(options.policy);
  const { name = null, url = null } = options;
  return { name, url, identity: null, caFile: null, adminTokenFile: null, dryRun: true };
}
