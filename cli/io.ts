/** What a command may touch of its surroundings, so that tests run the whole CLI in their own process. */
import { createInterface } from 'node:readline/promises';
import { type Clock, systemClock } from '../protocol/time.ts';

export interface Io {
  /** Standard output: the answer and nothing else. */
  out(text: string): void;
  /** One line to standard error. */
  err(line: string): void;
  /** All of standard input. */
  stdin(): Promise<string>;
  /** Asks a person at a terminal. */
  ask(question: string): Promise<string>;
  /** True where a person sits at both ends; nothing is ever asked otherwise. */
  interactive: boolean;
  env: Readonly<Record<string, string | undefined>>;
  /** The terminal's time zone. */
  zone: string;
  platform: string;
  /** Of the terminal; undefined where there is none. */
  columns?: number | undefined;
  clock: Clock;
  /** Aborts on SIGINT. */
  signal: AbortSignal;
}

/** A command: parse, call, print. Returns the exit code; throws TilsynError. */
export interface Input {
  args: readonly string[];
  options: Readonly<Record<string, unknown>>;
  io: Io;
  /**
   * A line on standard error beside the answer: how something was understood. With `-o json` it waits for the
   * answer, and an error comes without it: then standard error is one document.
   */
  note(line: string): void;
}
export type Command = (input: Input) => Promise<number>;

/** The surroundings of this process. */
export function processIo(): Io {
  const interrupted = new AbortController();
  // Once: a second SIGINT ends a command that does not listen.
  process.once('SIGINT', () => interrupted.abort());
  // A reader that goes away (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (line) => void process.stderr.write(`${line}\n`),
    stdin: readStdin,
    ask: askPerson,
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    env: process.env,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    platform: process.platform,
    columns: process.stdout.columns,
    clock: systemClock,
    signal: interrupted.signal,
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function askPerson(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
