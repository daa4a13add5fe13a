/**
 * Trusted time: what erasing footage goes by. The wall clock of a recorder's host is set by anybody who gets to it, and
 * erasing goes by no clock that anybody can set alone.
 *
 * C1  Trusted time is the collector's last stated time plus the monotonic time since.
 * C13 There is none before the collector spoke, except by what was stored in the same boot of the machine, plus the time
 *     that it has been up since, while the wall clock agrees within five minutes.
 * C14 A statement that is more than five minutes away from trusted time and from the wall clock changes nothing and is a
 *     conflict: there is no trusted time until two of the three agree again, or a person confirms one.
 */
import { type Clock, MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';

export const AGREES_MS = 5 * MINUTE_MS;

/** What lasts over a restart of the agent. */
export interface StoredTime {
  /** Tells one boot of the machine from another; null: the system has none, and nothing lasts. */
  boot: string | null;
  uptimeMs: number;
  trusted: number;
}

export interface Machine {
  boot(): string | null;
  uptimeMs(): number;
}

export type TimeTrouble = 'never-told' | 'conflict' | 'stepped';

interface Anchor {
  at: number;
  mono: number;
  /** False: by what was stored; the wall clock has to agree. */
  told: boolean;
}

export class TrustedTime {
  readonly #clock: Clock;
  readonly #machine: Machine;
  #anchor: Anchor | null = null;
  /** Since when statements contradict everything else. */
  #conflict = false;

  constructor(clock: Clock, machine: Machine, stored: StoredTime | null = null) {
    this.#clock = clock;
    this.#machine = machine;
    if (stored === null) return;
    const { boot, uptimeMs, trusted } = stored;
    const since = machine.uptimeMs() - uptimeMs;
    // Another boot, or an uptime that went back: the machine was off for nobody knows how long.
    if (boot === null || boot !== machine.boot() || since < 0) return;
    this.#anchor = { at: trusted + since, mono: clock.mono(), told: false };
  }

  /** The collector states its time. Returns false where it contradicts everything else (C14). */
  stated(theirs: UtcMs): boolean {
    const before = this.#raw();
    const near = (a: number, b: number) => Math.abs(a - b) <= AGREES_MS;
    // The first word counts, whatever the wall clock shows (C1).
    const believed = before === null || near(theirs, before) || near(theirs, this.#clock.now());
    this.#conflict = !believed;
    if (believed) this.#anchor = { at: theirs, mono: this.#clock.mono(), told: true };
    return believed;
  }

  /** A person says that the wall clock is right (`sweep approve --clock`). */
  confirm(): void {
    this.#conflict = false;
    this.#anchor = { at: this.#clock.now(), mono: this.#clock.mono(), told: true };
  }

  /** Null: there is none, and nothing may be erased by it. */
  now(): UtcMs | null {
    const raw = this.#raw();
    if (raw === null || this.trouble() !== null) return null;
    return utcMs(Math.floor(raw));
  }

  /** Why there is no trusted time; null: there is. */
  trouble(): TimeTrouble | null {
    const raw = this.#raw();
    if (raw === null) return 'never-told';
    if (this.#conflict) return 'conflict';
    const off = Math.abs(this.#clock.now() - raw) > AGREES_MS;
    return off && this.#anchor?.told === false ? 'stepped' : null;
  }

  /** What to store, so that it lasts over a restart; null: nothing is known. */
  stored(): StoredTime | null {
    const trusted = this.now();
    if (trusted === null) return null;
    return { boot: this.#machine.boot(), uptimeMs: this.#machine.uptimeMs(), trusted };
  }

  #raw(): number | null {
    return this.#anchor === null ? null : this.#anchor.at + this.#clock.mono() - this.#anchor.mono;
  }
}
