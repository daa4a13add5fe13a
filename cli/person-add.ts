/** `tilsyn person add`: the sign-in token alone on stdout, everything else on stderr. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client, duration, flag, list, required, text, usage, zone } from './args.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { readTextFile } from './settings.ts';
import { showIso } from './times.ts';

interface Added {
  id: string | null;
  role: string;
  customers: string[] | null;
  token: string | null;
  expiresAt: string;
  dryRun: boolean;
}

export async function personAdd(input: Input): Promise<number> {
  checkOutput(input);
  const added = await client(input).post<Added>('/v1/people', {
    role: required(input, 'role', '--role'),
    customers: list(input, 'customer'),
    name: await nameOf(input),
    nda: text(input, 'nda'),
    reading: input.options.reading === false ? false : undefined,
    ttlMs: duration(input, 'ttl', '--ttl'),
    dryRun: flag(input, 'dryRun'),
  });
  const { id, role, customers, token, expiresAt, dryRun } = added;
  const { io } = input;
  const about = { id, role, customers, token, expiresAt, ...(dryRun ? { dryRun: true } : {}) };
  if (printData(input, about)) return EXIT.done;
  if (token !== null) io.out(`${token}\n`);
  const reach = customers === null ? 'all customers' : `${customers.length} customer(s)`;
  const until = showIso(expiresAt, zone(input));
  io.err(`${dryRun ? 'would add' : `added ${id}`}: ${role}, ${reach}, signs in until ${until}`);
  if (!dryRun)
    io.err('The token is shown this once. They run: tilsyn login --server URL --token-file F --ca F');
  return EXIT.done;
}

/** Better by file: arguments are seen by everybody on the machine. */
async function nameOf(input: Input): Promise<string | undefined> {
  const [name, file] = [text(input, 'name'), text(input, 'nameFile')];
  if (name !== undefined && file !== undefined) {
    throw usage('reading the name: it was given twice', 'Give one of --name and --name-file.');
  }
  if (file === undefined) return name;
  return (file === '-' ? await input.io.stdin() : readTextFile(file, 'the name')).trim();
}
