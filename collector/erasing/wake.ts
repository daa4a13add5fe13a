/** Tells the eraser of a collector that there may be something for it to do; without one nothing happens. */
import type { Context } from '../types.ts';

const hearers = new WeakMap<Context, () => void>();

export function onWake(ctx: Context, fn: () => void): void {
  hearers.set(ctx, fn);
}

export function wakeEraser(ctx: Context): void {
  hearers.get(ctx)?.();
}
