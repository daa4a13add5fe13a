/**
 * `device.known`: what remote tools call this machine, sealed under the whole group of its agreement. By it the collector
 * knows a session for one of this agreement that somebody has with this machine from another one, where all that is
 * known of it is its peer's id.
 *
 * K8  Only a managed machine says what it is called; of a one-off machine nothing may outlive its sessions.
 * K7  What was said is remembered in memory only: no id, and nothing that an id could be tried against, is on the disk
 *     outside of the sealed part. So each process says it once, and again when it changed or another log is begun.
 */
import { hasCode } from '../protocol/errors.ts';
import { type EventPersonal, MAX_DEVICE_IDS } from '../protocol/event.ts';
import type { SourceId } from '../protocol/ids.ts';
import type { AgentIdentity, Draft, Journal } from './types.ts';

export type DeviceId = EventPersonal<'device.known'>['ids'][number];

export class DeviceIds {
  readonly #journal: Journal;
  readonly #mode: AgentIdentity['mode'];
  readonly #ids = new Map<SourceId, DeviceId>();
  /** What was said, and in which log. */
  #said: string | null = null;

  constructor(journal: Journal, mode: AgentIdentity['mode']) {
    this.#journal = journal;
    this.#mode = mode;
  }

  /** A source says what its tool calls this machine now; true: that is news. */
  note(source: SourceId, own: DeviceId): boolean {
    const known = this.#ids.get(source);
    if (known?.id === own.id && known.tool === own.tool) return false;
    this.#ids.set(source, { tool: own.tool, id: own.id });
    return true;
  }

  /**
   * Says what is not said yet.
   * @returns false where there is no key group to seal it under yet: try again when groups have come
   * @throws TilsynError `journal.full` and the like
   */
  tell(): boolean {
    const ids = this.#distinct();
    if (this.#mode === 'one-off' || ids.length === 0) return true;
    const open = this.#journal.logs().find((log) => log.open);
    if (open === undefined) return false;
    const said = JSON.stringify({ log: open.log, ids });
    if (said === this.#said) return true;
    const draft: Draft<'device.known'> = { type: 'device.known', data: {}, personal: { ids } };
    try {
      this.#journal.append([draft]);
    } catch (error) {
      if (hasCode(error, 'seal.no-group')) return false;
      throw error;
    }
    this.#said = said;
    return true;
  }

  /** Each once, in an order of their own: two installations of a tool share an id. */
  #distinct(): DeviceId[] {
    const byText = new Map([...this.#ids.values()].map((one) => [`${one.tool} ${one.id}`, one]));
    const texts = [...byText.keys()].sort().slice(0, MAX_DEVICE_IDS);
    return texts.flatMap((text) => byText.get(text) ?? []);
  }
}
