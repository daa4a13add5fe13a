/** Care of telemetry: what belongs to no open agreement goes at the start, what is old is thinned every hour. */
import { codeOf } from '../protocol/errors.ts';
import { HOUR_MS, MINUTE_MS } from '../protocol/time.ts';
import type { Context } from './types.ts';

/** How often old samples are looked for. */
export const THIN_MS = HOUR_MS;
/** The first time after a start, when the agents are back. */
export const FIRST_THIN_MS = 5 * MINUTE_MS;

/** Removes the telemetry of agreements that have ended or are not known (J5); returns how many there were. */
export async function dropEndedTelemetry(ctx: Pick<Context, 'store' | 'telemetry'>): Promise<number> {
  const open = (await ctx.store.read.agreements.list()).filter(({ state }) => state === 'open');
  return await ctx.telemetry.keepOnly(new Set(open.map(({ agreement }) => agreement)));
}

/** Thins every hour until the returned function is called; that resolves when a turn that runs is over. */
export function thinRegularly(ctx: Context): () => Promise<void> {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let cancel = () => {};
  const thin = async () => {
    try {
      await ctx.telemetry.thin(ctx.clock.now());
    } catch (error) {
      // Nothing is lost: a step is there wholly or not at all, and the next turn goes on.
      ctx.log.warn({ code: codeOf(error) }, 'telemetry: old samples could not be thinned');
    }
    if (!stopped) next(THIN_MS);
  };
  const next = (ms: number) => {
    cancel = ctx.clock.after(ms, () => {
      running = thin();
    });
  };
  next(FIRST_THIN_MS);
  return async () => {
    stopped = true;
    cancel();
    await running;
  };
}
