/**
 * What telemetry costs an agent: the whole of it, from the probe of this machine to the disk and the frame, for days
 * of a minute each that pass as fast as they can. Real disks are asked, a real database written; the link is counted.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureStateDir } from '../agent/files.ts';
import { openJournal } from '../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../agent/keys.ts';
import { silentLog } from '../agent/log.ts';
import type { SampleLink } from '../agent/telemetry/outbox.ts';
import { thisMachine } from '../agent/telemetry/probe.ts';
import { Telemetry } from '../agent/telemetry/telemetry.ts';
import { frameText } from '../protocol/frame.ts';
import { newId } from '../protocol/ids.ts';
import { newSigningKey, publicText } from '../protocol/sign.ts';
import { type Clock, systemClock, utcMs } from '../protocol/time.ts';
import type { BenchResult } from './result.ts';

const DAY_SAMPLES = 24 * 60;
/** Of a masked WebSocket frame over 125 bytes, and of the TLS 1.3 record around it. */
const FRAMING_BYTES = 8 + 22;

/** A minute passes whenever the agent waits for one. */
class FastClock implements Clock {
  #at: number = systemClock.now();
  #due: (() => void) | null = null;
  now() {
    return utcMs(this.#at);
  }
  mono() {
    return this.#at;
  }
  after(ms: number, fn: () => void) {
    // Only the wait for the next sample is as long as that; how long a disk may take does not matter here.
    if (ms === 60_000) this.#due = fn;
    return () => {};
  }
  async minute(): Promise<void> {
    while (this.#due === null) await new Promise((resolve) => setImmediate(resolve));
    this.#at += 60_000;
    const fn = this.#due;
    this.#due = null;
    fn();
  }
}

class CountingLink implements SampleLink {
  bytes = 0;
  live() {
    return 1;
  }
  sendSamples(samples: Parameters<SampleLink['sendSamples']>[0]) {
    this.bytes += Buffer.byteLength(frameText({ t: 'telemetry', samples: [...samples] })) + FRAMING_BYTES;
    return true;
  }
}

export async function telemetryAgentBench(): Promise<BenchResult[]> {
  const root = mkdtempSync(join(tmpdir(), 'tilsyn-bench-'));
  try {
    return await measure(join(root, 'state'));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function measure(dir: string): Promise<BenchResult[]> {
  const clock = new FastClock();
  const link = new CountingLink();
  const { journal, store } = open(dir, clock);
  const telemetry = new Telemetry({
    ...{ state: dir, store, journal, link, clock, random: randomBytes, log: silentLog },
    sampling: { everyMs: 60_000 },
    notify: 'audit',
    machine: thisMachine(process.platform),
    skewMs: () => 0,
    disksChanged: () => {},
  });
  telemetry.start();
  for (let n = 0; n < DAY_SAMPLES / 4; n++) await clock.minute();
  const before = { size: sizeOf(dir), written: writtenBytes(), wire: link.bytes, cpu: process.cpuUsage() };
  const began = performance.now();
  for (let n = 0; n < DAY_SAMPLES; n++) await clock.minute();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(before.cpu);
  const day = { size: sizeOf(dir) - before.size, written: writtenBytes() - before.written };
  const disks = telemetry.status().last?.disks.length ?? 0;
  await telemetry.stop();
  journal.close();
  return [
    { name: `one sample of ${disks} disk(s), CPU`, value: (user + system) / DAY_SAMPLES / 1000, unit: 'ms' },
    { name: 'one sample, until it is on the disk', value: ms / DAY_SAMPLES, unit: 'ms' },
    { name: 'an agent and day, on the wire', value: (link.bytes - before.wire) / 1024, unit: 'KB' },
    { name: 'an agent and day, kept on its disk', value: day.size / 1024, unit: 'KB' },
    { name: 'an agent and day, written to its disk', value: day.written / 2 ** 20, unit: 'MB' },
  ];
}

function open(dir: string, clock: Clock) {
  ensureStateDir(dir);
  const { journal, telemetry: store } = openJournal({
    dir,
    identity: {
      agent: newId(randomBytes),
      agreement: newId(randomBytes),
      site: newId(randomBytes),
      mode: 'managed',
      url: 'wss://127.0.0.1:1',
      collectorName: 'bench.example',
      identity: publicText(newSigningKey()),
      ca: null,
      enrolledAt: '2026-11-22T08:00:00.000Z',
    },
    key: ensureAgentKey(dir),
    digestKey: ensureDigestKey(dir, randomBytes),
    clock,
    random: randomBytes,
    version: '0.1.0',
  });
  return { journal, store };
}

/** Of the database without its log, which is used over and over. */
function sizeOf(dir: string): number {
  return statSync(join(dir, 'agent.db')).size;
}

/** By this process, as the system counts it; 0 where it does not. */
function writtenBytes(): number {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
