import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Collector, Run, steps } from './model.ts';

const RUNS = Number(process.env.TILSYN_HOLD_RUNS ?? 12);
const SEED = Number(process.env.TILSYN_HOLD_SEED ?? 20261128);

it(
  `D1 H1 H2 H3 H4 H7 H11 V103 V105 three hosts and a collector, ${RUNS} sequences of seed ${SEED}`,
  async () => {
    const collector = await Collector.make();
    try {
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => await Run.of(collector, sequence)),
        { numRuns: RUNS, seed: SEED, endOnFailure: process.env.TILSYN_HOLD_SHRINK !== '1' },
      );
      expect(runs).toBe(RUNS);
    } finally {
      await collector.api.close();
    }
  },
  60 * 60_000,
);
