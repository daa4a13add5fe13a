/** `tilsyn logout`. The token itself stays good until it is revoked or ends. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, flag } from './args.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { dropLogin, loginFile } from './settings.ts';

export async function logout(input: Input): Promise<number> {
  const { io } = input;
  checkOutput(input);
  const file = loginFile(io);
  const had = flag(input, 'dryRun') ? null : dropLogin(io);
  if (!printData(input, { file, removed: had }))
    io.out(
      had === false ? 'nobody was signed in\n' : `${had === null ? 'would forget' : 'forgot'} ${file}\n`,
    );
  if (had === true) io.err('The token itself is good until it ends or `tilsyn person revoke`.');
  return EXIT.done;
}
