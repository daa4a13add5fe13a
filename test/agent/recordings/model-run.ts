/** Runs of the model: a world of one or two roots, near a change of the clocks or not, and whatever happens to it. */
import fc from 'fast-check';
import type { Product } from './model-product.ts';
import { settle } from './model-settle.ts';
import { opening, steps } from './model-steps.ts';
import { Broken } from './model-truth.ts';
import { World } from './model-world.ts';

const STARTS = [
  Date.UTC(2026, 10, 24, 8),
  // The files that fall due lie around the change; and it comes while the model runs.
  Date.UTC(2026, 10, 23, 22),
  Date.UTC(2026, 9, 24, 20),
  Date.UTC(2027, 3, 27, 20),
];

const worlds = fc.record({
  start: fc.constantFrom(...STARTS),
  kinds: fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 2 }),
});

/** As many runs as asked for; null: nothing was broken. Else what was, by which steps, and how to see it again. */
export async function runModel(
  product: Product,
  {
    runs,
    seed,
    path,
    shrink = true,
  }: { runs: number; seed: number; path?: string | undefined; shrink?: boolean },
): Promise<string | null> {
  const property = fc.asyncProperty(worlds, opening, steps, async ({ start, kinds }, first, rest) => {
    const world = new World(product, start, kinds);
    try {
      await world.open();
      for (const step of first) await step.run({}, world);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), rest);
      await settle(world);
    } finally {
      await world.close();
    }
  });
  const replay = path === undefined ? {} : { path };
  const run = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink, ...replay });
  if (!run.failed) return null;
  const error = run.errorInstance instanceof Error ? run.errorInstance : null;
  const [{ start, kinds }, first, rest] = run.counterexample ?? [{ start: 0, kinds: [] }, [], []];
  const said = error instanceof Broken ? error.message : (error?.stack ?? 'no error');
  const world = `${new Date(start).toISOString()} ${kinds.join()}`;
  return [
    said,
    world,
    ...first.map(String),
    String(rest),
    `seed ${run.seed}, path ${run.counterexamplePath}`,
  ].join('\n');
}
