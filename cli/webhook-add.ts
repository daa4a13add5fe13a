/** `tilsyn webhook add`: a secret that was made alone on stdout, everything else on stderr. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client, flag, required, text, usage } from './args.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { readTextFile } from './settings.ts';

interface Added {
  id: string | null;
  url: string;
  customer: string | null;
  secret: string | null;
  dryRun: boolean;
}

export async function webhookAdd(input: Input): Promise<number> {
  checkOutput(input);
  const ca = text(input, 'ca');
  const url = required(input, 'url', '--url');
  const secret = await secretOf(input);
  const added = await client(input).post<Added>('/v1/webhooks', {
    url,
    secret,
    customer: text(input, 'customer'),
    ca: ca === undefined ? undefined : readTextFile(ca, 'the CA file'),
    dryRun: flag(input, 'dryRun'),
  });
  const { id, customer, dryRun } = added;
  const about = { id, url: added.url, customer, secret: added.secret, ...(dryRun ? { dryRun: true } : {}) };
  if (printData(input, about)) return EXIT.done;
  const { io } = input;
  if (added.secret !== null) io.out(`${added.secret}\n`);
  const whose = customer === null ? 'all customers' : 'one customer';
  io.err(`${dryRun ? 'would add' : `added ${id}`}: ${added.url}, alerts of ${whose} from now on`);
  if (!dryRun) io.err(`Try it: tilsyn webhook test ${id}`);
  return EXIT.done;
}

/** Null: the collector makes one. */
async function secretOf(input: Input): Promise<string | null> {
  const [file, make] = [text(input, 'secretFile'), flag(input, 'makeSecret')];
  if ((file === undefined) !== make) {
    throw usage(
      'reading the secret: give either --secret-file or --make-secret',
      'With --make-secret the collector makes one and shows it once.',
    );
  }
  if (file === undefined) return null;
  return (file === '-' ? await input.io.stdin() : readTextFile(file, 'the secret')).trim();
}
