import { describe, expect, it } from 'vitest';
import { PRODUCT } from './model-product.ts';
import { runModel } from './model-run.ts';

/** More with `TILSYN_MODEL_RUNS`; the same again with `TILSYN_MODEL_SEED`. */
const RUNS = Number(process.env.TILSYN_MODEL_RUNS ?? 20);
const PATH = process.env.TILSYN_MODEL_PATH;
const SHRINK = process.env.TILSYN_MODEL_SHRINK !== '0';
const SEED = Number(process.env.TILSYN_MODEL_SEED ?? 20261128);

describe('scans, sweeps, crashes, restarts, clock steps, mounts, holds and foreign hands, in any order', () => {
  it(`D1, D3, R1, R3, R4, R6, R7, R8, C1, H4 nothing goes that must stay, nothing stays untold (seed ${SEED})`, async () => {
    expect(await runModel(PRODUCT, { runs: RUNS, seed: SEED, path: PATH, shrink: SHRINK })).toBeNull();
  }, 3_600_000);
});
