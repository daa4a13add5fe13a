/** `tilsyn collector init`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { packNamed } from '../protocol/packs.ts';
import { checkOutput, flag, required, stateDir, text } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';

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
  checkOutput(input);
  const made = flag(input, 'dryRun')
    ? planned(options)
    : await (await import('../collector/main.ts')).init(options);
  if (!printData(input, { ...made })) {
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

interface Plan {
  state: string;
  policy: string;
  name: string | undefined;
  url: string | undefined;
}

/** What can be said without making anything. @throws TilsynError `policy.unknown`, `collector.exists` */
function planned(options: Plan) {
  packNamed(options.policy);
  if (existsSync(join(options.state, 'collector.json'))) {
    throw new TilsynError('collector.exists', 'making a collector: this state directory has one already', {
      hint: 'Start it with `tilsyn collector run`, or give another --state.',
      exit: 'conflict',
    });
  }
  const { name = null, url = null } = options;
  return { name, url, identity: null, caFile: null, adminTokenFile: null, dryRun: true };
}
