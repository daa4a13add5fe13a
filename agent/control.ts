/**
 * The agent's local door for the command line: one JSON line in, one out. Only who may enter the state directory
 * (mode 0700) gets to it. Answers hold ids, numbers and words of ours, nothing personal.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import { codeOf, hasCode, TilsynError } from '../protocol/errors.ts';
import { type ControlPath, controlPath } from './control-path.ts';
import { fileError, removeFile, restrict } from './files.ts';

export const VERBS = ['status', 'check', 'stop', 'rescan', 'recordings', 'holds'] as const;
export type ControlVerb = (typeof VERBS)[number];

/** Largest request; answers are ours and have no limit here. */
export const MAX_REQUEST_BYTES = 64 * 1024;
export const MAX_CONNECTIONS = 16;
/** A connection that asks nothing for so long is closed. */
const IDLE_MS = 60_000;

const request = z.object({
  id: z.union([z.int(), z.string().max(64)]),
  verb: z.enum(VERBS),
  body: z.record(z.string(), z.unknown()).optional(),
});

export type ControlHandlers = Readonly<
  Record<ControlVerb, (body: Record<string, unknown>) => Promise<Record<string, unknown>>>
>;

export interface ControlServer {
  /** Takes no more connections, ends those that are open, removes the socket. */
  close(): Promise<void>;
}

/**
 * Opens the door. The lock on the state directory is held by now, so a socket that lies there is a dead one's.
 * @throws TilsynError `control.failed`, `control.unsafe`
 */
export async function openControl(dir: string, handlers: ControlHandlers): Promise<ControlServer> {
  const path = controlPath(dir, true);
  try {
    if (path.file !== null) removeFile(path.file);
    const server = createServer({ allowHalfOpen: false });
    server.maxConnections = MAX_CONNECTIONS;
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serve(socket, handlers);
    });
    await listen(server, path.address);
    if (path.file !== null) restrict(path.file);
    return { close: () => close(server, sockets, path) };
  } catch (error) {
    path.release();
    throw fileError(error, 'opening the control socket');
  }
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.removeListener('error', reject);
      // One failed accept (too many open files) must not end the agent; the client sees it and tries again.
      server.on('error', () => {});
      resolve();
    });
  });
}

function close(server: Server, sockets: Set<Socket>, path: ControlPath): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      path.release();
      resolve();
    });
    // What was answered is flushed; nobody keeps the agent from stopping.
    for (const socket of sockets) socket.destroySoon();
  });
}

function serve(socket: Socket, handlers: ControlHandlers): void {
  let waiting = '';
  let last: Promise<void> = Promise.resolve();
  socket.setEncoding('utf8');
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    waiting += chunk;
    for (let end = waiting.indexOf('\n'); end !== -1; end = waiting.indexOf('\n')) {
      const line = waiting.slice(0, end);
      waiting = waiting.slice(end + 1);
      // One after the other: answers come in the order of the questions.
      last = last.then(() => answer(socket, line, handlers));
    }
    if (Buffer.byteLength(waiting) > MAX_REQUEST_BYTES) socket.destroy();
  });
}

async function answer(socket: Socket, line: string, handlers: ControlHandlers): Promise<void> {
  if (socket.destroyed) return;
  const reply = await replyTo(line, handlers);
  if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`);
}

async function replyTo(line: string, handlers: ControlHandlers): Promise<object> {
  const asked = readRequest(line);
  if (asked === null) {
    const wrong = new TilsynError(
      'control.malformed',
      'reading a request at the control socket: not one of ours',
    );
    return { id: null, ok: false, ...wrong.toJSON() };
  }
  const { id, verb, body = {} } = asked;
  try {
    return { id, ok: true, body: await handlers[verb](body) };
  } catch (error) {
    return { id, ok: false, ...asTilsyn(error, verb).toJSON() };
  }
}

function readRequest(line: string): z.infer<typeof request> | null {
  if (Buffer.byteLength(line) > MAX_REQUEST_BYTES) return null;
  try {
    return request.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** The text of an unknown error may quote anything; its code may not. */
function asTilsyn(error: unknown, verb: string): TilsynError {
  if (error instanceof TilsynError) return error;
  const full = hasCode(error, 'ENOSPC', 'EACCES', 'EROFS');
  if (full) return fileError(error, `answering ${verb}`);
  return new TilsynError('control.failed', `answering ${verb}: an unexpected failure (${codeOf(error)})`, {
    hint: 'See the log of the agent.',
    cause: error,
  });
}
