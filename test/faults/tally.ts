/** What stood open at each kill, and how the rounds went: the numbers at the end of a run. */
import type { Flags } from '../support/flags.ts';

export interface Tally {
  rounds: number;
  kills: { agent: number; collector: number; both: number };
  aimed: number;
  /** Aimed, but the point was not reached in time: killed at the end of the round instead. */
  missed: number;
  /** At the kill … */
  transaction: number;
  unacked: number;
  connecting: number;
  rotating: number;
  troubles: Record<string, number>;
  rotations: number;
  fulls: number;
  /** Full disks during which the source was rotated away for good. */
  losses: number;
  steps: number;
  rows: number;
  /** Rows that were rotated away while the disk was full and lie in a gap. */
  inGaps: number;
  roundMs: number[];
}

export function newTally(): Tally {
  return {
    rounds: 0,
    kills: { agent: 0, collector: 0, both: 0 },
    aimed: 0,
    missed: 0,
    transaction: 0,
    unacked: 0,
    connecting: 0,
    rotating: 0,
    troubles: {},
    rotations: 0,
    fulls: 0,
    losses: 0,
    steps: 0,
    rows: 0,
    inGaps: 0,
    roundMs: [],
  };
}

export function addTallies(into: Tally, other: Tally): void {
  for (const [key, value] of Object.entries(other) as [keyof Tally, unknown][]) {
    if (typeof value === 'number') (into[key] as number) += value;
  }
  for (const key of ['agent', 'collector', 'both'] as const) into.kills[key] += other.kills[key];
  for (const [key, n] of Object.entries(other.troubles)) into.troubles[key] = (into.troubles[key] ?? 0) + n;
  into.roundMs.push(...other.roundMs);
}

/** Events were on their way: sent, and no ack of them seen. */
export function unacked(flags: Flags): boolean {
  if (flags.sentThrough === 0) return false;
  return flags.ackedLog !== flags.sentLog || flags.ackedThrough < flags.sentThrough;
}

export const LEAST_SHARE = 0.05;
const SHARES = {
  transaction: 'a transaction was open',
  unacked: 'sent events were un-acked',
  connecting: 'the link was connecting',
  rotating: 'a rotation was under way',
} as const;

/** Lines of the summary, and what is below its least share. */
export function summary(tally: Tally): { lines: string[]; short: string[] } {
  const of = (n: number) => `${((100 * n) / Math.max(1, tally.rounds)).toFixed(1)} %`;
  const mean = tally.roundMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, tally.roundMs.length);
  const lines = [
    row('rounds', `${tally.rounds}, ${(mean / 1000).toFixed(1)} s each`),
    row(
      'killed',
      `agent ${tally.kills.agent}, collector ${tally.kills.collector}, both ${tally.kills.both}; ${of(tally.aimed)} aimed (${tally.missed} missed)`,
    ),
    ...(Object.keys(SHARES) as (keyof typeof SHARES)[]).map((key) =>
      row(`at a kill, ${SHARES[key]}`, `${tally[key]} (${of(tally[key])})`),
    ),
    row('rotations · clock steps', `${tally.rotations} · ${tally.steps}`),
    row('full disks', `${tally.fulls}, in ${tally.losses} of them the file was rotated away for good`),
    row(
      'line',
      Object.entries(tally.troubles)
        .map(([name, n]) => `${name} ${n}`)
        .join(', '),
    ),
    row('rows written', `${tally.rows}, of these ${tally.inGaps} lost and in a gap`),
  ];
  const short = (Object.keys(SHARES) as (keyof typeof SHARES)[])
    .filter((key) => tally[key] < LEAST_SHARE * tally.rounds)
    .map((key) => `at ${of(tally[key])} of the kills ${SHARES[key]}; it must be 5 %`);
  return { lines, short };
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(44)}${value}`;
}
