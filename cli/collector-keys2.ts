/** `tilsyn collector keys2`. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, flag, required, stateDir } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';

export async function collectorKeys2(input: Input): Promise<number> {
  const options = {
    state: stateDir(input),
    path: required(input, 'path', '--path'),
    oldDestroyed: flag(input, 'oldDestroyed'),
    dryRun: flag(input, 'dryRun'),
  };
  checkOutput(input);
  const done = await (await import('../collector/main.ts')).keys2(options);
  if (printData(input, { ...done })) return EXIT.done;
  printFields(input.io, [
    ['second copy', done.keys2],
    ['the one before', done.before],
    ['may hold keys until', done.before === 'lost' ? 'nobody can say' : done.oldUntil],
  ]);
  return EXIT.done;
}
