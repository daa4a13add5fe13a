/** `tilsyn collector restore`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, flag, stateDir, text } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';

export async function collectorRestore(input: Input): Promise<number> {
  const file = argument(input);
  const options = {
    state: stateDir(input),
    file: file === '' ? undefined : file,
    keys: text(input, 'keys'),
    identityFile: text(input, 'identityFile'),
    withoutKeys: flag(input, 'withoutKeys'),
    keys2: text(input, 'keys2'),
    dryRun: flag(input, 'dryRun'),
  };
  checkOutput(input);
  const done = await (await import('../collector/main.ts')).restore(options);
  if (printData(input, { ...done })) return EXIT.done;
  printFields(input.io, [
    ['state', done.state],
    ['backup of', done.madeAt],
    ['generation', done.generation],
    ['keys', done.keys],
    ['second copy', done.keys2],
    ['hosts known', done.hosts.known],
    ['to approve', done.hosts.toApprove],
    ['stay revoked', done.hosts.revoked + done.people.revoked],
    ['tokens ended', done.tokensEnded],
    ['erased', done.erased],
    ['admin token', done.adminTokenFile],
  ]);
  for (const line of advice(done)) input.io.err(line);
  return EXIT.done;
}

interface Done {
  keys: string;
  keys2: string | null;
  identityKept: boolean;
  hosts: { toApprove: number };
  adminTokenFile: string | null;
  state: string;
}

function advice(done: Done): string[] {
  const { keys, keys2, identityKept, hosts, adminTokenFile, state } = done;
  return [
    ...(identityKept
      ? []
      : ['The identity is a new one: enrol every host again, on an empty state directory.']),
    ...(keys === 'lost' ? ['What was sealed before stays closed for ever.'] : []),
    ...(keys === 'escrow' ? ['What was erased since the backup can be opened again: erase it again.'] : []),
    ...(keys2 === null
      ? ['There is one copy of the keys: tilsyn collector keys2 --state DIR --path DIR']
      : []),
    ...(hosts.toApprove > 0
      ? ['Revocations since the backup are not known: look at each host, then tilsyn host approve HOST.']
      : []),
    ...(adminTokenFile === null ? [] : ['All sign-ins have ended; sign in with the admin token.']),
    `Start it: tilsyn collector run --state ${state}`,
  ];
}
