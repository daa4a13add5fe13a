/**
 * `tilsyn agent check`. Findings exit 6, a broken chain 8.
 *
 * H11 It says what was looked at and what was not, also where nothing was found.
 */
import type { CheckReport } from '../agent/main.ts';
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, stateDir, text } from './args.ts';
import { checkRows, unseenText } from './audit-columns.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { tableText } from './text.ts';

export async function agentCheck(input: Input): Promise<number> {
  const state = stateDir(input);
  checkOutput(input);
  const config = text(input, 'config');
  const { check } = await import('../agent/main.ts');
  const report = await check({ state, ...(config === undefined ? {} : { config }) });
  const found = findingsOf(report);
  if (!printData(input, { ...report, ok: found.length === 0 })) printReport(input, report, found);
  if (found.length === 0) return EXIT.done;
  return found.some(({ check: what }) => what === 'chain') ? EXIT.integrity : EXIT.findings;
}

interface Shown {
  check: string;
  code: string;
  count: number;
}

function findingsOf({ findings, audit }: CheckReport): Shown[] {
  return [...findings, ...(audit?.findings ?? [])];
}

function printReport(input: Input, report: CheckReport, found: readonly Shown[]): void {
  const { out } = input.io;
  const rows = found.map(({ check: what, code, count }) => [what, code, count]);
  out(rows.length === 0 ? '' : tableText(['check', 'finding', 'count'], rows));
  out(lookedAt(report));
  const nothing = report.neverRun ? 'enrolled, and never run yet; nothing found' : 'nothing found';
  const said = rows.length === 0 ? nothing : `${rows.length} findings`;
  out(`agent check: ${said}; the agent ${report.running ? 'runs' : 'does not run'}\n`);
}

/** H11 */
function lookedAt({ audit, neverRun }: CheckReport): string {
  if (audit == null) return neverRun ? '' : 'self-audit: not made\n';
  const table = tableText(
    ['audit', 'looked at', 'of', 'explained', 'not looked at'],
    checkRows(audit.checks),
  );
  const unseen = [...new Set(audit.checks.flatMap((one) => one.unseen))];
  return `${table}${unseen.map((word) => `not looked at: ${word}: ${unseenText(word)}\n`).join('')}`;
}
