/** A hold on paper for hosts without a line (H10): what each of them was ordered, signed. */
import { TilsynError } from '../../protocol/errors.ts';
import type { PersonId } from '../../protocol/ids.ts';
import { signRecord } from '../../protocol/sign.ts';
import type { HoldSlip } from '../../protocol/slip.ts';
import { toIso } from '../../protocol/time.ts';
import type { HoldRow } from '../store/types.ts';
import type { Context } from '../types.ts';

/** One slip for each site. @throws TilsynError `slip.nothing` */
export async function makeSlips(ctx: Context, row: HoldRow, person: PersonId): Promise<HoldSlip[]> {
  const { store, identity, clock, own } = ctx;
  const hosts = await store.read.holdHosts.list({ hold: row.hold });
  if (row.state === 'released' || hosts.length === 0) {
    throw new TilsynError('slip.nothing', 'taking out a hold slip: there is no host to carry it to', {
      hint: 'A slip is for a hold on footage that is in force: `tilsyn hold show ID`.',
      exit: 'conflict',
    });
  }
  const bySite = new Map<string, HoldSlip['orders']>();
  for (const { agent, orders } of hosts) {
    const site = (await store.read.agents.get(agent))?.site;
    if (site !== undefined) bySite.set(site, { ...bySite.get(site), [agent]: orders });
  }
  // On record before anything leaves: a slip is an order.
  const data = { hold: row.hold, person, hosts: hosts.length };
  await store.write((tx) => own.append(tx, [{ type: 'hold.slip-made', data }]));
  const madeAt = toIso(clock.now());
  return [...bySite].map(([site, orders]) =>
    signRecord('slip', identity, { v: 1 as const, slip: 'hold' as const, site, madeAt, orders }),
  );
}
