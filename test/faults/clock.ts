/** The agent's wall clock, stepped from outside by libfaketime; its monotonic clock is left alone. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/local/lib/faketime/libfaketime.so.1',
];

export function fakeTimeLibrary(): string | null {
  return LIBRARIES.find((path) => existsSync(path)) ?? null;
}

export class FakeClock {
  readonly #path: string;
  offsetSeconds = 0;

  constructor(path: string) {
    this.#path = path;
    this.set(0);
  }

  /** Environment of a process that lives by this clock. */
  environment(): Record<string, string> {
    const library = fakeTimeLibrary();
    if (library === null) throw new Error('libfaketime is not installed (apt-get install libfaketime)');
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  set(offsetSeconds: number): void {
    this.offsetSeconds = offsetSeconds;
    // By rename: the library reads the file on every call and must never see half of it.
    writeFileSync(`${this.#path}.next`, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`);
    renameSync(`${this.#path}.next`, this.#path);
  }

  /** What libfaketime leaves behind in shared memory when its process is killed. */
  static sweep(pid: number): void {
    for (const name of [`sem.faketime_sem_${pid}`, `faketime_shm_${pid}`]) {
      rmSync(`/dev/shm/${name}`, { force: true });
    }
  }
}
