/**
 * What keeps one root read: a pass at the start and every ten minutes, and looks at the hot folders in between. After a
 * person accepted another disk, both begin anew with what was accepted.
 */
import { type Clock, MINUTE_MS } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import type { Draft } from '../types.ts';
import type { Catalogue } from './catalogue.ts';
import type { Watcher } from './keeper.ts';
import { rest } from './rest.ts';
import { identityOf } from './root.ts';
import { acceptedOf, type Root } from './roots.ts';
import { type Progress, type ScanDeps, Scanner, type ScanTarget } from './scan.ts';
import { SoundWatch } from './sound.ts';
import type { Suspects } from './suspects.ts';
import type { SweepStore } from './sweep-store.ts';
import { chokidarWatcher, HotWatch, isNetwork } from './watch.ts';

const PASS_MS = 10 * MINUTE_MS;
/** File systems whose inode numbers do not last over a mount. */
const NO_INODES = /^(vfat|msdos|exfat|fuseblk|ntfs3?)$/;

export interface WatchingDeps {
  root: Root;
  journal: AgentJournal;
  catalogue: Catalogue;
  sweeps: SweepStore;
  /** Shared with the sweep. */
  suspects: Suspects;
  clock: Clock;
  log: AgentLog;
  /** `linux` and the like. */
  platform: string;
  /** A whole pass ended. */
  passed(): Promise<void>;
  vanished?: ScanDeps['vanished'];
}

export function watcherOf(deps: WatchingDeps): Watcher & { progress(): Progress | null } {
  return new RootWatcher(deps);
}

class RootWatcher implements Watcher {
  readonly #d: WatchingDeps;
  #scanner: Scanner | null = null;
  #hot: HotWatch | null = null;
  #cancel: () => void = () => {};
  #stopped = false;
  /** What the running scanner takes for the root, as text. */
  #for = '';
  #turn: Promise<void> = Promise.resolve();
  readonly #sound: SoundWatch;

  constructor(deps: WatchingDeps) {
    this.#d = deps;
    this.#sound = new SoundWatch({ ...deps, rest });
  }

  start(): void {
    void this.pass();
  }

  /** A pass now; the next one ten minutes after it. Never throws: what failed is logged, and tried again then. */
  pass(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      this.#cancel();
      if (this.#stopped) return;
      try {
        await this.#pass();
        this.#d.log.recovered('scan');
      } catch (error) {
        this.#d.log.trouble('scan', error);
      }
      if (!this.#stopped) this.#cancel = this.#d.clock.after(PASS_MS, () => void this.pass());
    });
    return this.#turn;
  }

  async #pass(): Promise<void> {
    const target = this.#target();
    const as = JSON.stringify(target.accepted);
    if (this.#scanner === null || as !== this.#for) await this.#renew(target, as);
    const ended = await this.#scanner?.pass();
    if (ended !== 'done') return;
    await this.#d.passed();
    await this.#sound.look();
    if (this.#hot !== null || this.#stopped) return;
    this.#hot = this.#makeHot(target);
    await this.#hot.start();
  }

  async #renew(target: ScanTarget, as: string): Promise<void> {
    await this.#release();
    const { journal, catalogue, clock, suspects, vanished } = this.#d;
    this.#scanner = new Scanner({ journal, catalogue, clock, suspects, rest, vanished }, target);
    this.#for = as;
  }

  #target(): ScanTarget {
    const { root, sweeps } = this.#d;
    const source = sweeps.sources().find(({ id }) => id === root.id);
    const accepted = source === undefined ? null : acceptedOf(source);
    const inodes = !NO_INODES.test(typeOf(root.config.root)) && !isNetwork(typeOf(root.config.root));
    return {
      id: root.id,
      source: root.source,
      root: root.config.root,
      layout: root.layout,
      accepted,
      inodes,
    };
  }

  #makeHot(target: ScanTarget): HotWatch {
    const { catalogue, clock, journal, log } = this.#d;
    const scanner = this.#scanner;
    return new HotWatch(
      {
        ...{ catalogue, clock },
        look: (folders) => scanner?.look(folders) ?? Promise.resolve('stopped'),
        reconcile: () => this.pass(),
        lost: () => journal.append([lostDraft(target)]),
        pending: () => scanner?.pending ?? [],
        failed: (error) => log.trouble('watch', error),
        watcher: chokidarWatcher,
      },
      { id: target.id, root: target.root, layout: target.layout, polled: isNetwork(typeOf(target.root)) },
    );
  }

  progress(): Progress | null {
    return this.#scanner?.progress() ?? null;
  }

  async #release(): Promise<void> {
    const [scanner, hot] = [this.#scanner, this.#hot];
    this.#scanner = null;
    this.#hot = null;
    // The scanner first: the watch waits for a look that runs in it.
    await scanner?.stop();
    await hot?.stop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#release();
    await this.#turn;
  }
}

/** C30: told once until a watcher stands again. */
function lostDraft({ source }: ScanTarget): Draft<'recording.unknown'> {
  const nothing = { camera: null, bytes: null, from: null, to: null };
  return { type: 'recording.unknown', data: { source, ...nothing, count: 0, reason: 'watch-failed' } };
}

function typeOf(root: string): string {
  try {
    return identityOf(root).type;
  } catch {
    return '';
  }
}
