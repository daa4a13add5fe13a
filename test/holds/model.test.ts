import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Collector, Run } from './model.ts';
import { steps } from './model-steps.ts';

const RUNS = Number(process.env.TILSYN_HOLD_RUNS ?? 12);
const SEED = Number(process.env.TILSYN_HOLD_SEED ?? 20261128);
/** What a collector has seen in years makes its tables long, and is not what is looked at here. */
const RUNS_OF_ONE = 50;

it(
  `D1 H1 H2 H3 H4 H7 H11 V103 V104 V105 three hosts and a collector, ${RUNS} sequences of seed ${SEED}`,
  async () => {
    let collector = await Collector.make();
    let runs = 0;
    const run = async (sequence: Parameters<typeof Run.of>[1]) => {
      if (collector.runs >= RUNS_OF_ONE) {
        await collector.close();
        collector = await Collector.make();
      }
      runs += 1;
      await Run.of(collector, sequence);
    };
    try {
      await fc.assert(fc.asyncProperty(steps, run), {
        ...{ numRuns: RUNS, seed: SEED, endOnFailure: process.env.TILSYN_HOLD_SHRINK !== '1' },
      });
      expect(runs).toBe(RUNS);
    } finally {
      await collector.close();
    }
  },
  60 * 60_000,
);
