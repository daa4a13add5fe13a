/**
 * A real x11vnc on loopback with an X server of its own, and a VNC client that is just good enough to be let in, or
 * refused. Only processes that were started here are ended, by their handle.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 15_000;

/** What is not installed; empty where all is. */
export function missingPrograms(): string[] {
  const folders = (process.env.PATH ?? '').split(':');
  return ['Xvfb', 'x11vnc'].filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

export class RealVnc {
  readonly log: string;
  readonly #dir: string;
  readonly #password: string;
  #display = 0;
  #port = 0;
  #screen: ChildProcess | null = null;
  #server: ChildProcess | null = null;

  constructor(dir: string, password: string) {
    this.#dir = dir;
    this.#password = password;
    this.log = join(dir, 'x11vnc.log');
  }

  /** Starts a screen, and x11vnc on it. */
  async start(): Promise<void> {
    this.#display = await freeDisplay();
    this.#screen = spawn('Xvfb', [`:${this.#display}`, '-screen', '0', '320x240x16'], { stdio: 'ignore' });
    await until(() => existsSync(`/tmp/.X11-unix/X${this.#display}`), 'the X server');
    await this.startServer();
  }

  /** x11vnc alone, again: appends to its log, as with `-oa`. */
  async startServer(): Promise<void> {
    this.#port = await freePort();
    const passwords = join(this.#dir, 'passwords');
    writeFileSync(passwords, `${this.#password}\n`, { mode: 0o600 });
    const size = this.text().length;
    const where = [
      '-display',
      `:${this.#display}`,
      '-rfbport',
      String(this.#port),
      '-listen',
      '127.0.0.1',
      '-no6',
    ];
    const how = ['-passwdfile', passwords, '-forever', '-shared', '-noxdamage', '-oa', this.log];
    this.#server = spawn('x11vnc', [...where, ...how], { stdio: 'ignore' });
    await until(() => this.text().slice(size).includes('screen setup finished'), 'x11vnc');
  }

  text(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'latin1') : '';
  }

  /** A client that has given this password. */
  async client(password: string): Promise<VncClient> {
    const socket = connect(this.#port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return await VncClient.greet(socket, password);
  }

  /** A client that connects, and says no more than it has to. */
  async knock(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  async stopServer(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await end(this.#server, signal);
    this.#server = null;
  }

  async stop(): Promise<void> {
    await end(this.#server, 'SIGKILL');
    await end(this.#screen, 'SIGTERM');
  }
}

export class VncClient {
  readonly letIn: boolean;
  readonly #socket: Socket;

  private constructor(socket: Socket, letIn: boolean) {
    this.#socket = socket;
    this.letIn = letIn;
  }

  static async greet(socket: Socket, password: string): Promise<VncClient> {
    await bytes(socket, 12);
    socket.write('RFB 003.008\n');
    const [count = 0] = await bytes(socket, 1);
    await bytes(socket, count);
    socket.write(Buffer.from([2]));
    socket.write(answer(await bytes(socket, 16), password));
    const letIn = (await bytes(socket, 4)).readUInt32BE() === 0;
    // Shared: the others stay.
    if (letIn) socket.write(Buffer.from([1]));
    return new VncClient(socket, letIn);
  }

  leave(): void {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** As a machine that crashed, as far as a socket can say it. */
  breakOff(): void {
    this.#socket.resetAndDestroy();
  }
}

/** DES with the bits of each byte of the password turned round; three times the same key is DES once. */
function answer(challenge: Buffer, password: string): Buffer {
  const turned = [...Buffer.from(password.padEnd(8, '\0')).subarray(0, 8)].map((byte) =>
    [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, bit) => sum | (((byte >> bit) & 1) << (7 - bit)), 0),
  );
  const cipher = createCipheriv('des-ede3-ecb', Buffer.from([...turned, ...turned, ...turned]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

async function bytes(socket: Socket, count: number): Promise<Buffer> {
  for (let tries = 0; tries < WAIT_MS / 10; tries++) {
    const read: Buffer | null = socket.read(count);
    if (read !== null) return read;
    if (socket.destroyed) break;
    await sleep(10);
  }
  throw new Error(`x11vnc did not send ${count} bytes`);
}

async function until(ready: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < WAIT_MS / 50; tries++) {
    if (ready()) return;
    await sleep(50);
  }
  throw new Error(`${what} did not start`);
}

async function end(child: ChildProcess | null, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function freeDisplay(): Promise<number> {
  for (let display = 90; display < 200; display++) {
    if (!existsSync(`/tmp/.X${display}-lock`) && !existsSync(`/tmp/.X11-unix/X${display}`)) return display;
  }
  throw new Error('no display is free');
}
