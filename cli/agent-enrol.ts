/** `tilsyn agent enrol`. The token comes by file or standard input, never as an argument. */
import { readToken } from '../protocol/enrolment.ts';
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, flag, stateDir, text, usage } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';
import { secretFrom } from './settings.ts';

export async function agentEnrol(input: Input): Promise<number> {
  const { io } = input;
  const state = stateDir(input);
  checkOutput(input);
  const token = await secretFrom(tokenPlace(input), io, 'enrolment');
  const named = readToken(token);
  if (flag(input, 'dryRun')) {
    const { url, agreement, site } = named;
    const plan = {
      agent: null,
      collector: url,
      agreement,
      site,
      mode: null,
      state: null,
      already: null,
      dryRun: true,
    };
    if (!printData(input, plan)) io.out(`would enrol ${state} at ${url}\n`);
    return EXIT.done;
  }
  const { enrol } = await import('../agent/main.ts');
  const proxy = text(input, 'proxy');
  const done = await enrol({ state, token, ...(proxy === undefined ? {} : { proxy }) });
  const { agent, agreement, site, mode, url, collectorName } = done.identity;
  const about = { agent, collector: url, agreement, site, mode, state: done.state, already: done.already };
  if (!printData(input, about)) {
    io.out(done.already ? 'already enrolled\n' : 'enrolled\n');
    printFields(io, [
      ['agent', agent],
      ['collector', `${collectorName} ${url}`],
      ['mode', mode],
    ]);
  }
  if (done.state === 'waiting') io.err('It waits for approval: `tilsyn host approve` at the collector.');
  if (!done.already) io.err(`Start it: tilsyn agent run --state ${state}`);
  return EXIT.done;
}

function tokenPlace(input: Input): string {
  const [file, given] = [text(input, 'tokenFile'), text(input, 'token')];
  if (given !== undefined && given !== '-') {
    throw usage(
      'reading --token: a token on a command line is seen by everybody on this machine',
      'Use --token-file F, or --token - and standard input.',
    );
  }
  if (file !== undefined && given !== undefined)
    throw usage('reading the token: it was given twice', 'Give one of --token-file and --token -.');
  if (file !== undefined) return file;
  if (given !== undefined) return '-';
  throw usage('reading the token: there is none', 'Give --token-file F, or --token - and standard input.');
}
