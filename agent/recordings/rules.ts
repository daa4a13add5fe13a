/** The rules for recordings as the collector ordered them. */
import { policySchema } from '../../protocol/policy.ts';
import type { Clock } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { Doing } from '../uplink/commands.ts';
import type { SweepStore } from './sweep-store.ts';

export interface RulesDeps {
  journal: Pick<AgentJournal, 'transact'>;
  sweeps: SweepStore;
  clock: Pick<Clock, 'now'>;
}

/** `policy.set`. Kept also while no root is configured; the one that came last is in force. */
export function setPolicy({ journal, sweeps, clock }: RulesDeps, body: Record<string, unknown>): Doing {
  const read = policySchema.safeParse(body.policy);
  if (body.class !== 'recording' || !read.success)
    return { outcome: 'failed', body: { code: 'policy.unreadable' } };
  const { name, version } = read.data;
  journal.transact(() => {
    sweeps.setPolicy(read.data, clock.now());
    return { tell: [] };
  });
  return { outcome: 'done', body: { policy: name, version } };
}
