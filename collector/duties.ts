/** What a running collector does by itself about alerts. */
import { Deliverer } from './deliver/deliverer.ts';
import { Silence } from './silence.ts';
import type { Context } from './types.ts';

export interface Duties {
  /** The port is open. */
  start(): Promise<void>;
  /** Lets what runs finish; nothing begins after it. Safe to repeat. */
  close(): Promise<void>;
}

export async function openDuties(ctx: Context): Promise<Duties> {
  const silence = await Silence.open(ctx);
  const deliverer = new Deliverer(ctx);
  return {
    async start() {
      silence.start();
      await deliverer.start();
    },
    async close() {
      await silence.close();
      await deliverer.close();
    },
  };
}
