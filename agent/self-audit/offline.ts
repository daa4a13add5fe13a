/**
 * The self-audit of a host whose agent does not run: what the database and the disk say, and the canaries. Nothing is
 * recorded, and what only a running agent knows is said not to have been looked at.
 */
import type { Random } from '../../protocol/ids.ts';
import { publicText } from '../../protocol/sign.ts';
import type { Clock } from '../../protocol/time.ts';
import type { AgentConfig } from '../config.ts';
import { type Db, openReadOnly } from '../db.ts';
import { inState } from '../files.ts';
import { DATABASE_FILE } from '../journal-open.ts';
import { loadAgentKey } from '../keys.ts';
import { layoutOf } from '../recordings/layouts/index.ts';
import { SweepStore } from '../recordings/sweep-store.ts';
import { cronMatcher, siteZone } from '../telemetry/schedule.ts';
import { slotsIn } from './meant.ts';
import { type AuditFacts, runChecks } from './run.ts';
import { type ShownAudit, shownAudit } from './self-audit.ts';
import { AuditStore } from './store.ts';
import { Pace } from './types.ts';

export interface OfflineDeps {
  /** State directory. */
  state: string;
  config: AgentConfig;
  clock: Clock;
  random: Random;
  platform: string;
}

/** @throws TilsynError `database.*`, `state.*` */
export async function auditOffline(deps: OfflineDeps): Promise<ShownAudit | null> {
  const { state, config, clock, random, platform } = deps;
  const db = openReadOnly(inState(state, DATABASE_FILE));
  try {
    const facts = factsOf(db, state);
    const policy = facts.sweeps.policy();
    const floorMs = config.neverEraseYoungerThanMs;
    const report = await runChecks(
      { state, clock, random, platform, floorMs, policy, facts, failed: () => {} },
      { trigger: 'asked', missed: await missedBy(facts.store, deps), everySeconds: null },
    );
    return report === null ? null : shownAudit(report, false);
  } finally {
    db.close();
  }
}

async function missedBy(store: AuditStore, { config, clock }: OfflineDeps): Promise<number> {
  const state = store.state();
  if (state === null) return 0;
  const matches = await cronMatcher(config.schedule.selfAudit, siteZone());
  return await slotsIn(matches, state.through, clock.now(), new Pace(clock));
}

function factsOf(db: Db, state: string): AuditFacts {
  const sweeps = new SweepStore(db);
  return {
    ...{ store: new AuditStore(db), sweeps, present: () => null, pass: null },
    roots: sweeps.sources().map((source) => ({
      source,
      layout: layoutOf({ layout: source.layout, zone: source.zone, longestSegmentMs: null }),
      ...{ erases: false, waits: false },
    })),
    ...{ around: null, trusted: null, sweepPeriodMs: null, sealFrom: null, startedAt: null },
    key: keyOf(state),
    sources: { shown: [], configured: null, readThrough: null, uncovered: 0 },
  };
}

function keyOf(state: string): string | null {
  try {
    return publicText(loadAgentKey(state));
  } catch {
    return null;
  }
}
