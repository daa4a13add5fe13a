/** Telemetry and inventory of a running agent, and what they say about the host's name. */
import type { Random } from '../../protocol/ids.ts';
import { type Clock, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentConfig } from '../config.ts';
import { fittingDisks, type HostFacts, hostFacts } from '../host-name.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import type { Link } from '../uplink/link.ts';
import type { OpenAlert } from './alerts.ts';
import { type Inventory, InventoryTaker, readInventory } from './inventory.ts';
import { thisMachine } from './probe.ts';
import type { TelemetryStore } from './store.ts';
import { Telemetry, type TelemetryStatus } from './telemetry.ts';

export interface HealthDeps {
  /** State directory. */
  state: string;
  config: AgentConfig;
  store: TelemetryStore;
  journal: AgentJournal;
  link: Link;
  clock: Clock;
  random: Random;
  log: AgentLog;
  /** As Node names it. */
  platform: string;
  /** What the host is called may have changed. */
  changed(): void;
  /** True: nothing is measured (M1). */
  over(): boolean;
  /** Seconds until holds fill a disk (R9). */
  holdsFill(): Promise<number | null | undefined>;
}

/** Types and not interfaces, so that they may travel as plain records. */
export type HealthStatus = {
  telemetry: Omit<TelemetryStatus, 'last'> & { last: ShownSample | null };
  alerts: OpenAlert[];
};
export type ShownSample = Omit<NonNullable<TelemetryStatus['last']>, 'at'> & { at: string };

export class Health {
  readonly #telemetry: Telemetry;
  readonly #taker: InventoryTaker | null;
  readonly #deps: Pick<HealthDeps, 'journal' | 'store'>;
  #inventory: Inventory | null = null;

  constructor(deps: HealthDeps) {
    this.#deps = deps;
    const { config, platform, link, clock, log } = deps;
    this.#telemetry = new Telemetry({
      ...deps,
      sampling: config.telemetry,
      // Without telemetry nobody asked for less than the default: Tilsyn itself is spoken of.
      notify: config.telemetry?.notify ?? 'audit',
      machine: thisMachine(platform),
      skewMs: () => (link.live() === null ? null : link.status().skewMs),
      disksChanged: () => deps.changed(),
    });
    const schedule = config.schedule.inventory;
    const taken = (inventory: Inventory) => {
      this.#inventory = inventory;
      deps.changed();
    };
    this.#taker =
      config.telemetry === null
        ? null
        : new InventoryTaker({ clock, log, schedule, read: readInventory, taken });
  }

  start(): void {
    this.#telemetry.start();
    this.#taker?.start();
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    this.#taker?.stop();
    await this.#telemetry.stop();
  }

  /** Erases what was measured, from the database and from memory (T31). False: call it again. */
  erase(): boolean {
    const { journal, store } = this.#deps;
    this.#telemetry.forget();
    return journal.erase(() => store.erase());
  }

  /** Samples that are too old, where nothing is measured any more and so nothing drops them on the way (T11). */
  dropStale(now: UtcMs): void {
    const { journal, store } = this.#deps;
    journal.erase(() => store.dropStale(now));
  }

  /** How the host is called, as far as it is known; provisional until the first inventory has come. */
  named(): { facts: HostFacts; provisional: boolean } {
    const basic = hostFacts();
    if (this.#taker === null) return { facts: basic, provisional: false };
    if (this.#inventory === null) return { facts: basic, provisional: true };
    const { os, virtualisation, labels } = this.#inventory;
    const disks = this.#telemetry.disks().map(({ index, mount }) => {
      const label = labels.get(mount);
      return { index, mount, ...(label === undefined ? {} : { label }) };
    });
    return { facts: { ...basic, os, virtualisation, disks: fittingDisks(disks) }, provisional: false };
  }

  status(): HealthStatus {
    const { last, ...telemetry } = this.#telemetry.status();
    const shown = last === null ? null : { ...last, at: toIso(utcMs(last.at)) };
    return { telemetry: { ...telemetry, last: shown }, alerts: this.#telemetry.openAlerts() };
  }
}
