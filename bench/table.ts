/** Results as a Markdown table, so that what a run prints is what `README.md` records. */
import type { BenchResult } from './result.ts';

export type Verdict = 'ok' | 'MISS' | '';

/** Compares with the number in the target's words; nothing where there is no target. */
export function verdictOf({ value, target }: BenchResult): Verdict {
  const match = /^([≥≤])\s*([\d.,]+)/.exec(target ?? '');
  if (match === null) return '';
  const bound = Number((match[2] ?? '').replaceAll(',', ''));
  return (match[1] === '≥' ? value >= bound : value <= bound) ? 'ok' : 'MISS';
}

export function table(results: readonly BenchResult[]): string {
  const rows = results.map((result) => {
    const { name, value, unit, against, target } = result;
    const beside =
      against === undefined
        ? ''
        : `${against.name}: ${rounded(against.value)} (${rounded(value / against.value)}×)`;
    return [name, `${rounded(value)} ${unit}`, target ?? '', verdictOf(result), beside];
  });
  const all = [['what', 'measured', 'target', '', 'beside it'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (cells: string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = all;
  return ['', line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line), ''].join('\n');
}

function rounded(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
