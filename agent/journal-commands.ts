/**
 * Commands of the collector: numbered per generation from 1 without holes, applied in order.
 *
 * J9  A command takes effect exactly once: its number, its effect and its result event are one transaction.
 */
import { TilsynError } from '../protocol/errors.ts';
import { type Id, idBytes, idFrom } from '../protocol/ids.ts';
import type { Db, Statement } from './db.ts';
import type { Applied } from './types.ts';

export class CommandBook {
  readonly #current: Statement<[], { generation: Buffer; applied: number }>;
  readonly #leave: Statement;
  readonly #adopt: Statement;
  readonly #apply: Statement;

  constructor(db: Db) {
    this.#current = db.prepare<[], { generation: Buffer; applied: number }>(
      'SELECT generation, applied FROM generations WHERE current = 1',
    );
    this.#leave = db.prepare('UPDATE generations SET current = 0 WHERE current = 1');
    this.#adopt = db.prepare(
      `INSERT INTO generations (generation, current) VALUES (?, 1)
       ON CONFLICT (generation) DO UPDATE SET current = 1`,
    );
    this.#apply = db.prepare('UPDATE generations SET applied = ? WHERE generation = ?');
  }

  applied(): Applied {
    const row = this.#current.get();
    return row === undefined
      ? { generation: null, n: 0 }
      : { generation: idFrom(row.generation), n: row.applied };
  }

  /** Inside a transaction. A generation met before goes on where it was: nothing is replayed. */
  adopt(generation: Id<'generation'>): void {
    this.#leave.run();
    this.#adopt.run(idBytes(generation));
  }

  /**
   * True where n is the next command; false where it was applied before.
   * @throws TilsynError `command.out-of-order`
   */
  isNext(generation: Id<'generation'>, n: number): boolean {
    const present = this.applied();
    if (present.generation !== generation || n > present.n + 1) {
      throw new TilsynError('command.out-of-order', `applying command ${n}: ${present.n} was the last one`, {
        hint: 'Connect again: the collector then sends the commands from the first missing one.',
        retryable: true,
      });
    }
    return n === present.n + 1;
  }

  /** Inside the transaction of the effect and the result event. */
  save(generation: Id<'generation'>, n: number): void {
    this.#apply.run(n, idBytes(generation));
  }
}
