/** Tails: lines as they come, again from the cursor after a broken connection. */
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { SECOND_MS } from '../protocol/time.ts';
import { client, format, text } from './args.ts';
import { interruption, type Query, readTailLine } from './client.ts';
import type { Input, Io } from './io.ts';
import type { Item } from './print.ts';
import { clean, jsonText } from './text.ts';

/** The collector sends a line every 15 s; three missed ones are a broken connection. */
const IDLE_MS = 45 * SECOND_MS;
const FIRST_WAIT_MS = SECOND_MS;
const LONGEST_WAIT_MS = 30 * SECOND_MS;

/** Runs until it is interrupted, or the collector refuses. `line` makes a line for people. */
export async function follow(
  input: Input,
  path: string,
  query: Query,
  line: (item: Item) => string | Promise<string>,
): Promise<number> {
  const { io } = input;
  const json = format(input, 'table', 'jsonl', 'json') !== 'table';
  const collector = client(input);
  let after = text(input, 'after');
  let [connected, waitMs] = [false, FIRST_WAIT_MS];
  for (;;) {
    try {
      for await (const one of collector.lines(path, { ...query, after }, IDLE_MS)) {
        if (one === '') continue;
        const read = readTailLine(one);
        [after, connected, waitMs] = [String(read.after), true, FIRST_WAIT_MS];
        if (read.item !== null) io.out(json ? jsonText(read.item, 0) : `${clean(await line(read.item))}\n`);
      }
    } catch (error) {
      if (!connected || !isBroken(error)) throw error;
    }
    if (io.signal.aborted) return EXIT.interrupted;
    io.err(`the connection ended; trying again in ${waitMs / SECOND_MS} s from ${after}`);
    await pause(io, waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof TilsynError && error.exit === 'unreachable';
}

/** Rejects where it is interrupted. */
export function pause(io: Io, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(interruption());
    };
    const cancel = io.clock.after(ms, () => {
      io.signal.removeEventListener('abort', stop);
      resolve();
    });
    io.signal.addEventListener('abort', stop, { once: true });
    if (io.signal.aborted) stop();
  });
}
