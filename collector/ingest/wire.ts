/** The socket as ingest uses it: frames out, a ping that can be waited for, a reading side that can be held. */
import { WebSocket } from 'ws';
import { CLOSE, type CloseName } from '../../protocol/close-code.ts';
import { type CollectorFrame, frameText } from '../../protocol/frame.ts';
import type { Random } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';

/** Frames of a connection that wait for the store: beyond this it is not read, until half of it is done. */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** What the other side has not taken yet: acks and beats are small, so so much means that it does not read. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

export interface WireEvents {
  /** @param text null: the message was binary */
  message(text: string | null, bytes: number): void;
  closed(): void;
}

export class Wire {
  readonly #ws: WebSocket;
  readonly #clock: Clock;
  readonly #random: Random;
  #waiting = 0;
  /** Monotonic time of the last sign of life. */
  heardAt: number;

  constructor(ws: WebSocket, clock: Clock, random: Random, events: WireEvents) {
    this.#ws = ws;
    this.#clock = clock;
    this.#random = random;
    this.heardAt = clock.mono();
    const heard = () => {
      this.heardAt = clock.mono();
    };
    ws.on('message', (data: Buffer, isBinary) => {
      heard();
      events.message(isBinary ? null : data.toString('utf8'), data.length);
    });
    ws.on('pong', heard);
    ws.on('ping', heard);
    // `close` follows every error; what an error says (a frame too large, a torn connection) is in its code.
    ws.on('error', () => {});
    ws.on('close', () => events.closed());
  }

  send(frame: CollectorFrame): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    this.#ws.send(frameText(frame), { binary: false, compress: false });
    // Nobody reads at the other end: closing politely would only queue more.
    if (this.#ws.bufferedAmount > MAX_UNSENT_BYTES) this.#ws.terminate();
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
    else if (this.#ws.isPaused && this.#waiting < MAX_WAITING_BYTES / 2) this.#ws.resume();
  }

  /** Pings; true where the pong came within `ms`. */
  answers(ms: number): Promise<boolean> {
    const ws = this.#ws;
    if (ws.readyState !== WebSocket.OPEN) return Promise.resolve(false);
    const word = this.#random(8);
    ws.resume();
    return new Promise((resolve) => {
      const finish = (alive: boolean) => {
        cancel();
        ws.off('pong', onPong);
        ws.off('close', onClose);
        resolve(alive);
      };
      const onPong = (data: Buffer) => {
        if (data.equals(word)) finish(true);
      };
      const onClose = () => finish(false);
      const cancel = this.#clock.after(ms, () => finish(false));
      ws.on('pong', onPong);
      ws.on('close', onClose);
      ws.ping(word, false);
    });
  }
}
