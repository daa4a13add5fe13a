/** What a running collector does by itself about alerts. */
import { Silence } from './silence.ts';
import type { Context } from './types.ts';

export interface Duties {
  /** The port is open. */
  start(): void;
  /** Lets what runs finish; nothing begins after it. Safe to repeat. */
  close(): Promise<void>;
}

export async function openDuties(ctx: Context): Promise<Duties> {
  const silence = await Silence.open(ctx);
  return {
    start: () => silence.start(),
    close: () => silence.close(),
  };
}
