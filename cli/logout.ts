/** `tilsyn logout`. The token itself stays good until it is revoked or ends. */
import { EXIT } from '../protocol/errors.ts';
import { flag, format } from './args.ts';
import type { Input } from './io.ts';
import { dropLogin, loginFile } from './settings.ts';
import { jsonText } from './text.ts';

export async function logout(input: Input): Promise<number> {
  const { io } = input;
  const kind = format(input, 'table', 'json');
  const file = loginFile(io);
  const had = flag(input, 'dryRun') ? null : dropLogin(io);
  if (kind === 'json') io.out(jsonText({ file, removed: had }));
  else
    io.out(
      had === false ? 'nobody was signed in\n' : `${had === null ? 'would forget' : 'forgot'} ${file}\n`,
    );
  if (had === true) io.err('The token itself is good until it ends or `tilsyn person revoke`.');
  return EXIT.done;
}
