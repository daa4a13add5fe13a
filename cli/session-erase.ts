/** `tilsyn session erase ID…`. */
import { EXIT } from '../protocol/errors.ts';
import { alone } from './approval-act.ts';
import { checkOutput, client, flag, required, text } from './args.ts';
import { confirm, requireConsent } from './confirm.ts';
import type { Input } from './io.ts';
import { field, type Item, printItem } from './print.ts';

const PATH = '/v1/sessions/erase';
const COLUMNS = [field('sessions', 'sessions'), field('hosts', 'hosts'), field('sealed parts', 'parts')];

export async function sessionErase(input: Input): Promise<number> {
  checkOutput(input);
  const dryRun = flag(input, 'dryRun');
  if (!dryRun) {
    required(input, 'reason', '--reason');
    requireConsent(input);
  }
  const collector = client(input);
  const body = { sessions: input.args, reason: text(input, 'reason') ?? null };
  if (dryRun || !flag(input, 'yes')) {
    const planned = await collector.post<Item>(PATH, { ...body, dryRun: true });
    if (dryRun) {
      printItem(input, planned, COLUMNS);
      return EXIT.done;
    }
    await confirm(input, question(planned));
  }
  const asked = await collector.post<Item>(PATH, { ...body, alone: alone(input), dryRun: false });
  printItem(input, asked, COLUMNS);
  return EXIT.done;
}

function question({ sessions, hosts, parts }: Item): string {
  const count = Array.isArray(sessions) ? sessions.length : 0;
  return `ask a second person to erase for ever what is sealed of ${count} session(s) on ${hosts} host(s): ${parts} part(s)`;
}
