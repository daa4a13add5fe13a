/**
 * Load for the collector, a process of its own: enrolled agents with prepared batches over real TLS and the real
 * handshake, never more in flight than the credits allow. Told what to do by its parent, over IPC.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { requireEnrolment } from '../agent/identity.ts';
import { loadAgentKey } from '../agent/keys.ts';
import { enrol } from '../agent/main.ts';
import { openWire, type Wire } from '../agent/uplink/wire.ts';
import { birthHash } from '../protocol/birth.ts';
import { FIRST_CREDITS, frameText, readCollectorFrame } from '../protocol/frame.ts';
import { spanHolds } from '../protocol/group.ts';
import { makeProof } from '../protocol/handshake.ts';
import { type LogId, newId, toB64 } from '../protocol/ids.ts';
import { systemClock, toIso } from '../protocol/time.ts';
import { type Batch, makeBatches, makeLines } from './leaves.ts';

export interface LoadConfig {
  dir: string;
  token: string;
  agents: number;
  eventsEach: number;
  parts: boolean;
}

export interface LoadResult {
  events: number;
  bytes: number;
  seconds: number;
  cpuSeconds: number;
}

const TIMEOUT_MS = 20_000;

class LoadAgent {
  readonly #state: string;
  readonly #batches: Batch[];
  #wire: Wire | null = null;
  #inFlight: Batch[] = [];
  #next = 0;
  readonly #done = Promise.withResolvers<void>();

  constructor(state: string, eventsEach: number, parts: boolean) {
    this.#state = state;
    const { birth, groups } = requireEnrolment(state);
    const log = birth.log as LogId;
    const now = systemClock.now();
    const group = groups.find((one) => one.class === 'session' && one.kind === 'span' && spanHolds(one, now));
    if (parts && group === undefined) throw new Error('no span group came with the enrolment');
    const wanted = { log, head: birthHash(birth), firstSeq: 1, events: eventsEach };
    this.#batches = makeBatches(log, makeLines({ ...wanted, group: parts ? (group ?? null) : null }));
  }

  get bytes(): number {
    return this.#batches.reduce((sum, { text }) => sum + text.length, 0);
  }

  /** Resolves when the collector has let it in. */
  connect(): Promise<void> {
    const { identity, birth } = requireEnrolment(this.#state);
    const key = loadAgentKey(this.#state);
    const hello = {
      t: 'hello' as const,
      agent: identity.agent,
      instance: newId(randomBytes),
      nonce: toB64(randomBytes(32)),
      logs: [{ birth, next: 1, head: toB64(birthHash(birth)), acked: 0 }],
      applied: { generation: null, n: 0 },
      groups: [],
      software: { version: '0.0.0', platform: 'bench', node: process.versions.node },
      time: toIso(systemClock.now()),
    };
    let channel = '';
    return new Promise((resolve, reject) => {
      const wire = openWire(
        { url: identity.url, ca: identity.ca, proxy: null, timeoutMs: TIMEOUT_MS },
        {
          opened: (value) => {
            channel = value;
            wire.send(frameText(hello));
          },
          text: (text) => {
            const read = readCollectorFrame(text);
            if (!read.ok) throw new Error('the collector sent no frame');
            const { frame } = read;
            if (frame.t === 'challenge') {
              wire.send(frameText({ t: 'proof', sig: makeProof(key, hello, frame, channel) }));
            } else if (frame.t === 'welcome') resolve();
            else if (frame.t === 'ack') this.#acked(frame.through);
            else if (frame.t === 'refuse') this.#done.reject(new Error(`${frame.code}: ${frame.message}`));
          },
          binary: () => {},
          heard: () => {},
          closed: (code) => this.#done.reject(new Error(`closed with ${code}`)),
          failed: (error) => reject(error),
        },
      );
      this.#wire = wire;
    });
  }

  drain(): Promise<void> {
    this.#fill();
    return this.#done.promise;
  }

  async close(): Promise<void> {
    this.#done.promise.catch(() => {});
    await this.#wire?.close(1001);
  }

  #acked(through: number): void {
    this.#inFlight = this.#inFlight.filter((batch) => batch.through > through);
    if (this.#next >= this.#batches.length && this.#inFlight.length === 0) this.#done.resolve();
    else this.#fill();
  }

  #fill(): void {
    for (let batch = this.#batches[this.#next]; batch !== undefined; batch = this.#batches[this.#next]) {
      const events = this.#inFlight.reduce((sum, one) => sum + one.events, batch.events);
      const bytes = this.#inFlight.reduce((sum, one) => sum + one.text.length, batch.text.length);
      if (events > FIRST_CREDITS.events || bytes > FIRST_CREDITS.bytes) return;
      this.#next += 1;
      this.#inFlight.push(batch);
      this.#wire?.send(batch.text);
    }
  }
}

async function load({ dir, token, agents: count, eventsEach, parts }: LoadConfig): Promise<LoadAgent[]> {
  const agents: LoadAgent[] = [];
  for (let n = 0; n < count; n += 1) {
    const state = join(dir, `load-${n}`);
    await enrol({ state, token });
    agents.push(new LoadAgent(state, eventsEach, parts));
  }
  await Promise.all(agents.map((agent) => agent.connect()));
  return agents;
}

const config = JSON.parse(process.argv[2] ?? '{}') as LoadConfig;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const agents = await load(config);
process.once('message', async () => {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(agents.map((agent) => agent.drain()));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const bytes = agents.reduce((sum, agent) => sum + agent.bytes, 0);
  const events = config.agents * config.eventsEach;
  const result: LoadResult = { events, bytes, seconds, cpuSeconds: (user + system) / 1e6 };
  process.send?.(result);
  await Promise.all(agents.map((agent) => agent.close()));
  process.exit(0);
});
process.send?.('ready');
