/** What became of the parts of one batch, as few events of the own log (P4 of `parts.ts`). */
import type { LogId } from '../../protocol/ids.ts';
import type { OwnDraft } from '../types.ts';
import type { PlannedPart } from './parts.ts';

type Said = 'sealed.dropped' | 'sealed.invalid' | 'sealed.regrouped';
interface Count {
  type: Said;
  seq: number;
  from: string | null;
  to: string | null;
  count: number;
}

export class Tally {
  readonly #log: LogId;
  readonly #counts = new Map<string, Count>();

  constructor(log: LogId) {
    this.#log = log;
  }

  add(part: PlannedPart, outcome: PlannedPart['outcome']): void {
    const { group, under } = part;
    if (outcome === 'drop') this.#count('sealed.dropped', '', part, null);
    else if (outcome === 'invalid') this.#count('sealed.invalid', '', part, null);
    else if (under !== group) this.#count('sealed.regrouped', `${group}/${under}`, part, under);
  }

  events(): OwnDraft[] {
    return [...this.#counts.values()].map(({ type, count, ...at }) => ({
      type,
      data: { log: this.#log, ...at, ...(count === 1 ? {} : { count }) },
    }));
  }

  #count(type: Said, way: string, { group, leaf }: PlannedPart, to: string | null): void {
    const key = `${type}/${way}`;
    const known = this.#counts.get(key);
    if (known === undefined) {
      this.#counts.set(key, { type, seq: leaf.leaf.seq, from: group, to, count: 1 });
      return;
    }
    known.count += 1;
    if (known.from !== group) known.from = null;
  }
}
