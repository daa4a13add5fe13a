/** A machine whose values a test sets, and a link that a test opens and closes. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../../../agent/log.ts';
import type { SampleLink } from '../../../agent/telemetry/outbox.ts';
import type { Machine, Space } from '../../../agent/telemetry/probe.ts';
import { Telemetry, type TelemetryDeps } from '../../../agent/telemetry/telemetry.ts';
import type { Sample } from '../../../protocol/telemetry.ts';
import type { TestClock, World } from '../support.ts';

export const GB = 1024;

export class TestMachine implements Machine {
  disks = new Map<string, Space | null>([['/', space(400, 100 * GB)]]);
  /** Per mille of all cores. */
  load = 100;
  free = 8;
  readonly memoryIsTelling = true;
  readonly #clock: TestClock;
  #at = 0;
  #busy = 0;
  #all = 0;

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  cpu() {
    const passed = this.#clock.mono() - this.#at;
    this.#at += passed;
    this.#busy += (passed * this.load) / 1000;
    this.#all += passed;
    return { busy: this.#busy, all: this.#all };
  }
  memory() {
    return { free: this.free * 2 ** 30, total: 16 * 2 ** 30 };
  }
  uptimeSeconds() {
    return Math.floor(this.#clock.mono() / 1000);
  }
  mounts() {
    return Promise.resolve([...this.disks.keys()]);
  }
  space(mount: string): Promise<Space> {
    // Anything else is the state directory, which lies on the root's disk.
    const found = this.disks.has(mount) ? this.disks.get(mount) : this.disks.get('/');
    return found == null ? new Promise(() => {}) : Promise.resolve(found);
  }
}

export function space(usedPermille: number, freeMb: number): Space {
  return { usedPermille, freeMb, totalMb: 500 * GB, inodesUsedPermille: 100 };
}

export class TestLink implements SampleLink {
  number: number | null = null;
  takes = true;
  readonly frames: Sample[][] = [];
  live() {
    return this.number;
  }
  sendSamples(samples: readonly Sample[]) {
    if (this.number === null || !this.takes) return false;
    this.frames.push([...samples]);
    return true;
  }
}

export interface HealthWorld {
  w: World;
  machine: TestMachine;
  link: TestLink;
  telemetry: Telemetry;
  /** Moves both clocks in steps of ten seconds, and lets what is due be done. */
  pass(minutes: number): Promise<void>;
  changes: { disks: number };
}

export function health(
  w: World,
  { acks = true, ...more }: Partial<TelemetryDeps> & { acks?: boolean } = {},
): HealthWorld {
  const machine = (more.machine as TestMachine | undefined) ?? new TestMachine(w.clock);
  const link = (more.link as TestLink | undefined) ?? new TestLink();
  const changes = { disks: 0 };
  const telemetry = new Telemetry({
    sampling: { everyMs: 60_000 },
    notify: 'all',
    state: w.dir,
    store: w.telemetry,
    journal: w.journal,
    machine,
    link,
    skewMs: () => null,
    clock: w.clock,
    random: randomBytes,
    log: silentLog,
    disksChanged: () => {
      changes.disks += 1;
    },
    ...more,
  });
  // Not in the same breath, so that a test can set the machine first.
  setImmediate(() => telemetry.start());
  const pass = async (minutes: number) => {
    await settled();
    for (let step = 0; step < minutes * 6; step++) {
      w.clock.advance(10_000);
      await settled();
      for (const { log, next } of acks ? w.journal.logs() : []) w.journal.acked(log, next - 1);
    }
  };
  return { w, machine, link, telemetry, pass, changes };
}

/** Everything that was resolved has been acted on. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

interface AlertLeaf {
  type: string;
  data: Record<string, unknown> & { alert: string; check: string; index: number | null; level: string };
}

/** Alert events of the open log, in order. */
export function alertEvents(w: World): AlertLeaf[] {
  const log = w.journal.logs().find(({ open }) => open)!;
  const found: AlertLeaf[] = [];
  for (let after = 0; ; ) {
    const out = w.journal.outgoing(log.log, after, { events: 500, bytes: 256 * 1024 });
    if (out === null) return found;
    after = out.lastSeq;
    found.push(
      ...out.events
        .map((text) => JSON.parse(text) as AlertLeaf)
        .filter(({ type }) => type.startsWith('alert.')),
    );
  }
}

export const told = (w: World) =>
  alertEvents(w).map(
    ({ type, data }) => `${type.slice(6)} ${data.check}${data.index ?? ''} ${data.level} ${data.notify}`,
  );
