/**
 * What is wrong with each root, told once for each change, whoever sees it first: the scan and the sweep share one of these.
 *
 * C67 `recordings.root-suspect` is told when the trouble of a root is another than before, or came back; once by one process.
 */
import type { SourceId } from '../../protocol/ids.ts';
import type { AgentJournal } from '../journal.ts';
import type { Catalogue } from './catalogue.ts';
import type { RootTrouble } from './root.ts';

/** A source by its row, and as events name it. */
export interface Suspected {
  id: number;
  source: SourceId;
}

export class Suspects {
  readonly #journal: Pick<AgentJournal, 'transact'>;
  readonly #catalogue: Pick<Catalogue, 'suspect'>;
  /** By row of the source. */
  readonly #known = new Map<number, RootTrouble>();

  constructor(journal: Pick<AgentJournal, 'transact'>, catalogue: Pick<Catalogue, 'suspect'>) {
    this.#journal = journal;
    this.#catalogue = catalogue;
  }

  tell({ id, source }: Suspected, reason: RootTrouble): RootTrouble {
    if (this.#known.get(id) === reason) return reason;
    this.#journal.transact(() => {
      this.#catalogue.suspect(id);
      return { tell: [{ type: 'recordings.root-suspect', data: { source, reason } }] };
    });
    this.#known.set(id, reason);
    return reason;
  }

  /** The root is the accepted one. */
  well(id: number): void {
    this.#known.delete(id);
  }
}
