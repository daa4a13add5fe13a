/**
 * What a run found, as the events that tell it. Apart from the checks, which are loaded when one is made: an agent that waits
 * for the night does not carry them.
 *
 * A20 One finding for each code of a run, with how many: never one for each file, and never the name of one.
 */
import { type AuditCheck, MAX_AUDIT_FINDINGS, type Unseen } from '../../protocol/event-audit.ts';
import { FOUND_TOOLS } from '../../protocol/event-shapes.ts';
import type { Id } from '../../protocol/ids.ts';
import { toIso } from '../../protocol/time.ts';
import type { Draft } from '../types.ts';
import type { AuditReport, CheckResult } from './types.ts';

export interface RunFinding {
  check: AuditCheck;
  code: CheckResult['found'][number]['code'];
  count: number;
  source: string | null;
  unseen: Unseen[];
}

/** Findings of a run, one for each code (A20); the source where there is only one. */
export function findingsOf({ checks }: Pick<AuditReport, 'checks'>): RunFinding[] {
  const byCode = new Map<string, RunFinding>();
  for (const { check, found, unseen } of checks) {
    for (const { code, count, source } of found) {
      const before = byCode.get(code);
      if (before === undefined) byCode.set(code, { check, code, count, source, unseen: [...unseen] });
      else {
        before.count += count;
        if (before.source !== source) before.source = null;
        before.unseen = [...new Set([...before.unseen, ...unseen])];
      }
    }
  }
  return [...byCode.values()].slice(0, MAX_AUDIT_FINDINGS);
}

/** The events of a run, in their order: its findings, then that it took place. */
export function draftsOf(report: AuditReport, tools: readonly string[] = []): Draft[] {
  const findings = findingsOf(report);
  const tool = tools.length === 1 ? (FOUND_TOOLS.find((one) => one === tools[0]) ?? null) : null;
  const { run, trigger, startedAt, endedAt, everySeconds } = report;
  const told: Draft[] = findings.map(({ check: of, code, count, source, unseen }) => ({
    type: 'audit.finding',
    data: {
      ...{ check: code, source: source as Id<'source'> | null, count, run, of, unseen },
      tool: code === 'tool-without-source' ? tool : null,
    },
  }));
  const checks = report.checks.map(({ found: _found, ...rest }) => rest);
  const times = { startedAt: toIso(startedAt), endedAt: toIso(endedAt) };
  const data = { run, trigger, ...times, everySeconds, findings: findings.length, checks };
  return [...told, { type: 'audit.run', data }];
}
