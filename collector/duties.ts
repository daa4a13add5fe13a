/** What a running collector does by itself: alerts, webhooks, tickets, what falls due, the end of what nobody misses. */
import { AuditWatch } from './audit-watch.ts';
import { Deliverer } from './deliver/deliverer.ts';
import { Eraser, type EraserOptions } from './erasing/eraser.ts';
import { FootageAlertWatch } from './footage-alerts.ts';
import { HoldCourier } from './holds/courier.ts';
import { OneoffCare } from './oneoff/care.ts';
import { Recogniser } from './oneoff/recognise.ts';
import { RulesCourier } from './rules-courier.ts';
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

export async function openDuties(ctx: Context, erasing: Omit<EraserOptions, 'ctx'>): Promise<Duties> {
  const silence = await Silence.open(ctx);
  const sessions = await SessionAlertWatch.open(ctx);
  const audits = await AuditWatch.open(ctx);
  const footage = await FootageAlertWatch.open(ctx);
  const deliverer = new Deliverer(ctx);
  const oneoff = new OneoffCare(ctx);
  const recogniser = await Recogniser.open(ctx);
  erasing.around.keyring.onErase((group) => recogniser.forget(group));
  // Before the port opens: what nobody came back for in time is gone then (O8).
  await oneoff.look();
  const eraser = new Eraser({ ctx, ...erasing });
  const tickets = new TicketMatcher(ctx);
  const rules = new RulesCourier(ctx);
  const holds = new HoldCourier(ctx);
  return {
    async start() {
      silence.start();
      tickets.start();
      sessions.start();
      audits.start();
      footage.start();
      oneoff.start();
      rules.start();
      holds.start();
      await deliverer.start();
      eraser.start();
    },
    async close() {
      await eraser.close();
      await silence.close();
      await recogniser.close();
      await oneoff.close();
      await tickets.close();
      await rules.close();
      await holds.close();
      await sessions.close();
      await audits.close();
      await footage.close();
      await deliverer.close();
    },
  };
}
