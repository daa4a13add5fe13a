/** `tilsyn agreement end A`, `tilsyn agreement cancel A`. */
import { toIso } from '../protocol/time.ts';
import { act } from './act.ts';
import { AGREEMENT_ROW } from './agreement-columns.ts';
import { untilEnded } from './agreement-wait.ts';
import { argument, flag, required, text, zone } from './args.ts';
import type { Input } from './io.ts';
import { type Column, field, type Item } from './print.ts';
import { readTime } from './times.ts';

const ENDING: readonly Column[] = [
  ...AGREEMENT_ROW,
  field('hosts to tell', 'hostsToTell'),
  field('key groups to erase', 'groupsToErase'),
  field('key groups kept', 'groupsKept'),
];

export async function agreementEnd(input: Input): Promise<number> {
  if (!flag(input, 'dryRun')) required(input, 'reason', '--reason');
  const now = flag(input, 'now');
  const effectiveAt = effective(input);
  const code = await act(input, {
    path: (agreement) => `/v1/agreements/${agreement}/${now ? 'end-now' : 'end'}`,
    columns: ENDING,
    more: effectiveAt === null ? {} : { effectiveAt },
    ask: (planned) => question(planned, now),
  });
  // With --now it is over here: the approval is waited for by nobody's command line.
  const late =
    flag(input, 'wait') && !flag(input, 'dryRun') ? await untilEnded(input, argument(input)) : null;
  if (late !== null) throw late;
  return code;
}

export function agreementCancel(input: Input): Promise<number> {
  return act(input, {
    path: (agreement) => `/v1/agreements/${agreement}/cancel`,
    columns: ENDING,
  });
}

function effective(input: Input): string | null {
  const typed = text(input, 'effective');
  if (typed === undefined) return null;
  const read = readTime(typed, '--effective', { now: input.io.clock.now(), zone: zone(input) });
  if (read.echo !== null) input.note(read.echo);
  return toIso(read.at);
}

function question(planned: Item, now: boolean): string {
  const { id, customer, endsAt, eraseAt, hostsToTell, groupsToErase } = planned;
  const what = `end agreement ${id} (${customer ?? planned.customerId}) from ${endsAt} on`;
  const then = `its data (${groupsToErase} key groups, ${hostsToTell} host(s)) is erased for ever from ${eraseAt} on`;
  return now
    ? `ask a second person to ${what}, without a cooling-off; ${then}`
    : `${what}; ${then}; until then it can be cancelled`;
}
