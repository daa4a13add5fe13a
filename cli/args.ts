/** Options as they were typed, read into what a command needs. Every refusal names the option. */
import { TilsynError } from '../protocol/errors.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { type Client, makeClient, REQUEST_TIMEOUT_MS } from './client.ts';
import type { Input } from './io.ts';
import { remoteOf } from './settings.ts';
import { readDuration, readTime, showTime } from './times.ts';

export function usage(message: string, hint: string): TilsynError {
  return new TilsynError('cli.usage', message, { hint, exit: 'usage' });
}

export function text({ options }: Input, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function required(input: Input, name: string, flag: string): string {
  const value = text(input, name);
  if (value !== undefined) return value;
  throw usage(`reading the options: ${flag} is missing`, `Give ${flag}; see --help for an example.`);
}

export function list({ options }: Input, name: string): string[] | undefined {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : undefined;
}

export function flag({ options }: Input, name: string): boolean {
  return options[name] === true;
}

/** Commander has checked that it is there. */
export function argument({ args }: Input, index = 0): string {
  return args[index] ?? '';
}

export function wholeNumber(input: Input, name: string, option: string): number | undefined {
  const value = text(input, name);
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value) && Number(value) >= 1) return Number(value);
  throw usage(
    `reading ${option}: ${JSON.stringify(value)} is not a whole number above 0`,
    `Give ${option} 100.`,
  );
}

export function duration(input: Input, name: string, option: string): number | undefined {
  const value = text(input, name);
  return value === undefined ? undefined : readDuration(value, option);
}

export type Format = 'table' | 'json' | 'csv' | 'jsonl';

/** The output format, one of those that the command has. */
export function format(input: Input, ...allowed: readonly Format[]): Format {
  const value = text(input, 'output') ?? 'table';
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw usage(
    `reading -o: ${JSON.stringify(value)} is no output of this command`,
    `Use -o ${allowed.join(', -o ')}.`,
  );
}

export function zone(input: Input): string {
  const named = text(input, 'tz') ?? input.io.zone;
  showTime(input.io.clock.now(), named); // refuses an unknown one before anything is asked
  return named;
}

/** Refuses an output or a zone that there is not, before anything is asked or done. */
export function checkOutput(input: Input): void {
  format(input, 'table', 'json', 'csv');
  zone(input);
}

/** `--since` and `--until` as the API takes them; how a local time was understood is told on stderr. */
export function range(input: Input): { since?: string; until?: string } {
  const since = oneTime(input, 'since');
  const until = oneTime(input, 'until');
  if (since !== undefined && until !== undefined && since >= until) {
    throw usage('reading --since and --until: the range is empty', 'Give a --since before --until.');
  }
  return {
    ...(since === undefined ? {} : { since: toIso(since) }),
    ...(until === undefined ? {} : { until: toIso(until) }),
  };
}

export function oneTime(input: Input, name: string): UtcMs | undefined {
  const value = text(input, name);
  if (value === undefined) return undefined;
  const read = readTime(value, `--${name}`, { now: input.io.clock.now(), zone: zone(input) });
  if (read.echo !== null) input.note(read.echo);
  return read.at;
}

/** A client for the collector that the environment or `tilsyn login` names. */
export function client(input: Input): Client {
  const timeoutMs = duration(input, 'timeout', '--timeout') ?? REQUEST_TIMEOUT_MS;
  return makeClient(remoteOf(input.io), input.io, timeoutMs);
}

/** `--state DIR` or TILSYN_STATE. */
export function stateDir(input: Input): string {
  const dir = text(input, 'state') ?? input.io.env.TILSYN_STATE;
  if (dir) return dir;
  throw usage('reading the options: no state directory is named', 'Give --state DIR, or set TILSYN_STATE.');
}
