/** The other side of `control.ts`: asks a running agent one thing. */
import { createConnection } from 'node:net';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { SECOND_MS } from '../protocol/time.ts';
import type { ControlVerb } from './control.ts';
import { controlPath } from './control-path.ts';

/** `check` reads a whole database; everything else answers at once. */
const TIMEOUT_MS = 120 * SECOND_MS;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * @param dir state directory of the agent
 * @throws TilsynError `agent.not-running`, `control.denied`, `control.silent`, or what the agent answered
 */
export async function askAgent(
  dir: string,
  verb: ControlVerb,
  body: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const path = controlPath(dir, false);
  try {
    return await exchange(path.address, JSON.stringify({ id: 1, verb, body }));
  } finally {
    path.release();
  }
}

function exchange(address: string, line: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(address);
    let text = '';
    const fail = (error: TilsynError) => {
      socket.destroy();
      reject(error);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT_MS, () => fail(silent()));
    socket.once('error', (cause) => fail(connectError(cause)));
    socket.once('close', () => fail(silent()));
    socket.once('connect', () => socket.write(`${line}\n`));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) return fail(silent());
      if (!text.includes('\n')) return;
      socket.removeAllListeners('close');
      socket.end();
      try {
        resolve(readReply(text));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function readReply(text: string): Record<string, unknown> {
  const reply = JSON.parse(text.slice(0, text.indexOf('\n')));
  if (reply?.ok === true) return reply.body;
  const { code, message, hint } = reply?.error ?? {};
  if (typeof code !== 'string' || typeof message !== 'string') throw silent();
  throw new TilsynError(code, message, typeof hint === 'string' ? { hint } : {});
}

function connectError(cause: unknown): TilsynError {
  if (hasCode(cause, 'EACCES', 'EPERM')) {
    return new TilsynError('control.denied', 'asking the agent: permission denied', {
      hint: 'Run this as the user of the agent, or as root.',
      exit: 'forbidden',
      cause,
    });
  }
  // Cut off after it was reached: stopping, or busy with as many askers as it takes.
  if (!hasCode(cause, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ENOTSOCK')) return silent();
  return new TilsynError('agent.not-running', 'asking the agent: none runs on this state directory', {
    hint: 'Start it with `tilsyn agent run --state DIR`, or name another --state.',
    exit: 'unreachable',
    cause,
  });
}

function silent(): TilsynError {
  return new TilsynError('control.silent', 'asking the agent: it closed without an answer', {
    hint: 'See the log of the agent; it may be stopping.',
    exit: 'unreachable',
    retryable: true,
  });
}
