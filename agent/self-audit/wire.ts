/** The self-audit of a running agent: what it sees of the other rooms. */
import { publicText } from '../../protocol/sign.ts';
import { type Clock, MINUTE_MS, type UtcMs } from '../../protocol/time.ts';
import type { Footage } from '../footage.ts';
import type { AgentJournal } from '../journal.ts';
import { loadAgentKey } from '../keys.ts';
import type { Reading } from '../reading.ts';
import type { Keeper } from '../recordings/keeper.ts';
import type { Root } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { RunningOptions } from '../running-options.ts';
import { siteZone } from '../telemetry/schedule.ts';
import type { AuditFacts } from './run.ts';
import { SelfAudit } from './self-audit.ts';
import type { AuditStore } from './store.ts';

/** Longest that a run waits for the scan to have its turn. */
const PASS_MS = MINUTE_MS;

export interface Watched {
  options: RunningOptions;
  store: AuditStore;
  sweeps: SweepStore;
  journal: AgentJournal;
  footage: Footage;
  reading: Reading;
  startedAt: UtcMs;
  /** What began before this was erased; null: nothing was. */
  sealFrom(): UtcMs | null;
}

export function selfAuditOf(it: Watched): SelfAudit {
  const { options, store, journal } = it;
  const { state, clock, random, log, config, platform } = options;
  return new SelfAudit({
    ...{ state, journal, store, clock, random, log, zone: siteZone() },
    platform: platform.split('-')[0] ?? platform,
    floorMs: config.neverEraseYoungerThanMs,
    schedule: config.schedule.selfAudit,
    sweepSchedule: config.schedule.sweep,
    facts: (sweepPeriodMs) => factsOf(it, sweepPeriodMs),
    tools: () => [...new Set(it.reading.uncovered().map(({ tool }) => tool))],
  });
}

function factsOf(it: Watched, sweepPeriodMs: number | null): AuditFacts {
  const { options, store, sweeps, footage, reading, startedAt } = it;
  const { config, clock, state } = options;
  const keeper = footage.keeper;
  const counts = new Map((keeper?.status() ?? []).map(({ source, rows }) => [source, rows]));
  const shown = [...reading.status(), ...footage.status()];
  return {
    ...{ store, sweeps, sweepPeriodMs, startedAt, sealFrom: it.sealFrom(), key: keyOf(state) },
    roots: keeper === null ? [] : keeper.roots.flatMap((root) => rootOf(keeper, root)),
    present: ({ source }) => counts.get(source) ?? null,
    pass: keeper === null ? null : () => within(clock, PASS_MS, () => keeper.pass()),
    around: keeper?.around() ?? null,
    trusted: footage.time.now(),
    sources: {
      shown,
      configured: config.sources === null ? null : config.sources.length + config.recordings.length,
      readThrough: reading.readThrough(),
      uncovered: new Set(reading.uncovered().map(({ tool }) => tool)).size,
    },
  };
}

/** Nothing of a root that was given up is looked at. */
function rootOf(keeper: Keeper, root: Root): AuditFacts['roots'][number][] {
  const found = keeper.sourceOf(root);
  if (found === null) return [];
  const erases = found.mode === 'erase' && root.layout.erasable;
  return [{ source: found.source, layout: root.layout, erases, waits: keeper.waiting(root.id) !== null }];
}

/** Ends by itself after `ms`; what goes on goes on. */
async function within(clock: Clock, ms: number, act: () => Promise<void>): Promise<'done' | 'too-long'> {
  let cancel = () => {};
  const late = new Promise<'too-long'>((resolve) => {
    cancel = clock.after(ms, () => resolve('too-long'));
  });
  const done = act().then(() => 'done' as const);
  try {
    return await Promise.race([done, late]);
  } finally {
    cancel();
  }
}

function keyOf(state: string): string | null {
  try {
    return publicText(loadAgentKey(state));
  } catch {
    // `agent check` says so; here the births are checked without it.
    return null;
  }
}
