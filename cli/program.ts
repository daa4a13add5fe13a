/**
 * The command line as a whole: the table becomes commander's commands; errors become messages and exit codes.
 *
 * H3  With `-o json` an error is one JSON document on standard error: what is said beside an answer waits for it.
 */
import { Command, CommanderError } from 'commander';
import { codeOf, EXIT, TilsynError } from '../protocol/errors.ts';
import type { Input, Io } from './io.ts';
import { type Entry, TABLE } from './table.ts';
import { version } from './version.ts';

/** Runs one command line; returns the exit code. Never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.done;
  const held: string[] = [];
  const note = wantsJson(argv) ? (line: string) => void held.push(line) : io.err;
  try {
    const program = build(io, note, (result) => {
      code = result;
    });
    await program.parseAsync([...argv], { from: 'user' });
    for (const line of held) io.err(line);
    return code;
  } catch (error) {
    return report(error, argv, io);
  }
}

const GROUPS: Readonly<Record<string, string>> = {
  collector: 'The central store',
  token: 'Enrolment tokens for agents',
  agent: 'The agent on a managed machine',
  source: 'What an agent reads',
  person: 'People who may sign in',
  'person id': 'What tools know a person by',
  ticket: 'Tickets that say why somebody was there',
  approval: 'What needs a second person',
  host: 'Enrolled machines',
  telemetry: 'What machines measured of themselves',
  agreement: 'Contracts that managed data hangs on',
  retention: 'What is kept, for how long, and what falls due',
  session: 'Remote sessions that the machines had',
  event: 'The log itself',
  alert: 'What is wrong with the machines',
  webhook: 'Who is told of alerts',
};

type Note = Input['note'];
type Done = (code: number) => void;

function build(io: Io, note: Note, done: Done): Command {
  const program = new Command('tilsyn')
    .description('Who was on the machine, what was erased, and proof of both.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: () => {},
    })
    .configureHelp({ showGlobalOptions: true })
    .option('-o, --output <format>', 'table, json or csv; tails: table or jsonl')
    .option('--tz <zone>', 'time zone of tables and of times without an offset (default: the terminal’s)')
    .option('--timeout <duration>', 'give up on a collector after this long (default: 60s)')
    .addHelpText('after', '\nExample:\n  tilsyn session list --since 24h -o json');
  program.version(version(), '-V, --version');
  const groups = new Map<string, Command>();
  for (const entry of TABLE) {
    const words = entry.path.split(' ');
    const name = words.pop() ?? '';
    add(groupOf(program, groups, words, entry.example), name, entry, { io, note, done });
  }
  return program;
}

/** The group of these words, and those around it; `person id` lies in `person`. */
function groupOf(
  program: Command,
  groups: Map<string, Command>,
  words: readonly string[],
  example: string,
): Command {
  const name = words.at(-1);
  if (name === undefined) return program;
  const path = words.join(' ');
  const known = groups.get(path);
  if (known !== undefined) return known;
  const made = addGroup(groupOf(program, groups, words.slice(0, -1), example), path, name, example);
  groups.set(path, made);
  return made;
}

function addGroup(parent: Command, path: string, name: string, example: string): Command {
  return parent
    .command(name)
    .description(GROUPS[path] ?? '')
    .addHelpText('after', `\nExample:\n  ${example}`);
}

interface Around {
  io: Io;
  note: Note;
  done: Done;
}

function add(parent: Command, name: string, entry: Entry, { io, note, done }: Around): void {
  const command = parent.command([name, ...(entry.args ?? [])].join(' ')).description(entry.about);
  if (entry.alias !== undefined) command.alias(entry.alias);
  for (const [flags, about] of entry.options ?? []) command.option(flags, about);
  command.addHelpText('after', `\nExample:\n  ${entry.example}`);
  command.action(async () => {
    const input: Input = { args: command.args, options: command.optsWithGlobals(), io, note };
    done(await (await entry.load())(input));
  });
}

function report(thrown: unknown, argv: readonly string[], io: Io): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.done; // --help, --version
  const error = asTilsynError(thrown, argv);
  if (error.exit === 'interrupted' || io.signal.aborted) return EXIT.interrupted;
  if (wantsJson(argv)) io.err(JSON.stringify(error));
  else {
    io.err(`error: ${error.message}`);
    if (error.hint !== null) io.err(`hint: ${error.hint}`);
  }
  return EXIT[error.exit];
}

function asTilsynError(thrown: unknown, argv: readonly string[]): TilsynError {
  if (thrown instanceof TilsynError) return thrown;
  if (thrown instanceof CommanderError) return usageError(thrown, argv);
  return new TilsynError('cli.failed', `running the command: it failed (${codeOf(thrown)})`, {
    hint: 'If it happens again, report it with the output of `tilsyn version`.',
    cause: thrown,
  });
}

/** Commander's own words, with its suggestion of the nearest command or option as the hint. */
function usageError(thrown: CommanderError, argv: readonly string[]): TilsynError {
  if (thrown.code === 'commander.help') {
    return new TilsynError('cli.usage', 'reading the command: it is not complete', {
      hint: 'Add --help to see what can follow.',
      exit: 'usage',
    });
  }
  const [first = '', ...rest] = thrown.message.replace(/^error: /, '').split('\n');
  const unknown = /^unknown command '(.+)'$/.exec(first)?.[1];
  if (unknown !== undefined && isReserved(unknown, argv)) {
    return new TilsynError(
      'cli.not-built',
      `reading the command: this version does not have ${unknown} yet`,
      {
        hint: 'Add --help to see what it has; CHANGELOG.md says what came when.',
        exit: 'usage',
      },
    );
  }
  const near = /Did you mean (?:one of )?(.+?)\?/.exec(rest.join(' '))?.[1];
  return new TilsynError('cli.usage', `reading the command: ${first}`, {
    hint: near === undefined ? 'Add --help to see what there is.' : `Did you mean ${near}?`,
    exit: 'usage',
  });
}

/** Commands of the contract (`docs/design/cli.md`) that a later version brings. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  '': 'access ledger'.split(' '),
  agent: ['unenrol', 'unenroll'],
};

function isReserved(word: string, argv: readonly string[]): boolean {
  const before = argv[argv.indexOf(word) - 1] ?? '';
  const group = Object.hasOwn(GROUPS, before) ? before : '';
  return RESERVED[group]?.includes(word) ?? false;
}

/** Also where the command line could not be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some((arg, i) => {
    if (/^(-o|--output=)json/.test(arg)) return true;
    return (arg === '-o' || arg === '--output') && /^jsonl?$/.test(argv[i + 1] ?? '');
  });
}
