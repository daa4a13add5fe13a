/**
 * What happens in one round, drawn from the seed. Exactly one SIGKILL of agent, collector or both: half at a
 * uniformly random moment, half aimed; everything else is weather.
 */
import type { Point } from '../support/flags.ts';
import type { Dice } from './random.ts';

export type Victims = 'agent' | 'collector' | 'both';

export type Kill =
  /** At a uniformly random moment of the round. */
  | { how: 'random'; afterMs: number }
  /** The child does it itself, at the nth hit of a point from `afterMs` on (0: from its start). */
  | { how: 'aimed'; point: Point; nth: number; afterMs: number }
  /** So long after a rename of the source. */
  | { how: 'rotation'; renameMs: number; afterMs: number };

export type Trouble = 'cut' | 'half-open' | 'delay' | 'throttle' | 'refuse' | 'swallow';

export interface Plan {
  /** The round's clock starts once both processes are ready; otherwise with their start, which is hit too then. */
  settled: boolean;
  victims: Victims;
  kill: Kill;
  line: { trouble: Trouble; atMs: number } | null;
  /** A rotation that is not aimed at. */
  rotation: { kind: 'rename' | 'copytruncate'; atMs: number } | null;
  /** The agent's disk is full for so long; it may last into the next round. */
  full: { atMs: number; forMs: number } | null;
  /** Before the rest: the file is rotated away and gone while the agent's disk is full. */
  loss: 'truncate' | 'rename-and-delete' | null;
  /** The agent's wall clock jumps. */
  step: { bySeconds: number; atMs: number } | null;
  /** An agent that starts now sends the last hundred leaves again: duplicates that `welcome` would hide. */
  resend: boolean;
  /** Between the death and the next start. */
  downMs: number;
}

export interface PlanFacts {
  /** Every second round is aimed. */
  aim: boolean;
  /** The agent is dead now and starts with the round: its first connection can be aimed at. */
  agentStarts: boolean;
  collectorStarts: boolean;
}

/** The longest that a round goes on before its kill. */
export const ROUND_MS = 2_200;

const AGENT_POINTS = {
  'agent.append.before-commit': 4,
  'agent.append.after-commit': 2,
  'agent.send.before': 1,
  'agent.send.after': 3,
  'agent.ack.before': 2,
  'agent.ack.after': 1,
} as const satisfies Partial<Record<Point, number>>;

const AGENT_START_POINTS = {
  'agent.link.connecting': 3,
  'agent.link.live': 2,
} as const satisfies Partial<Record<Point, number>>;

const COLLECTOR_POINTS = {
  'collector.ingest.before-commit': 3,
  'collector.ingest.after-commit': 2,
  'collector.ack.before': 2,
} as const satisfies Partial<Record<Point, number>>;

export function drawPlan(dice: Dice, facts: PlanFacts): Plan {
  const victims = dice.weighted({ agent: 5, collector: 3, both: 2 });
  const kill = drawKill(dice, victims, facts);
  return {
    settled: !(kill.how === 'aimed' && kill.afterMs === 0) && dice.chance(0.75),
    victims,
    kill,
    line: dice.chance(0.4) ? drawTrouble(dice) : null,
    rotation:
      kill.how !== 'rotation' && dice.chance(0.3)
        ? { kind: dice.chance(0.6) ? 'rename' : 'copytruncate', atMs: dice.int(0, ROUND_MS) }
        : null,
    full: dice.chance(0.15) ? { atMs: dice.int(0, ROUND_MS), forMs: dice.int(300, 3_000) } : null,
    loss: dice.chance(0.05) ? dice.pick(['truncate', 'rename-and-delete'] as const) : null,
    step: dice.chance(0.3) ? { bySeconds: drawStep(dice), atMs: dice.int(0, ROUND_MS) } : null,
    resend: dice.chance(0.5),
    downMs: dice.chance(0.5) ? 0 : dice.int(0, 400),
  };
}

function drawKill(dice: Dice, victims: Victims, facts: PlanFacts): Kill {
  if (!facts.aim) return { how: 'random', afterMs: dice.int(0, ROUND_MS) };
  if (victims !== 'collector' && dice.chance(0.25)) {
    return { how: 'rotation', renameMs: dice.int(0, ROUND_MS - 300), afterMs: dice.int(0, 300) };
  }
  const agentFirst = victims === 'agent' || (victims === 'both' && dice.chance(0.5));
  if (!agentFirst) return aimed(dice, dice.weighted(COLLECTOR_POINTS), facts.collectorStarts);
  if (facts.agentStarts && dice.chance(0.35)) {
    return { how: 'aimed', point: dice.weighted(AGENT_START_POINTS), nth: 1, afterMs: 0 };
  }
  return aimed(dice, dice.weighted(AGENT_POINTS), facts.agentStarts);
}

function aimed(dice: Dice, point: Point, starts: boolean): Kill {
  // Now and then from the first breath: start-up writes too.
  const afterMs = starts && dice.chance(0.25) ? 0 : dice.int(1, ROUND_MS - 400);
  return { how: 'aimed', point, nth: dice.int(1, 3), afterMs };
}

function drawTrouble(dice: Dice): { trouble: Trouble; atMs: number } {
  const trouble = dice.weighted({ cut: 3, 'half-open': 2, delay: 3, throttle: 2, refuse: 1, swallow: 1 });
  return { trouble, atMs: dice.int(0, ROUND_MS) };
}

/** Minutes or hours, either way. */
function drawStep(dice: Dice): number {
  const size = dice.chance(0.5) ? dice.int(60, 3_600) : dice.int(3_600, 6 * 3_600);
  return dice.chance(0.5) ? size : -size;
}
