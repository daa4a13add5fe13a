import { expect, it } from 'vitest';
import { Looks } from '../../collector/looks.ts';

/** Rings the last timer by hand. */
class Bell {
  #ring: (() => void) | null = null;
  after(_ms: number, ring: () => void): () => void {
    this.#ring = ring;
    return () => {
      this.#ring = null;
    };
  }
  ring(): void {
    this.#ring?.();
  }
}

it('V63 one at a time, taken again after one that fails, and none after the close', async () => {
  const clock = new Bell();
  const told: string[] = [];
  const log = { error: (_: object, text: string) => told.push(text) };
  const gates: PromiseWithResolvers<void>[] = [];
  const look = () => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  };
  const looks = new Looks({ clock, log } as never, { everyMs: 1_000, failed: 'a look failed', look });
  looks.start();
  expect(gates).toHaveLength(0);
  clock.ring();
  const [first, same] = [looks.look(), looks.look()];
  expect(same).toBe(first);
  expect(gates).toHaveLength(1);
  gates[0]?.reject(new Error('no store'));
  await first;
  expect(told).toEqual(['a look failed']);
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  clock.ring();
  expect(gates).toHaveLength(2);
  const closing = looks.close();
  expect(looks.closed).toBe(true);
  gates[1]?.resolve();
  await closing;
  await new Promise((resolve) => setImmediate(resolve));
  clock.ring();
  expect(gates).toHaveLength(2);
});
