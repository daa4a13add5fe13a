/** One measured number, and what it stands beside. */
export interface BenchResult {
  name: string;
  value: number;
  unit: string;
  /** The same work done by something that everybody knows. */
  against?: { name: string; value: number };
  /** What is aimed at, in words. */
  target?: string;
}

/** One line: name, value, comparison, target. */
export function resultLine({ name, value, unit, against, target }: BenchResult): string {
  const beside =
    against === undefined
      ? ''
      : `  ${against.name}: ${round(against.value)} ${unit}, ${round(value / against.value)}×`;
  return `${name}: ${round(value)} ${unit}${beside}${target === undefined ? '' : `  (target: ${target})`}`;
}

function round(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
