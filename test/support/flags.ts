/**
 * What a child leaves behind when it dies. A SIGKILL takes the process, not the page cache: eight bytes written
 * with `pwrite` at each point of the fault seam are read by the harness afterwards. The harness arms a kill the
 * other way round, through a second small file that the child looks at on each hit.
 */
import { closeSync, existsSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';

/** Every point of the fault seam, by number. */
export const POINTS = [
  'agent.append.before-commit',
  'agent.append.after-commit',
  'agent.send.before',
  'agent.send.after',
  'agent.ack.before',
  'agent.ack.after',
  'agent.link.connecting',
  'agent.link.live',
  'agent.link.waiting',
  'collector.ingest.before-commit',
  'collector.ingest.after-commit',
  'collector.ack.before',
  'erasing.begun',
  'keyring.copy-1',
  'erasing.keys-gone',
  'erasing.rows-gone',
] as const;
export type Point = (typeof POINTS)[number];

/** One 8-byte float each. */
const SLOTS = [
  'pid',
  /** 1 between `before-commit` and `after-commit`. */
  'transaction',
  /** 0 not linked, 1 connecting or proving, 2 live. */
  'link',
  /** First 48 bits of the log id of the last send, ack: exact in a float. */
  'sendingLog',
  'sendingThrough',
  'sentLog',
  'sentThrough',
  'ackedLog',
  'ackedThrough',
  /** Hits so far, all points. */
  'hits',
  /** Number of the point at which the child killed itself, plus 1. */
  'killedAt',
] as const;
export type Slot = (typeof SLOTS)[number];
export type Flags = Record<Slot, number>;

/** First 48 bits of a log id, as a number. */
export function logTag(log: string): number {
  return Number.parseInt(log.slice(0, 12), 16);
}

function floats(values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) out.writeDoubleLE(value, index * 8);
  return out;
}

/** The child's side: one open file, one `pwrite` per change. */
export class FlagWriter {
  readonly #fd: number;

  constructor(path: string) {
    resetFlags(path);
    this.#fd = openSync(path, 'r+');
  }

  set(slot: Slot, value: number): void {
    writeSync(this.#fd, floats([value]), 0, 8, SLOTS.indexOf(slot) * 8);
  }

  /** Log and seq, which stand side by side, in one write. */
  setPlace(which: 'sending' | 'sent' | 'acked', at: { log: string; through: number } | undefined): void {
    if (at === undefined) return;
    writeSync(this.#fd, floats([logTag(at.log), at.through]), 0, 16, SLOTS.indexOf(`${which}Log`) * 8);
  }
}

/** Before a start: what the process before it left must not count again. */
export function resetFlags(path: string): void {
  writeFileSync(path, floats(SLOTS.map(() => 0)));
}

/** The harness's side; all zero where the child never came so far. */
export function readFlags(path: string): Flags {
  const bytes = Buffer.alloc(SLOTS.length * 8);
  if (existsSync(path)) {
    const fd = openSync(path, 'r');
    readSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  }
  return Object.fromEntries(SLOTS.map((slot, index) => [slot, bytes.readDoubleLE(index * 8)])) as Flags;
}

/** `die`: SIGKILL on oneself. `stop`: SIGSTOP, so that the harness can copy what lies on the disk. */
export type ArmedAct = 'die' | 'stop';

/** The harness's side of arming: at the nth hit of `point` from now on. */
export class Arm {
  readonly #path: string;
  #number = 0;

  constructor(path: string) {
    this.#path = path;
    this.disarm();
  }

  set(point: Point, nth: number, act: ArmedAct = 'die'): void {
    this.#number += 1;
    this.#write([this.#number, POINTS.indexOf(point), nth, act === 'die' ? 0 : 1]);
  }

  disarm(): void {
    this.#number += 1;
    this.#write([this.#number, -1, 0, 0]);
  }

  // One write of 32 bytes into a page: a reader never sees half of it.
  #write(values: number[]): void {
    const fd = openSync(this.#path, existsSync(this.#path) ? 'r+' : 'w');
    writeSync(fd, floats(values), 0, 32, 0);
    closeSync(fd);
  }
}

/** The child's side of arming. */
export class ArmReader {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(32);
  #number = -1;
  #left = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  /** What to do at this hit; null: nothing. */
  due(point: number): ArmedAct | null {
    readSync(this.#fd, this.#bytes, 0, 32, 0);
    const number = this.#bytes.readDoubleLE(0);
    if (number !== this.#number) {
      this.#number = number;
      this.#left = this.#bytes.readDoubleLE(16);
    }
    if (this.#bytes.readDoubleLE(8) !== point) return null;
    this.#left -= 1;
    if (this.#left !== 0) return null;
    return this.#bytes.readDoubleLE(24) === 0 ? 'die' : 'stop';
  }
}

export interface SeamConfig {
  /** File that this child writes its flags to. */
  flags: string;
  /** File that the harness arms it through. */
  arm: string;
  /** Laws that this build breaks. */
  broken: string[];
}

/** Where a log stands, as the seam of the agent says it. */
type At = { log: string; through: number } | undefined;

/** What a point means for the flags. */
const EFFECTS: Partial<Record<Point, (flags: FlagWriter, at: At) => void>> = {
  'agent.append.before-commit': (flags) => flags.set('transaction', 1),
  'agent.append.after-commit': (flags) => flags.set('transaction', 0),
  'collector.ingest.before-commit': (flags) => flags.set('transaction', 1),
  'collector.ingest.after-commit': (flags) => flags.set('transaction', 0),
  'agent.link.connecting': (flags) => flags.set('link', 1),
  'agent.link.live': (flags) => flags.set('link', 2),
  'agent.link.waiting': (flags) => flags.set('link', 0),
  'agent.send.before': (flags, at) => flags.setPlace('sending', at),
  'agent.send.after': (flags, at) => flags.setPlace('sent', at),
  'agent.ack.before': (flags, at) => flags.setPlace('acked', at),
};

/** The seam that a child hands to the product: it keeps the flags and does what the harness armed. */
export function childSeam(config: SeamConfig): {
  hit(point: string, at?: { log: string; through: number }): void;
  broken(law: string): boolean;
} {
  const flags = new FlagWriter(config.flags);
  const arm = new ArmReader(config.arm);
  flags.set('pid', process.pid);
  let hits = 0;
  return {
    hit(point, at) {
      const index = POINTS.indexOf(point as Point);
      EFFECTS[point as Point]?.(flags, at);
      flags.set('hits', ++hits);
      const act = arm.due(index);
      if (act === null) return;
      flags.set('killedAt', index + 1);
      process.kill(process.pid, act === 'die' ? 'SIGKILL' : 'SIGSTOP');
    },
    broken: (law) => config.broken.includes(law),
  };
}
