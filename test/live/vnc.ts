/** A real x11vnc in front of an X server without a screen, and a viewer: RFB 3.8 with a password, as far as it goes. */
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { type Needs, Program } from './programs.ts';

export const VNC_NEEDS: Needs = { programs: { x11vnc: 'x11vnc', Xvfb: 'xvfb' }, root: false };

const PASSWORD = 'only-one';
/** Security type of RFB: a challenge, encrypted with the password. */
const VNC_AUTH = 2;

export class VncServer {
  readonly log: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #env: Record<string, string>;
  #screen: Program | null = null;
  #server: Program | null = null;
  #display = '';

  private constructor(dir: string, port: number, env: Record<string, string>) {
    this.#dir = dir;
    this.#port = port;
    this.#env = env;
    this.log = join(dir, 'x11vnc.log');
  }

  /** @param dir must be there, and goes with the caller */
  static async open(dir: string, env: Record<string, string>): Promise<VncServer> {
    const server = new VncServer(dir, await freePort(), env);
    try {
      await server.#startScreen();
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  async #startScreen(): Promise<void> {
    const taken = (n: number) => existsSync(`/tmp/.X11-unix/X${n}`) || existsSync(`/tmp/.X${n}-lock`);
    let n = 90;
    while (taken(n)) n += 1;
    this.#display = `:${n}`;
    const args = [this.#display, '-screen', '0', '640x480x24', '-nolisten', 'tcp'];
    this.#screen = new Program('Xvfb', args, this.#env, join(this.#dir, 'xvfb.out'));
    await this.#screen.ready(() => existsSync(`/tmp/.X11-unix/X${n}`));
  }

  /** Starts it; its log goes on. */
  async start(): Promise<void> {
    writeFileSync(join(this.#dir, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
    const before = existsSync(this.log) ? readFileSync(this.log).length : 0;
    const where = ['-display', this.#display, '-rfbport', String(this.#port), '-localhost', '-no6'];
    const how = ['-passwdfile', join(this.#dir, 'password'), '-forever', '-shared', '-oa', this.log];
    const server = new Program('x11vnc', [...where, ...how], this.#env, join(this.#dir, 'x11vnc.out'));
    this.#server = server;
    await server.ready(
      () =>
        existsSync(this.log) &&
        readFileSync(this.log, 'utf8').slice(before).includes('screen setup finished'),
    );
  }

  /** Stops it, or kills it. */
  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#server?.end(signal);
  }

  view(password = PASSWORD): Promise<Viewer> {
    return Viewer.open(this.#port, password);
  }

  async close(): Promise<void> {
    await this.#server?.end();
    await this.#screen?.end();
  }
}

/** One who looks on. */
export class Viewer {
  /** False: the password was wrong. */
  readonly isIn: boolean;
  readonly #socket: Socket;

  private constructor(socket: Socket, isIn: boolean) {
    this.#socket = socket;
    this.isIn = isIn;
  }

  static async open(port: number, password: string): Promise<Viewer> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    // The server may break off at any moment; the next read says so.
    socket.on('error', () => undefined);
    const bytes = reader(socket);
    await bytes(12);
    socket.write('RFB 003.008\n');
    const [count = 0] = await bytes(1);
    const types = await bytes(count);
    if (!types.includes(VNC_AUTH)) throw new Error(`x11vnc offers ${[...types]}, not a password`);
    socket.write(Buffer.from([VNC_AUTH]));
    socket.write(answer(await bytes(16), password));
    if ((await bytes(4)).readUInt32BE() !== 0) return new Viewer(socket, false);
    // Shared: others may stay.
    socket.write(Buffer.from([1]));
    const server = await bytes(24);
    await bytes(server.readUInt32BE(20));
    // One picture, from the corner: somebody who looks.
    socket.write(Buffer.from([3, 0, 0, 0, 0, 0, 0, 16, 0, 16]));
    return new Viewer(socket, true);
  }

  /** In order. */
  leave(): void {
    this.#socket.end();
  }

  /** As when its process is killed. */
  breakOff(): void {
    this.#socket.resetAndDestroy();
  }
}

/** DES with the bits of each byte of the key the other way round; of three equal keys, the triple form is the single. */
function answer(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  key.write(password, 'latin1');
  const turned = Buffer.from(key.map((byte) => Number.parseInt(bits(byte), 2)));
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([turned, turned, turned]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

function bits(byte: number): string {
  return [...byte.toString(2).padStart(8, '0')].reverse().join('');
}

/** Takes exactly so many bytes at a time. */
function reader(socket: Socket): (bytes: number) => Promise<Buffer> {
  let held = Buffer.alloc(0);
  let isClosed = false;
  let wake = () => {};
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    wake();
  });
  socket.on('close', () => {
    isClosed = true;
    wake();
  });
  return async (bytes) => {
    while (held.length < bytes) {
      if (isClosed) throw new Error('x11vnc broke off');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const taken = held.subarray(0, bytes);
    held = held.subarray(bytes);
    return taken;
  };
}
