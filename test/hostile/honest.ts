/** Agents that do nothing but their work: an event now and then, and how long it took to be acked. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentDouble, DoubleLink } from '../support/agent-double.ts';

const EVERY_MS = 250;

export class Honest {
  readonly #agent: AgentDouble;
  readonly #link: DoubleLink;
  readonly #open = new Map<number, number>();
  #latencies: number[] = [];
  #stopped = false;
  lost: string | null = null;

  private constructor(agent: AgentDouble, link: DoubleLink) {
    this.#agent = agent;
    this.#link = link;
  }

  static async start(agent: AgentDouble): Promise<Honest> {
    const honest = new Honest(agent, await agent.connect());
    void honest.#listen();
    void honest.#write();
    return honest;
  }

  /** Milliseconds of each event since the last look; of what is not acked yet so far. */
  take(): number[] {
    const now = performance.now();
    const all = [...this.#latencies, ...[...this.#open.values()].map((at) => now - at)];
    this.#latencies = [];
    return all;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#link.ws.terminate();
  }

  async #write(): Promise<void> {
    await sleep(Math.random() * EVERY_MS);
    while (!this.#stopped && this.lost === null) {
      const { seq, text } = this.#agent.chain.heartbeat();
      this.#open.set(seq, performance.now());
      this.#link.send(this.#agent.batch([text]));
      await sleep(EVERY_MS * (0.5 + Math.random()));
    }
  }

  async #listen(): Promise<void> {
    for (;;) {
      const frame = await this.#link.next('ack', 'closed', 'refuse');
      if (frame.t !== 'ack') {
        if (!this.#stopped) this.lost = JSON.stringify(frame);
        return;
      }
      const now = performance.now();
      for (const [seq, at] of this.#open) {
        if (seq > frame.through) break;
        this.#latencies.push(now - at);
        this.#open.delete(seq);
      }
    }
  }
}
