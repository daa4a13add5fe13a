/** What a running collector does by itself: alerts, webhooks, tickets. */
import { Deliverer } from './deliver/deliverer.ts';
import { SessionAlertWatch } from './session-alerts.ts';
import { Silence } from './silence.ts';
import { TicketMatcher } from './tickets.ts';
import type { Context } from './types.ts';

export interface Duties {
  /** The port is open. */
  start(): Promise<void>;
  /** Lets what runs finish; nothing begins after it. Safe to repeat. */
  close(): Promise<void>;
}

export async function openDuties(ctx: Context): Promise<Duties> {
  const silence = await Silence.open(ctx);
  const sessions = await SessionAlertWatch.open(ctx);
  const deliverer = new Deliverer(ctx);
  const tickets = new TicketMatcher(ctx);
  return {
    async start() {
      silence.start();
      tickets.start();
      sessions.start();
      await deliverer.start();
    },
    async close() {
      await silence.close();
      await tickets.close();
      await sessions.close();
      await deliverer.close();
    },
  };
}
