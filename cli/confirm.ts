/** Commands that take something away: they show what, and ask a person; elsewhere they want --yes and --reason. */
import { TilsynError } from '../protocol/errors.ts';
import { flag, text, usage } from './args.ts';
import type { Input } from './io.ts';
import { clean } from './text.ts';

/** Refuses early, before anything is asked of the collector. */
export function requireConsent(input: Input): void {
  if (flag(input, 'dryRun') || input.io.interactive) return;
  if (flag(input, 'yes') && text(input, 'reason') !== undefined) return;
  throw usage(
    'confirming: nobody can be asked here, and --yes and --reason were not both given',
    'Add --yes --reason TEXT, or see what would happen with --dry-run.',
  );
}

/** Asks at a terminal, unless --yes was given. @throws TilsynError `cli.declined` */
export async function confirm(input: Input, what: string): Promise<void> {
  if (flag(input, 'yes')) return;
  const answer = await input.io.ask(`${clean(what)} — go on? [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new TilsynError('cli.declined', 'not confirmed: nothing was changed', {
    hint: 'Answer y, or give --yes.',
    exit: 'usage',
  });
}
