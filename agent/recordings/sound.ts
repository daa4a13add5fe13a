/**
 * Whether a camera records sound: one finished recording of each camera is looked into once a day, headers only. Sound needs
 * a reason of its own in most rules about cameras, and nobody sees it in a picture.
 *
 * C62 Told when it is another answer than the last one of this run; `unknown` is told as such, never as silence.
 */
import { closeSync } from 'node:fs';
import { DAY_MS } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import { soundOf } from './audio.ts';
import type { Catalogue } from './catalogue.ts';
import { canErase, openFolder } from './erase.ts';
import { openRoot } from './root.ts';
import { acceptedOf, type Root } from './roots.ts';
import type { SweepStore } from './sweep-store.ts';

export interface SoundDeps {
  root: Root;
  journal: Pick<AgentJournal, 'transact'>;
  catalogue: Catalogue;
  sweeps: SweepStore;
  clock: { mono(): number };
  platform: string;
  rest(): Promise<void>;
}

type Sound = ReturnType<typeof soundOf>;

export class SoundWatch {
  readonly #d: SoundDeps;
  /** By row id of the camera. */
  readonly #heard = new Map<number, { sound: Sound; at: number }>();

  constructor(deps: SoundDeps) {
    this.#d = deps;
  }

  /** Looks into cameras that were not looked into for a day. */
  async look(): Promise<void> {
    const { root, sweeps, catalogue, clock, rest, platform } = this.#d;
    const source = sweeps.sources().find(({ id }) => id === root.id);
    const accepted = source === undefined ? null : acceptedOf(source);
    // Without `/proc` there is no way to a file that no link could bend.
    if (accepted === null || !canErase(platform)) return;
    for (const { id, camera } of sweeps.cameras(root.id)) {
      const before = this.#heard.get(id);
      if (before !== undefined && clock.mono() - before.at < DAY_MS) continue;
      const found = catalogue.newestOf(id);
      if (found === null) continue;
      const sound = this.#soundIn(accepted, found);
      if (sound === null) continue;
      this.#heard.set(id, { sound, at: clock.mono() });
      if (sound !== before?.sound) this.#tell(camera, sound);
      await rest();
    }
  }

  #soundIn(
    accepted: Parameters<typeof openRoot>[0],
    { folder, name }: { folder: number; name: string },
  ): Sound | null {
    const open = openRoot(accepted);
    if ('trouble' in open) return null;
    try {
      const at = openFolder(open, this.#d.sweeps.read.pathOf(folder));
      if (typeof at === 'string') return null;
      const fd = at.read(name);
      at.close();
      if (fd === null) return null;
      try {
        return soundOf(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      open.close();
    }
  }

  #tell(camera: string, sound: Sound): void {
    const { root, journal } = this.#d;
    journal.transact(() => ({
      tell: [{ type: 'camera.heard', data: { source: root.source, camera, sound } }],
    }));
  }
}
