/**
 * A small chart for a terminal: one line per value, time from left to right, as wide as the terminal is.
 *
 * K1  A column without a sample is shown as one, never as a low value.
 */

/** One value at one time; null: there was none. */
export interface Dot {
  at: number;
  /** How long it stands for, milliseconds. */
  ms: number;
  value: number | null;
  min: number | null;
  max: number | null;
}
export interface ChartLine {
  label: string;
  dots: readonly Dot[];
  /** What else stands at its end. */
  note?: string;
}
export interface Chart {
  from: number;
  to: number;
  /** The value that fills a column; 0 is the lowest. */
  most: number;
  lines: readonly ChartLine[];
  /** Columns of the terminal. */
  width: number;
  /** False: plain ASCII. */
  blocks: boolean;
  show(value: number): string;
}

const BLOCKS = { levels: '▁▂▃▄▅▆▇█', none: '·' } as const;
const ASCII = { levels: '_.-:=+*#', none: '?' } as const;
/** A chart narrower than this says nothing, wider ones are hard to read across. */
const LEAST_COLUMNS = 10;
const MOST_COLUMNS = 160;

/** Mean of the values that stand for any of each of `columns` columns; null where none does (K1). */
export function columnsOf(
  dots: readonly Dot[],
  from: number,
  to: number,
  columns: number,
): (number | null)[] {
  const sums = Array.from({ length: columns }, () => ({ sum: 0, n: 0 }));
  const column = (at: number) =>
    Math.min(columns - 1, Math.max(0, Math.floor(((at - from) / (to - from)) * columns)));
  for (const { at, ms, value } of dots) {
    if (value === null || at >= to || at + ms <= from) continue;
    for (const cell of sums.slice(column(at), column(at + ms - 1) + 1)) {
      cell.sum += value;
      cell.n += 1;
    }
  }
  return sums.map(({ sum, n }) => (n === 0 ? null : sum / n));
}

/** Least, mean and greatest of all dots; null where none has a value. */
export function rangeOf(dots: readonly Dot[]): { min: number; mean: number; max: number } | null {
  const known = dots.filter((dot) => dot.value !== null);
  if (known.length === 0) return null;
  return {
    min: Math.min(...known.map((dot) => dot.min ?? dot.value ?? 0)),
    mean: known.reduce((sum, dot) => sum + (dot.value ?? 0), 0) / known.length,
    max: Math.max(...known.map((dot) => dot.max ?? dot.value ?? 0)),
  };
}

/** How many columns are left for the values. */
export function columnsLeft(chart: Pick<Chart, 'width' | 'lines' | 'show'>): number {
  const label = Math.max(0, ...chart.lines.map((line) => [...line.label].length));
  const tail = Math.max(0, ...chart.lines.map((line) => [...tailOf(line, chart.show)].length));
  return Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, chart.width - label - tail - 4));
}

/** The lines of the chart, without trailing blanks; what its marks mean where one of them stands for nothing (K1). */
export function chartText(chart: Chart): string {
  const marks = chart.blocks ? BLOCKS : ASCII;
  const columns = columnsLeft(chart);
  const width = Math.max(0, ...chart.lines.map((line) => [...line.label].length));
  const all = chart.lines.map((line) => columnsOf(line.dots, chart.from, chart.to, columns));
  const lines = chart.lines.map((line, i) => {
    const marked = (all[i] ?? []).map((value) =>
      value === null ? marks.none : markOf(value, chart.most, marks.levels),
    );
    const label = line.label + ' '.repeat(width - [...line.label].length);
    return `${label}  ${marked.join('')}  ${tailOf(line, chart.show)}`.trimEnd();
  });
  const holes = all.some((values) => values.includes(null));
  return [...lines, ...(holes ? [`${marks.none} = no sample`] : [])].map((line) => `${line}\n`).join('');
}

function markOf(value: number, most: number, levels: string): string {
  const marks = [...levels];
  const i = Math.floor((value / most) * marks.length);
  return marks[Math.min(marks.length - 1, Math.max(0, i))] ?? '';
}

function tailOf({ dots, note }: ChartLine, show: (value: number) => string): string {
  const range = rangeOf(dots);
  const values =
    range === null ? [] : [`min ${show(range.min)}  avg ${show(range.mean)}  max ${show(range.max)}`];
  return [...values, ...(note === undefined ? [] : [note])].join('  ');
}
