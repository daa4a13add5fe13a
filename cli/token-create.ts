/** `tilsyn token create`: the token alone on stdout, everything else on stderr. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client, duration, flag, required, text, usage, wholeNumber, zone } from './args.ts';
import { readRange } from './cidr.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { showIso } from './times.ts';

interface Made {
  id: string | null;
  token: string | null;
  expiresAt: string;
  agreement: string | null;
  mode: string;
  uses: number;
  agreementMade: boolean;
  dryRun: boolean;
}

export async function tokenCreate(input: Input): Promise<number> {
  checkOutput(input);
  const mode = text(input, 'mode');
  if (mode !== undefined && mode !== 'managed' && mode !== 'one-off') {
    throw usage(
      'reading --mode: it is neither managed nor one-off',
      'Give --mode managed or --mode one-off.',
    );
  }
  const cidr = cidrOf(input);
  const made = await client(input).post<Made>('/v1/tokens', {
    customer: required(input, 'customer', '--customer'),
    site: required(input, 'site', '--site'),
    agreement: text(input, 'agreement'),
    mode,
    ttlMs: duration(input, 'ttl', '--ttl'),
    uses: wholeNumber(input, 'uses', '--uses'),
    cidr,
    requireApproval: flag(input, 'requireApproval'),
    dryRun: flag(input, 'dryRun'),
  });
  const { id, token, expiresAt, agreement } = made;
  const about = { id, token, expiresAt, agreement, ...(made.dryRun ? { dryRun: true } : {}) };
  if (!printData(input, about)) tell(input, made);
  return EXIT.done;
}

/** One address is a range too; that it is only this one is said, for it shuts out all others. */
function cidrOf(input: Input): string | undefined {
  const typed = text(input, 'cidr');
  if (typed === undefined) return undefined;
  const { range, single } = readRange(typed, '--cidr');
  if (single) input.note(`--cidr ${typed} has no prefix: the token is good from this one address, ${range}`);
  return range;
}

function tell(input: Input, made: Made): void {
  const { io } = input;
  if (made.token !== null) io.out(`${made.token}\n`);
  const agreement = made.agreement ?? 'a new default agreement';
  if (made.agreementMade) io.err(`${made.dryRun ? 'would make' : 'made'} the customer's default agreement`);
  const until = showIso(made.expiresAt, zone(input));
  io.err(
    `${made.dryRun ? 'would be ' : ''}${made.mode}, under ${agreement}, good for ${made.uses} use(s) until ${until}`,
  );
  if (made.dryRun) return;
  io.err('Save it to a file and run on the machine:');
  io.err('  tilsyn agent enrol --state /var/lib/tilsyn-agent --token-file token.txt');
}
