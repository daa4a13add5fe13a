/** Runs the command line in this process, against a real https collector where one is given. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../../cli/io.ts';
import { main } from '../../cli/program.ts';
import { type Clock, fromIso, systemClock, type UtcMs } from '../../protocol/time.ts';
import type { ApiWorld, Loose } from '../collector/api-world.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
  /** `out` as JSON; throws where it is not exactly one document. */
  json(): Loose;
}

export interface RunOptions {
  stdin?: string;
  /** What a person at a terminal answers; absent: no terminal. */
  answer?: string;
  env?: Record<string, string>;
  zone?: string;
  clock?: Clock;
  signal?: AbortSignal;
  onOut?: (text: string) => void;
}

export class CliWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'tilsyn-cli-'));
  readonly env: Record<string, string> = { XDG_CONFIG_HOME: join(this.dir, 'config'), HOME: this.dir };

  /** Points the environment at this collector, as this person. */
  use(world: ApiWorld, token: string): void {
    this.env.TILSYN_SERVER = world.url;
    this.env.TILSYN_TOKEN_FILE = this.file('token', `${token}\n`);
    this.env.TILSYN_CA = this.file('ca.pem', world.ca);
  }

  file(name: string, text: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, text);
    return path;
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const [out, err]: [string[], string[]] = [[], []];
    const io: Io = {
      out(text) {
        out.push(text);
        options.onOut?.(text);
      },
      err: (line) => void err.push(`${line}\n`),
      stdin: async () => options.stdin ?? '',
      ask: async (question) => {
        err.push(question);
        return options.answer ?? '';
      },
      interactive: options.answer !== undefined,
      env: { ...this.env, ...options.env },
      zone: options.zone ?? 'UTC',
      platform: 'linux',
      clock: options.clock ?? systemClock,
      signal: options.signal ?? new AbortController().signal,
    };
    const code = await main(argv, io);
    const text = out.join('');
    return { code, out: text, err: err.join(''), json: () => JSON.parse(text) };
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A clock that stands still. */
export function stoppedAt(iso: string): Clock {
  return { ...systemClock, now: () => fromIso(iso) as UtcMs };
}
