/**
 * Writes `Connections_incoming.txt` as TeamViewer does: newline before each row, seven fields and a trailing tab,
 * no newline at the end of the file; now and then a row in two halves. Rotates it as administrators do. Keeps a
 * record of every byte that it wrote, which is what the checks compare with.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

export interface WrittenRow {
  index: number;
  peerId: string;
  startedAt: number;
  endedAt: number;
  /** Number of the file's generation, from 1. */
  generation: number;
  /** Bytes of the row in that file, its leading newline left out. */
  from: number;
  to: number;
  /** The harness itself was stalled between the two halves for so long that the row counts as broken. */
  torn: boolean;
}

export interface Rotation {
  kind: 'rename' | 'copytruncate' | 'truncate';
  /** Where the old content lies now; null: nowhere. */
  old: string | null;
  /** Generation that ended. */
  generation: number;
  /** Monotonic time of the rename or the truncation. */
  at: number;
  /** First row of the new file, as soon as there is one. */
  firstRow: number;
  /** The reader's disk was full: the harness says so. */
  whileFull: boolean;
}

export interface WriterOptions {
  path: string;
  rowsPerSecond: number;
  /** In [0, 1). */
  random(): number;
  /** Start of the first row, UTC ms; each row starts one second after the one before it. */
  firstStart: number;
}

const TICK_MS = 20;
/** A half row is finished this soon, far below the second after which a reader takes it for whole. */
const HALF_MS = 60;
const TORN_MS = 700;
const NAMES = ['ITestUserRedacted', 'Møller, Jane', '', 'Joe Doe | Pro IT', '山田', 'a b  c'];

export class RowWriter {
  readonly rows: WrittenRow[] = [];
  readonly rotations: Rotation[] = [];
  readonly #o: WriterOptions;
  #generation = 1;
  #timer: NodeJS.Timeout | null = null;
  #owed = 0;
  #last = 0;
  #half: { fd: number; rest: Buffer; row: WrittenRow; at: number } | null = null;

  constructor(options: WriterOptions) {
    this.#o = options;
  }

  /** Start of a row, also of one that is not written yet: unlike its peer it stands in the clear on both sides. */
  startOf(index: number): number {
    return this.#o.firstStart + index * 1000;
  }

  get generation(): number {
    return this.#generation;
  }

  start(): void {
    this.#last = performance.now();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Finishes a half row and stops. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#finishHalf();
  }

  /** Renamed away; a half row is finished in the old file, as the open handle is the writer's. */
  rename(): Rotation {
    const old = `${this.#o.path}.${this.#generation}`;
    if (existsSync(this.#o.path)) renameSync(this.#o.path, old);
    return this.#rotated('rename', old);
  }

  get path(): string {
    return this.#o.path;
  }

  /** `copytruncate` of logrotate; nothing is written in between. */
  copyTruncate(): Rotation {
    this.#finishHalf();
    const old = `${this.#o.path}.${this.#generation}`;
    if (existsSync(this.#o.path)) {
      copyFileSync(this.#o.path, old);
      truncateSync(this.#o.path);
    }
    return this.#rotated('copytruncate', old);
  }

  /** Emptied in place: what was not read by now is gone. */
  truncate(): Rotation {
    this.#finishHalf();
    if (existsSync(this.#o.path)) truncateSync(this.#o.path);
    return this.#rotated('truncate', null);
  }

  /** Removes what an earlier rotation left. */
  remove(rotation: Rotation): void {
    if (rotation.old !== null && existsSync(rotation.old)) unlinkSync(rotation.old);
    rotation.old = null;
  }

  #rotated(kind: Rotation['kind'], old: string | null): Rotation {
    const rotation: Rotation = {
      kind,
      old,
      generation: this.#generation,
      at: performance.now(),
      firstRow: this.rows.length,
      whileFull: false,
    };
    this.#generation += 1;
    this.rotations.push(rotation);
    return rotation;
  }

  #tick(): void {
    const now = performance.now();
    // After a stall of the harness what is owed comes in one burst: the rate is an average.
    this.#owed += ((now - this.#last) / 1000) * this.#o.rowsPerSecond;
    this.#last = now;
    if (this.#half !== null) {
      if (now - this.#half.at < this.#o.random() * HALF_MS) return;
      this.#finishHalf();
    }
    for (; this.#owed >= 1 && this.#half === null; this.#owed -= 1) this.#writeRow(this.#o.random() < 0.05);
  }

  #writeRow(inHalves: boolean): void {
    const fd = openSync(this.#o.path, 'a', 0o644);
    const size = statSync(this.#o.path).size;
    const { row, text } = this.#next(size);
    const bytes = Buffer.from(text);
    row.to = size + bytes.length;
    this.rows.push(row);
    if (!inHalves) {
      writeSync(fd, bytes);
      closeSync(fd);
      return;
    }
    const cut = 1 + Math.floor(this.#o.random() * (bytes.length - 1));
    writeSync(fd, bytes.subarray(0, cut));
    this.#half = { fd, rest: bytes.subarray(cut), row, at: performance.now() };
  }

  #finishHalf(): void {
    const half = this.#half;
    if (half === null) return;
    this.#half = null;
    half.row.torn = performance.now() - half.at > TORN_MS;
    writeSync(half.fd, half.rest);
    closeSync(half.fd);
  }

  #next(size: number): { row: WrittenRow; text: string } {
    const { random } = this.#o;
    const index = this.rows.length;
    const startedAt = this.startOf(index);
    const endedAt = startedAt + Math.floor(random() * 600) * 1000;
    const peerId = String(1_000_000_000 + index);
    const fields = [
      peerId,
      NAMES[Math.floor(random() * NAMES.length)],
      stamp(startedAt),
      stamp(endedAt),
      random() < 0.1 ? '<unknown>' : 'IEUser',
      random() < 0.8 ? 'RemoteControl' : 'Filetransfer',
      random() < 0.4 ? '' : guid(index),
    ];
    const generation = this.#generation;
    const row = { index, peerId, startedAt, endedAt, generation, from: size + 1, to: 0, torn: false };
    return { row, text: `\n${fields.join('\t')}\t` };
  }
}

function guid(index: number): string {
  return `{b3a4df33-d027-44d5-b50f-${index.toString(16).padStart(12, '0')}}`;
}

/** `dd-MM-yyyy HH:mm:ss`, UTC. */
function stamp(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T');
  return `${date.split('-').reverse().join('-')} ${time.slice(0, 8)}`;
}
