/** `tilsyn collector backup`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, duration, flag, stateDir, text, usage } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';

export async function collectorBackup(input: Input): Promise<number> {
  const options = {
    file: argument(input),
    state: stateDir(input),
    keysTo: text(input, 'keysTo'),
    keysKeptForMs: duration(input, 'keysKeptFor', '--keys-kept-for'),
    dryRun: flag(input, 'dryRun'),
  };
  if (options.keysKeptForMs !== undefined && options.keysTo === undefined) {
    throw usage(
      'reading the options: --keys-kept-for says how long the escrow is kept, and none is made',
      'Give --keys-to too.',
    );
  }
  checkOutput(input);
  const { backup } = await import('../collector/main.ts');
  const made = await backup(options);
  if (printData(input, { ...made })) return EXIT.done;
  printFields(input.io, [
    ['backup', made.backup],
    ['file', made.file],
    ['escrow of the keys', made.keysFile],
    ['through event', made.pos],
    ['digest', made.digest],
  ]);
  if (made.keysFile === null) {
    input.io.err(
      'No keys are in it: keys.slots, its second copy and the key files have to survive by themselves.',
    );
  }
  return EXIT.done;
}
