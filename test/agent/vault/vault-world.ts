/** A root whose recorder deletes by itself, holds over it, and a vault: all on real files. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VaultConfig } from '../../../agent/config-schema.ts';
import { silentLog } from '../../../agent/log.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { MARKER_FILE } from '../../../agent/recordings/root.ts';
import type { Root } from '../../../agent/recordings/roots.ts';
import type { FaultSeam } from '../../../agent/types.ts';
import { Vault } from '../../../agent/vault/vault.ts';
import { MINUTE_MS } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld, type SweepWorldOptions } from '../recordings/sweep-world.ts';
import type { World } from '../support.ts';

/** What a test throws at a named point. */
export const KILLED = 'as if killed';
export const NOW = Date.UTC(2026, 10, 22, 8);
/** Quick enough that nothing rests. */
const CONFIG: VaultConfig = { path: null, quotaBytes: null, leaveHours: 0, ratePerSecond: 1e15 };

export interface VaultOptions extends SweepWorldOptions {
  config?: Partial<VaultConfig>;
  recorderDeletes?: boolean | null;
  /** Another vault than the product's: one that is broken on purpose. */
  made?: typeof Vault;
}

export class VaultWorld extends SweepWorld {
  readonly config: VaultConfig;
  readonly recorderDeletes: boolean | null;
  readonly made: typeof Vault;
  vault: Vault;
  /** What a round could not go on with; what a test threw itself is not among it. */
  readonly troubles: unknown[] = [];

  constructor(options: VaultOptions = {}, base?: World) {
    super({ mode: 'report', ...options }, base);
    this.config = { ...CONFIG, ...options.config };
    this.recorderDeletes = options.recorderDeletes ?? null;
    this.made = options.made ?? Vault;
    this.vault = this.newVault(options.faults);
  }

  get path(): string {
    return this.config.path ?? join(this.base.dir, 'vault');
  }

  newVault(faults: FaultSeam = {}): Vault {
    const { journal, sweeps, clock, vault: store, dir } = this.base;
    return new this.made({
      ...{ config: this.config, defaultPath: join(dir, 'vault'), journal, sweeps, store, clock, faults },
      ...{ random: randomBytes, platform: 'linux' },
      log: { ...silentLog, trouble: (_, error) => void this.troubles.push(error) },
      standing: { zone: 'UTC', site: this.site, host: this.host, agreementEndsAt: null },
      roots: () => [this.rootOf()],
      around: () => this.around(),
      now: () => this.trusted,
      unconfirmed: () => this.unconfirmed,
      rest: () => new Promise((resolve) => setImmediate(resolve)),
    });
  }

  rootOf(): Root {
    const { root, layout, zone: timeZone, mode, recorderDeletes } = this;
    const config = {
      type: 'recordings',
      root,
      layout,
      timeZone,
      longestSegment: null,
      mode,
      recorderDeletes,
    };
    const reads = layoutOf({ layout, zone: timeZone, longestSegmentMs: null });
    return { config: config as Root['config'], id: this.id, source: this.source, layout: reads };
  }

  /** Holds changed, and everything that follows is done. */
  async copy(): Promise<void> {
    this.vault.holdsChanged();
    await this.vault.settled();
    for (const error of this.troubles.splice(0)) if (!isKilled(error)) throw error;
  }

  async sweepVault(): Promise<void> {
    await this.vault.swept();
  }

  /** Recordings of one camera, a minute apart from `at` on; each with content of its own. */
  footage(at: number, count: number, camera = 'gate', bytes = 3_000): string[] {
    const paths = Array.from({ length: count }, (_, n) => frigatePath(at + n * MINUTE_MS, camera));
    for (const path of paths) writeFileSync(this.record(path), randomBytes(bytes));
    this.catalogue();
    return paths;
  }

  /** Files in the vault, without the marker. */
  kept(): string[] {
    if (!existsSync(this.path)) return [];
    return readdirSync(this.path)
      .filter((name) => name !== MARKER_FILE)
      .sort();
  }

  /** SHA-256 of each copy by the path of its original, as the rows have both, compared with the files. */
  copies(): Map<string, string> {
    const rows = this.sql('SELECT file, path, sha256 FROM vault_copies WHERE state = 2') as {
      file: Buffer;
      path: Buffer;
      sha256: Buffer;
    }[];
    return new Map(
      rows.map(({ file, path, sha256 }) => {
        const real = digestOf(join(this.path, file.toString('hex')));
        return [path.toString(), real === sha256.toString('hex') ? real : 'differs'];
      }),
    );
  }

  digests(paths: readonly string[]): Map<string, string> {
    return new Map(paths.map((path) => [path, digestOf(join(this.root, path))]));
  }

  stateCounts(): Record<string, number> {
    const rows = this.sql('SELECT state, count(*) AS n FROM vault_copies GROUP BY state') as {
      state: number;
      n: number;
    }[];
    const names = ['copying', 'whole', 'copied', 'lost', 'erasing', 'erased'];
    return Object.fromEntries(rows.map(({ state, n }) => [names[state] ?? '?', n]));
  }

  /** As after a crash: another process opens the same state. */
  restart(faults: FaultSeam = {}): void {
    this.vault = this.newVault(faults);
  }
}

function isKilled(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message === KILLED || isKilled(error.cause);
}

export function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
