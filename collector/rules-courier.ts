/**
 * Gives the rules for recordings to the hosts that have any: what is in force is ordered once for each host and version,
 * and again in a new generation, because a restored collector does not know what was obeyed.
 *
 * V70 A host is given the rules for recordings as soon as it tells of a root, and whenever another version is in force; where
 *     it could not take them, again and again, each time twice as late. Until then that is said of the host.
 * V71 It is given the rules of that one class, and nothing else of the policy.
 */
import type { AgentId } from '../protocol/ids.ts';
import { type Policy, policySchema } from '../protocol/policy.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, toIso, type UtcMs } from '../protocol/time.ts';
import { issueCommand } from './ingest/commands.ts';
import { Looks } from './looks.ts';
import { policyInForce } from './policy.ts';
import type { CommandRow } from './store/types.ts';
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
    if (!isToGive(given, policy, this.#ctx.clock.now())) return;
    await issueCommand(this.#ctx, agent, 'policy.set', { class: 'recording', policy }, null);
  }
}

/** First time between two tries, and the longest. */
const RETRY_MS = MINUTE_MS;
const RETRY_MAX_MS = 6 * HOUR_MS;

/** The newest order and how many of the same text before it, one after the other, failed. */
function triesOf(given: readonly CommandRow[]): { last: CommandRow | null; failedBefore: number } {
  const [last = null, ...before] = [...given].sort((a, b) => b.n - a.n);
  const same = JSON.stringify(last?.body.policy);
  const other = before.findIndex(({ ok, body }) => ok !== false || JSON.stringify(body.policy) !== same);
  return { last, failedBefore: other < 0 ? before.length : other };
}

/** V70. @param given orders of rules to this host, in this generation */
export function isToGive(given: readonly CommandRow[], policy: Policy, now: UtcMs): boolean {
  const { last, failedBefore } = triesOf(given);
  if (last === null || JSON.stringify(last.body.policy) !== JSON.stringify(policy)) return true;
  if (last.ok !== false) return false;
  return now - (last.resultAt ?? last.createdAt) >= Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failedBefore);
}

/** The rules of a host, as `host show` says them; null: it was given none. */
export interface RulesOfHost {
  policy: string;
  version: number;
  /** `given`: it has not answered yet. */
  state: 'given' | 'taken' | 'refused';
  since: string;
  /** Why it could not take them: a word of its own. */
  why: string | null;
  tries: number;
}

export function rulesOfHost(given: readonly CommandRow[]): RulesOfHost | null {
  const { last: newest, failedBefore } = triesOf(given);
  const read = policySchema.safeParse(newest?.body.policy);
  if (newest === null || !read.success) return null;
  const { name, version } = read.data;
  const state = newest.ok === null ? 'given' : newest.ok ? 'taken' : 'refused';
  const said = newest.result?.code ?? newest.result?.outcome;
  return {
    ...{ policy: name, version, state, since: toIso(newest.resultAt ?? newest.createdAt) },
    why: state === 'refused' && typeof said === 'string' ? said : null,
    tries: failedBefore + 1,
  };
}

/** V71; without a rule a host is told that too: it erases nothing then (D2). */
function rulesOf({ rules, ...policy }: Policy): Policy {
  return { ...policy, rules: rules.filter((rule) => rule.class === 'recording') };
}
