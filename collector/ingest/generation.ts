/**
 * The generation: a random id of this collector's state.
 *
 * E1  An agent that was acked, or has applied, more than this state knows in its own generation proves that the
 *     state was rolled back: a new generation and a successor of the own log, in one transaction.
 * E2  A state cannot be behind a generation that this very process made; an agent that says so is wrong, and
 *     is refused instead of moving the whole fleet again.
 * E3  Whose word moved the fleet is recorded, with the numbers. An agent whose last such word came to nothing (it
 *     neither sent again what it said was lost, nor began a new log) is not believed a second time.
 */
import type { EventData } from '../../protocol/event.ts';
import type { AgentFrame, FrameOf } from '../../protocol/frame.ts';
import { type AgentId, type Id, type LogId, newId } from '../../protocol/ids.ts';
import type { CollectorLog } from '../journal.ts';
import { turnsOf } from '../turns.ts';
import type { Context } from '../types.ts';

/** A state is set back a few times in its life. */
const MOST_RESTORES = 10_000;

type Hello = FrameOf<AgentFrame, 'hello'>;

/** What this state knows of the agent that says hello. */
export interface KnownOf {
  generation: string;
  /** Cursor of each of its logs. */
  through: ReadonlyMap<string, number>;
  /** Commands issued to it in this generation. */
  issued: number;
}

/** What an agent says was known here; null `log`: commands. */
export interface Claim {
  log: LogId | null;
  claimed: number;
  known: number;
}

/** The first thing in `hello` that this state ought to know and does not (E1). Pure. */
export function claimAhead(hello: Pick<Hello, 'applied' | 'logs'>, known: KnownOf): Claim | null {
  if (hello.applied.generation !== known.generation) return null;
  for (const { birth, acked, next } of hello.logs) {
    const through = known.through.get(birth.log) ?? 0;
    // Nothing was acked that was never written: such a claim is none (E3).
    if (acked > through && acked < next) return { log: birth.log as LogId, claimed: acked, known: through };
  }
  const { n } = hello.applied;
  return n > known.issued ? { log: null, claimed: n, known: known.issued } : null;
}

/** True where the agent made good what it said before: sent that log again, or left it for another (E3). Pure. */
export function madeGood({ log, claimed }: Claim, hello: Pick<Hello, 'logs'>, known: KnownOf): boolean {
  if (log === null) return false;
  return (known.through.get(log) ?? 0) >= claimed || hello.logs.at(-1)?.birth.log !== log;
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

  /** False where this agent has said such a thing before, and did nothing about it (E3). */
  async believes(agent: AgentId, hello: Hello, known: KnownOf): Promise<boolean> {
    const { read } = this.#ctx.store;
    const leaves = await read.leaves({ types: ['collector.restored'], limit: MOST_RESTORES });
    const told = leaves
      .map(({ bytes }) => (JSON.parse(bytes) as { data: EventData<'collector.restored'> }).data)
      .findLast((data) => data.agent === agent);
    if (told === undefined) return true;
    const log = (told.log ?? null) as LogId | null;
    const [row] = log === null ? [] : await read.logStates([log]);
    const through = new Map(row === undefined ? [] : [[row.log as string, row.through]]);
    return madeGood({ log, claimed: told.claimed ?? 0, known: 0 }, hello, { ...known, through });
  }

  /** Leaves `old` behind; where another connection found it out first, there is nothing left to do. */
  async renew(old: string, agent: AgentId, claim: Claim): Promise<void> {
    await turnsOf(this.#ctx, 'generation').run(async () => {
      if (this.#ctx.generation() !== old) return;
      const generation: Id<'generation'> = newId(this.#ctx.random);
      await this.#ctx.store.write(async (tx) => {
        await tx.setMeta('generation', generation);
        await this.#own.succeed(tx, 'restored');
        const data = { generation, reason: 'rolled-back', agent, ...claim };
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
