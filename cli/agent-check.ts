/** `tilsyn agent check`. Findings exit 6, a broken chain 8. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, stateDir, text } from './args.ts';
import type { Input } from './io.ts';
import { printData } from './print.ts';
import { tableText } from './text.ts';

export async function agentCheck(input: Input): Promise<number> {
  const state = stateDir(input);
  checkOutput(input);
  const config = text(input, 'config');
  const { check } = await import('../agent/main.ts');
  const report = await check({ state, ...(config === undefined ? {} : { config }) });
  if (!printData(input, report)) {
    const rows = report.findings.map(({ check: what, code, count }) => [what, code, count]);
    const nothing = report.neverRun ? 'enrolled, and never run yet; nothing found' : 'nothing found';
    const found = report.ok ? nothing : `${rows.length} findings`;
    input.io.out(rows.length === 0 ? '' : tableText(['check', 'finding', 'count'], rows));
    input.io.out(`agent check: ${found}; the agent ${report.running ? 'runs' : 'does not run'}\n`);
  }
  if (report.ok) return EXIT.done;
  return report.findings.some((finding) => finding.check === 'chain') ? EXIT.integrity : EXIT.findings;
}
