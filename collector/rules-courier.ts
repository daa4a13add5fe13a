/**
 * Gives the rules for recordings to the hosts that have any: what is in force is ordered once for each host and version,
 * and again in a new generation, because a restored collector does not know what was obeyed.
 *
 * V70 A host is given the rules for recordings as soon as it tells of a root, and whenever another version is in force.
 * V71 It is given the rules of that one class, and nothing else of the policy.
 */
import type { AgentId } from '../protocol/ids.ts';
import type { Policy } from '../protocol/policy.ts';
import { SECOND_MS } from '../protocol/time.ts';
import { issueCommand } from './ingest/commands.ts';
import { Looks } from './looks.ts';
import { policyInForce } from './policy.ts';
import type { Context } from './types.ts';

const LOOK_MS = 5 * SECOND_MS;
const PAGE = 1_000;
/** By these a host says that it has a root of recordings. */
const TELLING = [
  'recordings.accepted',
  'recordings.root-suspect',
  'camera.found',
  'sweep.waiting',
  'sweep.done',
];

export class RulesCourier {
  readonly #ctx: Context;
  readonly #looks: Looks;
  /** Hosts with a root, as far as the leaves up to `#read` say. */
  readonly #hosts = new Set<AgentId>();
  #read = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'recordings: giving the rules to hosts failed',
      look: () => this.#look(),
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** One look now; for tests. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  close(): Promise<void> {
    return this.#looks.close();
  }

  async #look(): Promise<void> {
    await this.#findHosts();
    if (this.#hosts.size === 0) return;
    const { policy } = await policyInForce(this.#ctx.store.read);
    const rules = rulesOf(policy);
    for (const agent of this.#hosts) {
      if (this.#looks.closed) return;
      await this.#give(agent, rules);
    }
  }

  async #findHosts(): Promise<void> {
    const { read } = this.#ctx.store;
    for (;;) {
      const leaves = await read.leaves({ types: TELLING, after: this.#read, limit: PAGE });
      for (const { agent } of await read.logs([...new Set(leaves.map(({ log }) => log))])) {
        if (agent !== null) this.#hosts.add(agent);
      }
      this.#read = leaves.at(-1)?.pos ?? this.#read;
      if (leaves.length < PAGE) return;
    }
  }

  async #give(agent: AgentId, policy: Policy): Promise<void> {
    const { store, generation } = this.#ctx;
    const row = await store.read.agents.get(agent);
    if (row === null || row.state === 'revoked') return;
    const given = await store.read.commands.list({ agent, generation: generation(), verb: 'policy.set' });
    const last = given.sort((a, b) => b.n - a.n)[0]?.body.policy;
    if (JSON.stringify(last) === JSON.stringify(policy)) return;
    await issueCommand(this.#ctx, agent, 'policy.set', { class: 'recording', policy }, null);
  }
}

/** V71; without a rule a host is told that too: it erases nothing then (D2). */
function rulesOf({ rules, ...policy }: Policy): Policy {
  return { ...policy, rules: rules.filter((rule) => rule.class === 'recording') };
}
