/**
 * One process of the product under test: started, killed by its own id, and told apart whether it died because
 * we killed it or by itself.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ChildSpec {
  /** Entry point under `test/support/`. */
  entry: URL;
  /** Passed as JSON in argv. */
  config: object;
  /** stdout and stderr are appended here. */
  logFile: string;
  env?: Record<string, string>;
}

export interface Death {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const live = new Set<Child>();

export class Child {
  readonly spec: ChildSpec;
  readonly #process: ChildProcess;
  readonly ready: Promise<boolean>;
  readonly died: Promise<Death>;
  death: Death | null = null;
  /** We asked it to go. */
  stopping = false;

  constructor(spec: ChildSpec) {
    this.spec = spec;
    const log = openSync(spec.logFile, 'a');
    this.#process = spawn(process.execPath, [fileURLToPath(spec.entry), JSON.stringify(spec.config)], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...spec.env },
    });
    closeSync(log);
    live.add(this);
    this.died = once(this.#process, 'exit').then(([code, signal]) => {
      live.delete(this);
      this.death = { code, signal };
      return this.death;
    });
    const said = new Promise<boolean>((resolve) => this.#process.once('message', () => resolve(true)));
    this.ready = Promise.race([said, this.died.then(() => false)]);
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** True once it has said that it is ready; false where it died first or took longer. */
  async readyWithin(ms: number): Promise<boolean> {
    const patience = new AbortController();
    const late = sleep(ms, false, { signal: patience.signal }).catch(() => false);
    const ready = await Promise.race([this.ready, late]);
    patience.abort();
    return ready;
  }

  get alive(): boolean {
    return this.death === null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.alive && this.pid > 0) process.kill(this.pid, name);
  }

  async kill(): Promise<Death> {
    this.signal('SIGKILL');
    return await this.died;
  }

  /** An orderly stop; killed where that takes too long. */
  async stop(ms = 15_000): Promise<Death> {
    this.stopping = true;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), ms);
    const death = await this.died;
    clearTimeout(timer);
    return death;
  }

  /** True while a SIGSTOP holds it. */
  get stopped(): boolean {
    return processState(this.pid) === 'T';
  }
}

/** The letter in `/proc/<pid>/stat`; null where there is no such process. */
function processState(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return null;
  }
}

/** For the way out: every child that this process started and that still lives. */
export async function killAll(): Promise<void> {
  await Promise.all([...live].map((child) => child.kill()));
}
