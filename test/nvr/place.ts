/** A root with recordings and an agent's state directory beside it, without a collector: for sweeps in a process of their own. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { ensureStateDir } from '../../agent/files.ts';
import { type OpenedJournal, openJournal } from '../../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../../agent/keys.ts';
import { layoutOf } from '../../agent/recordings/layouts/index.ts';
import { MARKER_FILE, markerText } from '../../agent/recordings/root.ts';
import { openRoots, type Root, sweepSourceOf } from '../../agent/recordings/roots.ts';
import { Sweep } from '../../agent/recordings/sweep.ts';
import type { AgentIdentity, FaultSeam } from '../../agent/types.ts';
import { newId, type SourceId } from '../../protocol/ids.ts';
import type { Policy } from '../../protocol/policy.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { DAY_MS, MINUTE_MS, systemClock, utcMs } from '../../protocol/time.ts';

export interface Where {
  state: string;
  root: string;
  identity: AgentIdentity;
}

/** Rules of the suite's own: recordings go after `keepAtMost`. */
export function policyOf(keepAtMost: string): Policy {
  const rule = { class: 'recording', trigger: 'recording-end', keepAtLeast: null, action: 'erase' } as const;
  return { name: 'dk-msp', version: 1, author: 'the suite', zone: 'UTC', rules: [{ ...rule, keepAtMost }] };
}

export interface Opened extends OpenedJournal {
  root: Root;
  sweep: Sweep;
  close(): void;
}

/** Opens the state directory as an agent does. */
export function openPlace({ state, root, identity }: Where, faults: FaultSeam = {}): Opened {
  const opened = openJournal({
    ...{ dir: state, identity, clock: systemClock, random: randomBytes, version: '0.1.0', faults },
    key: ensureAgentKey(state),
    digestKey: ensureDigestKey(state, randomBytes),
    ballastBytes: 64 * 1024,
  });
  const { journal, sweeps } = opened;
  const config = {
    type: 'recordings',
    root,
    layout: 'frigate',
    timeZone: 'UTC',
    longestSegment: null,
    mode: 'erase',
  } as const;
  const [first] = openRoots(opened, [config]);
  if (first === undefined) throw new Error('no root');
  const around = {
    policy: policyOf('P30D'),
    zone: 'UTC',
    site: identity.site,
    host: identity.agent,
    agreementEndsAt: null,
    floorMs: DAY_MS,
  };
  const sweep = new Sweep({
    ...{ journal, clock: systemClock, store: sweeps, faults, random: randomBytes },
    rest: () => new Promise((resolve) => setImmediate(resolve)),
    now: () => systemClock.now(),
    around: () => around,
    unconfirmed: () => false,
    timeTrouble: () => null,
  });
  return { ...opened, root: first, sweep, close: () => journal.close() };
}

/** Sweeps once. */
export async function sweepOnce({ sweeps, root, sweep }: Opened) {
  const source = sweepSourceOf(sweeps, root);
  if (source === null) throw new Error('the root was retired');
  return await sweep.run(source);
}

export class Place implements Where {
  readonly home: string;
  readonly state: string;
  root: string;
  readonly outside: string;
  readonly identity: AgentIdentity;

  constructor() {
    this.home = mkdtempSync(join(tmpdir(), 'tilsyn-nvr-'));
    this.state = join(this.home, 'state');
    this.root = join(this.home, 'recordings');
    this.outside = join(this.home, 'outside');
    ensureStateDir(this.state);
    for (const dir of [this.root, this.outside]) mkdirSync(dir);
    writeFileSync(join(this.outside, 'film.mp4'), 'private');
    writeFileSync(join(this.root, MARKER_FILE), markerText(newId<'source'>(randomBytes) as SourceId));
    this.identity = {
      ...{ agent: newId(randomBytes), agreement: newId(randomBytes), site: newId(randomBytes) },
      ...{ mode: 'managed', url: 'wss://127.0.0.1:1', collectorName: 'nobody', ca: null },
      ...{ identity: publicText(newSigningKey()), enrolledAt: '2026-01-01T00:00:00.000Z' },
    };
  }

  get where(): Where {
    const { state, root, identity } = this;
    return { state, root, identity };
  }

  /** Writes `count` recordings a minute apart that ended `days` ago and catalogues all that lies there. */
  fill(count: number, days: number): string[] {
    const paths = Array.from({ length: count }, (_, n) => {
      const iso = new Date(systemClock.now() - days * DAY_MS - n * MINUTE_MS).toISOString();
      return `${iso.slice(0, 10)}/${iso.slice(11, 13)}/gate/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
    });
    for (const path of paths) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), Buffer.alloc(64, 7));
    }
    return paths;
  }

  /** As a scan would; approved, as if a person had been asked. */
  catalogue(): void {
    const opened = openPlace(this.where);
    const { journal, catalogue, root } = opened;
    const layout = layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null });
    journal.transact(() => {
      for (const path of this.files()) {
        const parts = path.split('/');
        const name = parts.pop() ?? '';
        const says = layout.folder(parts).file(name);
        if (says.is !== 'recording') continue;
        let folder = catalogue.folder(root.id, null, '');
        for (const part of parts) folder = catalogue.folder(root.id, folder.id, part);
        const { size, ino } = lstatSync(join(this.root, path));
        const start = says.startEarliest;
        const row = {
          folder: folder.id,
          name,
          camera: catalogue.camera(root.id, says.camera).id,
          start,
          spread: 0,
        };
        catalogue.put({ ...row, ends: start + 10 * MINUTE_MS, size, inode: ino });
      }
      catalogue.setState(root.id, 'watched');
      opened.sweeps.approveSource(root.id);
      opened.sweeps.swept(root.id, utcMs(0));
      return { tell: [] };
    });
    opened.close();
  }

  files(): string[] {
    return readdirSync(this.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== MARKER_FILE)
      .map((entry) => relative(this.root, join(entry.parentPath, entry.name)))
      .sort();
  }

  foreignIsThere(): boolean {
    return existsSync(join(this.outside, 'film.mp4'));
  }

  /** Another root, on another disk; with a marker of its own. */
  moveTo(root: string): void {
    this.root = root;
    mkdirSync(root);
    writeFileSync(join(root, MARKER_FILE), markerText(newId<'source'>(randomBytes) as SourceId));
  }

  close(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
