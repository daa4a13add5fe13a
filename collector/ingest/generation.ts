/**
 * The generation: a random id of this collector's state.
 *
 * E1  An agent that was acked, or has applied, more than this state knows in its own generation proves that the
 *     state was rolled back: a new generation and a successor of the own log, in one transaction.
 * E2  A state cannot be behind a generation that this very process made; an agent that says so is wrong, and
 *     is refused instead of moving the whole fleet again.
 */
import type { AgentFrame, FrameOf } from '../../protocol/frame.ts';
import { type Id, newId } from '../../protocol/ids.ts';
import type { CollectorLog } from '../journal.ts';
import { turnsOf } from '../turns.ts';
import type { Context } from '../types.ts';

type Hello = FrameOf<AgentFrame, 'hello'>;

/** What this state knows of the agent that says hello. */
export interface KnownOf {
  generation: string;
  /** Cursor of each of its logs. */
  through: ReadonlyMap<string, number>;
  /** Commands issued to it in this generation. */
  issued: number;
}

/** Pure (E1). */
export function isAhead(hello: Pick<Hello, 'applied' | 'logs'>, known: KnownOf): boolean {
  if (hello.applied.generation !== known.generation) return false;
  if (hello.applied.n > known.issued) return true;
  return hello.logs.some(({ birth, acked }) => acked > (known.through.get(birth.log) ?? 0));
}

export class Generations {
  readonly #ctx: Context;
  readonly #own: CollectorLog;
  readonly #madeHere = new Set<string>();

  constructor(ctx: Context, own: CollectorLog) {
    this.#ctx = ctx;
    this.#own = own;
  }

  /** True where this process made the present generation (E2). */
  isYoung(): boolean {
    return this.#madeHere.has(this.#ctx.generation());
  }

  /** Leaves `old` behind; where another connection found it out first, there is nothing left to do. */
  async renew(old: string): Promise<void> {
    await turnsOf(this.#ctx, 'generation').run(async () => {
      if (this.#ctx.generation() !== old) return;
      const generation: Id<'generation'> = newId(this.#ctx.random);
      await this.#ctx.store.write(async (tx) => {
        await tx.setMeta('generation', generation);
        await this.#own.succeed(tx, 'restored');
        const data = { generation, reason: 'rolled-back' };
        await this.#own.append(tx, [{ type: 'collector.restored', data }]);
        // From here on agents are given the new one. A crash before the commit finds the old one again, and the
        // next hello of the same agent comes here again.
        tx.afterCommit(() => {
          this.#madeHere.add(generation);
          this.#ctx.adoptGeneration(generation);
        });
      });
      this.#ctx.log.warn('generation: this state was rolled back; agents come again and fill it up');
      this.#ctx.links.closeAll('generationChanged', null);
    });
  }
}
