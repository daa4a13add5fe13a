/**
 * The longest time in which a process answered nothing: how late a timer of a millisecond came, and how much of such a time was
 * the process's own (its threads' processor time). On a machine that others use too, only the second says what it causes.
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

export interface Longest {
  longestMs: number;
  ownMs: number;
}

export class Beat {
  #longestMs = 0;
  #ownMs = 0;
  #last = performance.now();
  #used = process.cpuUsage();
  readonly #timer = setInterval(() => this.#tick(), 1);

  #tick(): void {
    const [now, used] = [performance.now(), process.cpuUsage()];
    const own = used.user + used.system - this.#used.user - this.#used.system;
    this.#longestMs = Math.max(this.#longestMs, now - this.#last);
    this.#ownMs = Math.max(this.#ownMs, own / 1000);
    [this.#last, this.#used] = [now, used];
  }

  stop(): Longest {
    clearInterval(this.#timer);
    return { longestMs: this.#longestMs, ownMs: this.#ownMs };
  }
}

/** Whatever the system holds of its disks in memory is let go. @throws Error where this account may not */
export function dropCaches(): void {
  execFileSync('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}
