/**
 * Two sockets, one identity.
 *
 * A1  The same process (`instance`): the newer socket replaces the older at once.
 * A2  Another process, and the older one does not answer a ping in 5 s: it is half-open, the newer replaces it,
 *     and nobody is accused.
 * A3  Another process, and the older one answers: two run with one identity. Recorded once, both are refused
 *     until a person resolves it.
 */
import type { AgentId } from '../../protocol/ids.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { CONFLICT, reportConflict } from '../agents.ts';
import { Turns } from '../turns.ts';
import type { Context } from '../types.ts';
import type { LinkRegistry, LiveLink } from './links.ts';

const PONG_MS = 5 * SECOND_MS;

export class Arbiter {
  readonly #ctx: Context;
  readonly #links: LinkRegistry;
  readonly #turns = new Map<AgentId, { turns: Turns; waiting: number }>();

  constructor(ctx: Context, links: LinkRegistry) {
    this.#ctx = ctx;
    this.#links = links;
  }

  /** Enters the link into the registry, or ends it. One at a time per agent. */
  async enter(link: LiveLink & { readonly over: boolean }): Promise<boolean> {
    const queue = this.#turns.get(link.agent) ?? { turns: new Turns(), waiting: 0 };
    this.#turns.set(link.agent, queue);
    queue.waiting += 1;
    try {
      return await queue.turns.run(() => this.#decide(link));
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#turns.delete(link.agent);
    }
  }

  async #decide(link: LiveLink & { readonly over: boolean }): Promise<boolean> {
    const older = this.#links.of(link.agent);
    if (older !== undefined && older.instance !== link.instance && (await older.answers(PONG_MS))) {
      // Committed before either is told, so that neither comes in again in between.
      await reportConflict(this.#ctx, link.agent);
      older.end('identityConflict', CONFLICT);
      link.end('identityConflict', CONFLICT);
      return false;
    }
    if (link.over) return false;
    older?.end('replaced', null);
    this.#links.enter(link);
    return true;
  }
}
