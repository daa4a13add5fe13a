/** What a running collector does by itself about alerts, and about what falls due. */
import { Deliverer } from './deliver/deliverer.ts';
import { Eraser, type EraserOptions } from './erasing/eraser.ts';
import { Silence } from './silence.ts';
import type { Context } from './types.ts';

export interface Duties {
  /** The port is open. */
  start(): Promise<void>;
  /** Lets what runs finish; nothing begins after it. Safe to repeat. */
  close(): Promise<void>;
}

export async function openDuties(ctx: Context, erasing: Omit<EraserOptions, 'ctx'>): Promise<Duties> {
  const silence = await Silence.open(ctx);
  const deliverer = new Deliverer(ctx);
  const eraser = new Eraser({ ctx, ...erasing });
  return {
    async start() {
      silence.start();
      await deliverer.start();
      eraser.start();
    },
    async close() {
      await eraser.close();
      await silence.close();
      await deliverer.close();
    },
  };
}
