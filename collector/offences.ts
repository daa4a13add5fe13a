/**
 * What agents, or those who pose as such, do that they must not. A record for people; what stops it is done where it
 * happens.
 *
 * P7  Each offence is counted in an event, a second after the first; a flood of them is a bounded number of events.
 */
import { codeOf } from '../protocol/errors.ts';
import type { AgentId } from '../protocol/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import type { OffenceReason } from '../protocol/words.ts';
import type { Context, OwnDraft } from './types.ts';

/** The first ones are seen soon, and what comes with them is one event with them. */
const SOON_MS = SECOND_MS;
/** Agents told apart in one minute; the rest is counted without a name. */
const MOST_AGENTS = 32;

interface Count {
  agent: AgentId | null;
  reason: OffenceReason;
  count: number;
}

export class Offences {
  readonly #ctx: Context;
  #counts = new Map<string, Count>();
  #agents = new Set<AgentId>();
  #cancel: (() => void) | null = null;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** @param agent null: nobody has proven to be it */
  add(agent: AgentId | null, reason: OffenceReason): void {
    if (this.#closed) return;
    const who = agent !== null && this.#toldApart(agent) ? agent : null;
    const key = `${who}/${reason}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.count += 1;
    else this.#counts.set(key, { agent: who, reason, count: 1 });
    this.#arm();
  }

  /** Writes what was counted; later offences are not counted any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#write();
  }

  #toldApart(agent: AgentId): boolean {
    if (this.#agents.size < MOST_AGENTS) this.#agents.add(agent);
    return this.#agents.has(agent);
  }

  #arm(): void {
    const { clock } = this.#ctx;
    const due = Math.max(SOON_MS, this.#writtenAt + MINUTE_MS - clock.mono());
    this.#cancel ??= clock.after(due, () => {
      this.#cancel = null;
      void this.#write();
    });
  }

  // A crash before the commit loses the count of a minute, not what was done about it.
  async #write(): Promise<void> {
    const drafts = [...this.#counts.values()].map((data): OwnDraft => ({ type: 'agent.offence', data }));
    this.#counts = new Map();
    this.#agents = new Set();
    this.#writtenAt = this.#ctx.clock.mono();
    if (drafts.length === 0) return;
    const { store, own, log } = this.#ctx;
    try {
      await store.write((tx) => own.append(tx, drafts));
      this.#ctx.notify(await store.read.lastPos());
    } catch (error) {
      log.error({ code: codeOf(error), count: drafts.length }, 'offences could not be recorded');
    }
  }
}
