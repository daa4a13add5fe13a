/**
 * The real programs that the suite plays with. Nothing is skipped in silence: what is missing is named with the Debian
 * package that brings it, and where everything has to be there (`CI`) that is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const STOP_MS = 5_000;

/** Where this program lies; null where it is not installed. */
export function pathOf(name: string): string | null {
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** What a scene needs: programs, each with its package, and whether it has to be root. */
export interface Needs {
  programs: Readonly<Record<string, string>>;
  root: boolean;
}

/** What is missing of it, in words; empty where nothing is. */
export function missing({ programs, root }: Needs): string[] {
  const gone = Object.entries(programs).filter(([name]) => pathOf(name) === null);
  const texts = gone.map(([name, from]) => `${name} is not installed (apt-get install ${from})`);
  return root && process.getuid?.() !== 0 ? [...texts, 'it has to be run as root'] : texts;
}

const running = new Set<Program>();

/** For the way out: everything that was started and still lives. */
export async function endPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.end('SIGKILL')));
}

/** A program of somebody else; ended by its own id. */
export class Program {
  readonly name: string;
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  alive = true;
  readonly #log: string;

  /** @param log file that its output is added to */
  constructor(name: string, args: readonly string[], env: Record<string, string>, log: string) {
    const path = pathOf(name);
    if (path === null) throw new Error(`${name} is not installed`);
    const output = openSync(log, 'a');
    this.name = name;
    this.#log = log;
    this.child = spawn(path, args, { env, stdio: ['ignore', output, output] });
    closeSync(output);
    running.add(this);
    this.exited = once(this.child, 'exit').then(([code]) => {
      this.alive = false;
      running.delete(this);
      return code as number | null;
    });
  }

  get output(): string {
    return readFileSync(this.#log, 'utf8');
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.alive) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }

  /** Waits until it is ready. Throws with what it said where it ends before, or takes too long. */
  async ready(is: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (!(await is())) {
      if (!this.alive) throw new Error(`${this.name} ended by itself:\n${this.output}`);
      if (performance.now() > end)
        throw new Error(`${this.name} is not ready in ${seconds} s:\n${this.output}`);
      await sleep(50);
    }
  }
}

/** Runs a program to its end. @throws Error with what it said where it fails */
export async function command(name: string, ...args: string[]): Promise<void> {
  const child = spawn(pathOf(name) ?? name, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0)
    throw new Error(`${name} ${args[0] ?? ''}: exit ${code}: ${Buffer.concat(said).toString()}`);
}

export const DEV_LOG = '/dev/log';

/**
 * Makes sure that what programs log to the system comes to us and to nobody else.
 * @throws Error where somebody listens there already
 */
export function claimDevLog(): void {
  if (!existsSync(DEV_LOG)) return;
  // Left behind by a process that was killed: no socket of this name is bound any more.
  const bound = readFileSync('/proc/net/unix', 'utf8').split('\n');
  if (bound.some((line) => line.endsWith(` ${DEV_LOG}`)) || !isOwnSocket()) {
    throw new Error(
      `${DEV_LOG} is there already and somebody else's: stop the system logger, or run this elsewhere`,
    );
  }
  rmSync(DEV_LOG);
}

/** A link to systemd's journal, say, is none of ours. */
function isOwnSocket(): boolean {
  return !existsSync('/run/systemd/journal/dev-log');
}
