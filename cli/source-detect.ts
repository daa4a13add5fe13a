/** `tilsyn source detect`: what there is to read on this machine, and where was looked. */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { format } from './args.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { jsonText, tableText } from './text.ts';

const FIELDS = ['tool', 'folder', 'connectionsIncoming', 'connections', 'logfile'];

export async function sourceDetect(input: Input): Promise<number> {
  const { io } = input;
  const kind = format(input, 'table', 'json', 'csv');
  const { detectSources } = await import('../agent/main.ts');
  const { found, lookedAt } = await detectSources();
  const refused = lookedAt.filter((one) => one.result === 'refused');
  const headings = ['tool', 'incoming', 'outgoing', 'log'];
  const rows = found.map((one) => [one.tool, one.connectionsIncoming, one.connections, one.logfile]);
  if (kind === 'json') {
    const coverage = { from: null, to: toIso(io.clock.now()), hosts: [] };
    io.out(jsonText({ schema: 1, items: found, lookedAt, coverage, next: null }));
  } else if (kind === 'csv') io.out(csvOf(found, FIELDS));
  else {
    io.out(rows.length === 0 ? 'no source found\n' : tableText(headings, rows));
    io.out(`looked into ${lookedAt.length} folders; ${refused.length} could not be looked into\n`);
  }
  for (const { folder } of refused) io.err(`refused: ${folder}; run this as root to look into it`);
  // Where a folder could not be looked into, "nothing" would be a guess.
  return refused.length > 0 ? EXIT.findings : EXIT.done;
}
