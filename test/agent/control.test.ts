/** The control socket on a real file system. */
import { mkdirSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  type ControlHandlers,
  type ControlServer,
  MAX_CONNECTIONS,
  MAX_REQUEST_BYTES,
  openControl,
} from '../../agent/control.ts';
import { askAgent } from '../../agent/control-client.ts';
import { CONTROL_FILE, controlPath, MAX_PATH_BYTES } from '../../agent/control-path.ts';
import { ensureStateDir } from '../../agent/files.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { stateDir } from './support.ts';

const open: ControlServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serverAt(dir: string, change: Partial<ControlHandlers> = {}): Promise<ControlServer> {
  const unasked = async () => ({});
  const handlers = {
    status: async () => ({ ok: 1 }),
    check: unasked,
    stop: unasked,
    rescan: unasked,
    recordings: unasked,
    holds: unasked,
  };
  const server = await openControl(dir, { ...handlers, ...change });
  open.push(server);
  return server;
}

function freshDir(...more: string[]): string {
  const dir = join(stateDir(), ...more);
  ensureStateDir(dir);
  return dir;
}

/** Sends raw text; what came back until the other side closed, or until a whole line was there. */
function raw(dir: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(controlPath(dir, false).address);
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('\n')) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.on('connect', () => socket.write(text));
  });
}

test('a verb is answered; body goes in, body comes out', async () => {
  const dir = freshDir();
  await serverAt(dir, { rescan: async (body) => ({ got: body }) });
  expect(await askAgent(dir, 'status')).toEqual({ ok: 1 });
  expect(await askAgent(dir, 'rescan', { a: [1] })).toEqual({ got: { a: [1] } });
});

test('only the owner gets to it', async () => {
  const dir = freshDir();
  await serverAt(dir);
  expect(statSync(join(dir, CONTROL_FILE)).mode & 0o777).toBe(0o600);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('a path that is too long for a socket works all the same', async () => {
  const dir = freshDir('x'.repeat(60), 'y'.repeat(60));
  expect(Buffer.byteLength(join(dir, CONTROL_FILE))).toBeGreaterThan(MAX_PATH_BYTES);
  await serverAt(dir);
  expect(await askAgent(dir, 'status')).toEqual({ ok: 1 });
});

test('the socket of a process that died is replaced', async () => {
  const dir = freshDir();
  const { execFileSync } = await import('node:child_process');
  const script = `require('node:net').createServer().listen(${JSON.stringify(join(dir, CONTROL_FILE))}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' })).toThrow();
  expect(statSync(join(dir, CONTROL_FILE)).isSocket()).toBe(true);
  expect(await askAgent(dir, 'status').catch((e) => e.code)).toBe('agent.not-running');
  await serverAt(dir);
  expect(await askAgent(dir, 'status')).toEqual({ ok: 1 });
});

test('errors keep code, message and hint; the text of unknown ones stays inside', async () => {
  const dir = freshDir();
  await serverAt(dir, {
    check: async () => {
      throw new TilsynError('some.code', 'doing this: no', { hint: 'do that' });
    },
    rescan: async () => {
      throw new Error('Jane Doe was here');
    },
  });
  expect(await askAgent(dir, 'check').catch((e) => e.toJSON())).toEqual({
    error: { code: 'some.code', message: 'doing this: no', hint: 'do that' },
  });
  const unknown = await askAgent(dir, 'rescan').catch((e) => e);
  expect(unknown.code).toBe('control.failed');
  expect(JSON.stringify(unknown)).not.toContain('Jane');
});

test('nobody there: says so, with a hint', async () => {
  const error = await askAgent(freshDir(), 'status').catch((e) => e);
  expect(error).toMatchObject({ code: 'agent.not-running', exit: 'unreachable' });
  expect(error.hint).toContain('tilsyn agent run');
});

test.each([
  ['not JSON', '{\n'],
  ['an unknown verb', '{"id":1,"verb":"shell","body":{}}\n'],
  ['no id', '{"verb":"status"}\n'],
])('%s is answered as malformed', async (_name, text) => {
  const dir = freshDir();
  await serverAt(dir);
  expect(JSON.parse(await raw(dir, text))).toMatchObject({
    id: null,
    ok: false,
    error: { code: 'control.malformed' },
  });
});

test('a request over 64 KiB is cut off, with or without an end', async () => {
  const dir = freshDir();
  await serverAt(dir);
  expect(await raw(dir, 'x'.repeat(MAX_REQUEST_BYTES + 1))).toBe('');
  expect(await askAgent(dir, 'status')).toEqual({ ok: 1 });
});

test('connections are limited, and free again when they end', async () => {
  const dir = freshDir();
  await serverAt(dir);
  const sockets = await Promise.all(
    Array.from({ length: MAX_CONNECTIONS }, async () => {
      const socket = createConnection(controlPath(dir, false).address);
      await new Promise((resolve) => socket.on('connect', resolve));
      return socket;
    }),
  );
  await expect.poll(() => askAgent(dir, 'status').catch((e) => e.code)).toBe('control.silent');
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => askAgent(dir, 'status').catch(() => null)).toEqual({ ok: 1 });
});

test('a folder of another kind in the way is left alone', async () => {
  const dir = freshDir();
  mkdirSync(join(dir, CONTROL_FILE));
  expect(await openControl(dir, {} as ControlHandlers).catch((e) => e.code)).toMatch(/^state\./);
});
