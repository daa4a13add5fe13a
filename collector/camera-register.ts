/**
 * The register of cameras: where each is, what for, how long its footage is to be kept, since when a sign says so. A camera
 * that is in none is a finding (PN-26); where none says how long, nobody can say that it was kept too long (HS-16).
 *
 * V96 What the register says of a camera is one event, whole: the newest counts, and what was said before stays in the log.
 *     Addresses and purposes lie sealed with the customer's name, and go with it.
 * V97 Unknown, without a purpose, a sign or a period, with another period than the rule in force, with sound, without
 *     recordings: each is a finding of the camera, never a reason to erase or keep.
 */
import type { EventData, EventPersonal } from '../protocol/event.ts';
import type { PersonId } from '../protocol/ids.ts';
import type { Period } from '../protocol/period.ts';
import { type Policy, periodOf, ruleFor } from '../protocol/policy.ts';
import { HOUR_MS, toIso, type UtcMs } from '../protocol/time.ts';
import type { CameraRow } from './store/types.ts';
import type { Context } from './types.ts';

export interface Registration {
  address?: string | undefined;
  area?: string | undefined;
  purpose?: string | undefined;
  place: EventData<'camera.registered'>['place'];
  /** How long its footage is to be kept; whole hours or calendar months. */
  retain: Period | null;
  signage: UtcMs | null;
}

/** A period as the event says it; null: it has parts of an hour. */
export function retainOf({ months, ms }: Period): { months: number; hours: number } | null {
  return ms % HOUR_MS === 0 ? { months, hours: ms / HOUR_MS } : null;
}

/** Stores what the register says of a camera; the projection takes it into the camera's row. */
export async function registerCamera(
  ctx: Context,
  row: CameraRow,
  wanted: Registration,
  person: PersonId,
): Promise<CameraRow> {
  const { camera, agent, customer } = row;
  const { place, retain, signage, address, area, purpose } = wanted;
  const personal: EventPersonal<'camera.registered'> = {
    ...(address === undefined ? {} : { address }),
    ...(area === undefined ? {} : { area }),
    ...(purpose === undefined ? {} : { purpose }),
  };
  const data: EventData<'camera.registered'> = {
    ...{ camera, agent, customer, person, place },
    retain: retain === null ? null : retainOf(retain),
    signage: signage === null ? null : toIso(signage),
  };
  const stored = await ctx.store.write(async (tx) => {
    // The commit point: the event, and the row that the projection makes of it, or neither.
    await ctx.own.append(tx, [{ type: 'camera.registered', data, personal }]);
    return (await tx.cameras.get(camera)) ?? row;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return stored;
}

export type CameraFinding =
  | 'unregistered'
  | 'purpose-missing'
  | 'retention-missing'
  | 'retention-differs'
  | 'signage-missing'
  | 'sound'
  | 'not-recording';

/** V97. @param purpose null: the register has none, or it does not open; undefined: nobody may look */
export function findingsOfCamera(
  row: CameraRow,
  purpose: string | null | undefined,
  policy: Policy,
): CameraFinding[] {
  const found: CameraFinding[] = [];
  if (row.registeredPos === null) found.push('unregistered');
  else {
    if (purpose === null) found.push('purpose-missing');
    if (row.retainMonths === null) found.push('retention-missing');
    else if (differs(row, policy)) found.push('retention-differs');
    if (row.signageAt === null) found.push('signage-missing');
  }
  if (row.sound === 'audio') found.push('sound');
  if (row.gapFrom !== null) found.push('not-recording');
  return found;
}

/** From the rule that is in force for recordings; also where there is none. */
function differs({ retainMonths, retainMs }: CameraRow, policy: Policy): boolean {
  const most = ruleFor(policy, 'recording', 'managed')?.keepAtMost ?? null;
  if (most === null) return true;
  const { months, ms } = periodOf(most);
  return months !== retainMonths || ms !== retainMs;
}
