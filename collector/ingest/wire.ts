/** The socket as ingest uses it: frames out, a ping that can be waited for, a reading side that can be held. */
import { WebSocket } from 'ws';
import { CLOSE, type CloseName } from '../../protocol/close-code.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type CollectorFrame, frameText } from '../../protocol/frame.ts';
import type { Random } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import type { OffenceReason } from '../../protocol/words.ts';

/** Frames of a connection that wait for the store: beyond this it is not read, until half of it is done. */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** What the other side has not taken yet: acks and beats are small, so so much means that it does not read. */
const MAX_UNSENT_BYTES = 2 * 1024 * 1024;
/** Pongs that are waited for. */
const MAX_ECHOES = 16;
/** Of `ws`: a message over its limits, of bytes or of pieces. */
const TOO_LARGE = /^WS_ERR_(UNSUPPORTED_MESSAGE_LENGTH|TOO_MANY_|UNSUPPORTED_DATA_PAYLOAD)/;

export interface WireEvents {
  /** @param text null: the message was binary */
  message(text: string | null, bytes: number): void;
  pinged(): void;
  /** The other side breaks the rules of the connection itself; it is closed already. */
  offended(reason: OffenceReason): void;
  closed(): void;
}

export class Wire {
  readonly #ws: WebSocket;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: WireEvents;
  /** Waits for pongs, by what was pinged; null while nothing does. */
  #echoes: Map<string, () => void> | null = null;
  #waiting = 0;
  #stopped = false;
  #marked = false;
  /** Monotonic time of the last sign of life. */
  heardAt: number;

  constructor(ws: WebSocket, clock: Clock, random: Random, events: WireEvents) {
    this.#ws = ws;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
    this.heardAt = clock.mono();
    const heard = () => {
      this.heardAt = clock.mono();
    };
    ws.on('message', (data: Buffer, isBinary) => {
      heard();
      events.message(isBinary ? null : data.toString('utf8'), data.length);
    });
    ws.on('pong', (data: Buffer) => {
      heard();
      if (this.#echoes !== null) this.#answered(data.toString('hex'));
    });
    ws.on('ping', () => {
      heard();
      events.pinged();
    });
    // `close` follows every error; what an error says (a frame too large, a torn connection) is in its code.
    ws.on('error', (error) => {
      const code = codeOf(error);
      if (TOO_LARGE.test(code)) events.offended('frame-too-large');
      else if (code.startsWith('WS_ERR_')) events.offended('frame-bad');
    });
    ws.on('close', () => {
      this.#echoes = null;
      events.closed();
    });
  }

  send(frame: CollectorFrame): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    this.#ws.send(frameText(frame), { binary: false, compress: false });
    if (this.#ws.bufferedAmount > MAX_UNSENT_BYTES) this.cut();
  }

  /** Sends a frame of which `stuck` tells whether the system has taken it. */
  sendMarked(frame: CollectorFrame): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    this.#marked = true;
    this.#ws.send(frameText(frame), { binary: false, compress: false }, () => {
      this.#marked = false;
    });
  }

  /** True while the last marked frame still waits. */
  get stuck(): boolean {
    return this.#marked;
  }

  /** Nobody reads at the other end: closing politely would only queue more. */
  cut(): void {
    this.#events.offended('not-reading');
    this.#ws.terminate();
  }

  /** `ws` cuts a connection whose other side does not answer the close (`closeTimeout` of the server). */
  close(name: CloseName): void {
    // A held socket would not see the other side's answer.
    this.#ws.resume();
    this.#ws.close(CLOSE[name]);
  }

  /** Frames that wait for the store hold the reading side back; a negative number lets it go again. */
  hold(bytes: number): void {
    this.#waiting += bytes;
    if (this.#waiting > MAX_WAITING_BYTES) this.#ws.pause();
    else if (this.#waiting < MAX_WAITING_BYTES / 2) this.#goOn();
  }

  /** Not read, or read again, for the sake of others. */
  stop(stopped: boolean): void {
    this.#stopped = stopped;
    if (stopped) this.#ws.pause();
    else this.#goOn();
  }

  #goOn(): void {
    if (this.#ws.isPaused && !this.#stopped && this.#waiting <= MAX_WAITING_BYTES) this.#ws.resume();
  }

  /**
   * Calls back once the other side has read what was sent so far; never, where it goes away. False: it answers no
   * pings, so none is sent and nothing more waits.
   */
  echo(read: () => void): boolean {
    if (this.#ws.readyState !== WebSocket.OPEN) return false;
    this.#echoes ??= new Map();
    if (this.#echoes.size >= MAX_ECHOES) return false;
    const word = this.#random(8);
    this.#echoes.set(word.toString('hex'), read);
    this.#ws.ping(word, false);
    return true;
  }

  #answered(word: string): void {
    const read = this.#echoes?.get(word);
    this.#echoes?.delete(word);
    if (this.#echoes?.size === 0) this.#echoes = null;
    read?.();
  }

  /** Pings; true where the pong came within `ms`. */
  answers(ms: number): Promise<boolean> {
    const ws = this.#ws;
    if (ws.readyState !== WebSocket.OPEN) return Promise.resolve(false);
    ws.resume();
    return new Promise((resolve) => {
      const finish = (alive: boolean) => {
        cancel();
        ws.off('close', onClose);
        resolve(alive);
      };
      const onClose = () => finish(false);
      const cancel = this.#clock.after(ms, () => finish(false));
      ws.on('close', onClose);
      this.echo(() => finish(true));
    });
  }
}
