/** What is said while a hold waits for copies: how far each host is, and about how long it still takes. Pure. */
import { SECOND_MS } from '../protocol/time.ts';
import type { Item } from './print.ts';
import { clean } from './text.ts';
import { showSeconds } from './times.ts';

/** Between two lines. */
const EVERY_MS = 5 * SECOND_MS;

interface Seen {
  copied: number;
  at: number;
}

export class HoldProgress {
  readonly #names: ReadonlyMap<string, string>;
  readonly #first = new Map<string, Seen>();
  #said: { text: string; at: number } | null = null;

  /** @param placed with the names of its hosts: later answers have ids only */
  constructor(placed: Item) {
    const hosts = (placed.agents ?? []) as Item[];
    this.#names = new Map(hosts.map(({ hostId, host }) => [String(hostId), String(host)]));
  }

  /** A line that says something new; null: there is none, or the last one is too young. */
  line(item: Item, mono: number): string | null {
    const hosts = ((item.agents ?? []) as Item[]).filter(({ protection }) => protection === 'copying');
    const text = hosts.map((host) => this.#of(host, mono)).join('; ');
    if (text === '' || text === this.#said?.text) return null;
    if (this.#said !== null && mono - this.#said.at < EVERY_MS) return null;
    this.#said = { text, at: mono };
    return text;
  }

  #of({ hostId, copied, recordings }: Item, at: number): string {
    const id = String(hostId);
    const done = Number(copied ?? 0);
    const first = this.#first.get(id) ?? { copied: done, at };
    this.#first.set(id, first);
    const all = Number(recordings ?? 0);
    const head = `${clean(this.#names.get(id) ?? id)}: copied ${done} of ${all}`;
    // As fast as since the first look; before anything moved nobody can say.
    const moved = done - first.copied;
    if (moved <= 0 || at <= first.at || all <= done) return head;
    const left = (((all - done) / moved) * (at - first.at)) / SECOND_MS;
    return `${head}, about ${showSeconds(Math.ceil(left))} left`;
  }
}
