/** Events of self-audits as agents write them, for tests. */
import { randomBytes } from 'node:crypto';
import type { EventData } from '../../protocol/event.ts';
import { newId } from '../../protocol/ids.ts';
import { MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { type Draft, START } from './api-world.ts';

export const runId = () => newId<'run'>(randomBytes);

/** That a run took place. */
export function ran(over: Partial<EventData<'audit.run'>> = {}): Draft<'audit.run'> {
  const rows = {
    check: 'rows' as const,
    looked: 12,
    of: 900,
    explained: 0,
    unseen: ['beyond-sample' as const],
  };
  return {
    type: 'audit.run',
    data: {
      run: runId(),
      trigger: 'schedule',
      startedAt: toIso(START),
      endedAt: toIso(utcMs(START + MINUTE_MS)),
      everySeconds: 86_400,
      findings: 0,
      checks: [rows],
      ...over,
    },
  };
}

/** What a run found. */
export function finding(run: string, over: Partial<EventData<'audit.finding'>> = {}): Draft<'audit.finding'> {
  return {
    type: 'audit.finding',
    data: {
      ...{ check: 'row-without-file', source: null, tool: null, count: 3 },
      ...{ run, of: 'rows', unseen: ['backups'], ...over },
    },
  };
}
