/**
 * The declaration of x11vnc against a real one: each thing that can happen to a session is made to happen, and has to be
 * read out of the log as that. Prints how long each took from the act to the change; a program that is not installed is a
 * failure. Run with `node test/real/x11vnc.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LineReader, SessionChange } from '../../agent/sources/change.ts';
import { makeDeclaredReader } from '../../agent/sources/declared.ts';
import { loadDeclared } from '../../agent/sources/declared-load.ts';
import { systemClock } from '../../protocol/time.ts';
import { missingPrograms, RealVnc } from './vnc.ts';

const PASSWORD = 'marker77';
const WAIT_MS = 10_000;

/** Reads on in a file that grows, and keeps what was said. */
class Tail {
  readonly #text: () => string;
  readonly #reader: LineReader;
  #taken = 0;
  readonly said: SessionChange[] = [];
  unreadable = 0;

  constructor(text: () => string, reader: LineReader) {
    this.#text = text;
    this.#reader = reader;
  }

  look(): void {
    const text = this.#text();
    const end = text.lastIndexOf('\n') + 1;
    for (const line of text
      .slice(this.#taken, end)
      .split('\n')
      .filter((one) => one !== '')) {
      const result = this.#reader.line(line);
      if (result.ok) this.said.push(...result.changes);
      else this.unreadable += 1;
    }
    this.#taken = Math.max(this.#taken, end);
  }

  /** The changes from `from` on, as soon as they are as many as wanted. */
  async expect(step: string, from: number, wanted: readonly string[]): Promise<void> {
    const began = systemClock.mono();
    while (systemClock.mono() - began < WAIT_MS) {
      this.look();
      if (this.said.length - from >= wanted.length) break;
      await sleep(20);
    }
    const got = this.said.slice(from).map(brief);
    const fits = JSON.stringify(got) === JSON.stringify(wanted);
    const ms = Math.round(systemClock.mono() - began);
    console.log(`${fits ? 'ok  ' : 'FAIL'} ${step}: ${got.join(', ')} (${ms} ms)`);
    if (!fits) throw new Error(`${step}: expected ${wanted.join(', ')}`);
  }
}

function brief(change: SessionChange): string {
  return 'reason' in change ? `${change.what} ${change.reason}` : change.what;
}

async function scenes(vnc: RealVnc, tail: Tail): Promise<void> {
  const scene = async (step: string, wanted: readonly string[], act: () => Promise<void> | void) => {
    tail.look();
    const from = tail.said.length;
    await act();
    await tail.expect(step, from, wanted);
  };
  await scene('started', [], () => {});
  let client = await vnc.client(PASSWORD);
  const letIn = ['attempted', 'started'];
  await tail.expect('let in', tail.said.length, letIn);
  await scene('left', ['ended completed'], () => client.leave());
  await scene('wrong password', ['attempted', 'rejected wrong-password'], async () => {
    client = await vnc.client('wrong');
    if (client.letIn) throw new Error('a wrong password was accepted');
    client.leave();
  });
  await scene('let in again', letIn, async () => {
    client = await vnc.client(PASSWORD);
  });
  await scene('broke off', ['ended completed'], () => client.breakOff());
  await scene('knocked and left', ['attempted', 'rejected cancelled'], async () => {
    const socket = await vnc.knock();
    await sleep(1_500);
    socket.destroy();
  });
  await scene('two at once', [...letIn, ...letIn], async () => {
    client = await vnc.client(PASSWORD);
    await sleep(1_500);
    await vnc.client(PASSWORD);
  });
  await scene('one of two left', ['ended completed'], () => client.leave());
  await scene('stopped by a signal', ['tool-stopped'], () => vnc.stopServer('SIGTERM'));
  await scene('started again', ['tool-stopped'], () => vnc.startServer());
  await scene('let in once more', letIn, async () => {
    client = await vnc.client(PASSWORD);
  });
  await vnc.stopServer('SIGKILL');
  await scene('killed: the next start says so', ['tool-stopped'], () => vnc.startServer());
  if (tail.unreadable > 0) throw new Error(`${tail.unreadable} lines of x11vnc could not be read`);
}

const missing = missingPrograms();
if (missing.length > 0) {
  console.error(`not installed: ${missing.join(', ')} (apt-get install x11vnc xvfb)`);
  process.exit(1);
}
const spec = loadDeclared('x11vnc');
if (spec.format !== 'lines') throw new Error('the declaration of x11vnc is none for lines');
const dir = mkdtempSync(join(tmpdir(), 'tilsyn-vnc-'));
const vnc = new RealVnc(dir, PASSWORD);
const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
const reader = makeDeclaredReader(spec)({ zone, near: () => systemClock.now(), ownIps: [] });
let failed = false;
try {
  await vnc.start();
  await scenes(vnc, new Tail(() => vnc.text(), reader));
  console.log('x11vnc: every scene was read as what it was');
} catch (error) {
  failed = true;
  console.error(error instanceof Error ? error.message : error);
  console.error(vnc.text().split('\n').slice(-40).join('\n'));
} finally {
  await vnc.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
