/**
 * Who may be the second person, when one person may act alone, and when an approval is over. Pure; the shell is
 * `approvals.ts`.
 *
 * R1  Nobody approves what they asked for, nor what is about themselves.
 * R2  Nor does an account that the asker made, itself or through accounts that it made, less than 7 days ago.
 * R3  Who approves or refuses has a role that the table gives this, sees every customer that it touches, and can sign
 *     in. The asker may take back what they asked for.
 * R4  Alone acts only who asked and could approve for others, only where nobody else could approve, and 72 hours later;
 *     where somebody else can by then, it waits for them. Nothing that is to happen at once is done alone.
 * R5  What was given, refused or has expired stays so: it is not decided again, and does not run.
 * R6  What somebody asked for does not run once they are revoked.
 */
import type { CustomerId, PersonId } from '../protocol/ids.ts';
import { DAY_MS, HOUR_MS, type UtcMs } from '../protocol/time.ts';
import { within } from './people.ts';
import type { Role } from './permissions.ts';
import type { ApprovalRow } from './store/types.ts';

/** Accounts that the asker made are no second person for so long. */
export const YOUNG_MS = 7 * DAY_MS;
/** From `--alone` to the act. */
export const ALONE_MS = 72 * HOUR_MS;
/** What nobody decided by then has expired. */
export const OPEN_MS = 14 * DAY_MS;

/** Somebody who has, or had, an account. */
export interface Member {
  person: PersonId;
  role: Role;
  /** Null: all. */
  customers: readonly CustomerId[] | null;
  /** Not revoked. */
  active: boolean;
  /** Active, with a sign-in that has not ended. */
  live: boolean;
  createdBy: PersonId | null;
  createdAt: UtcMs;
}
export type Circle = ReadonlyMap<PersonId, Member>;

export type Asked = Pick<
  ApprovalRow,
  'state' | 'askedBy' | 'about' | 'customers' | 'expiresAt' | 'aloneAt'
> & {
  /** Roles that can be the second person. */
  roles: readonly Role[];
  /** To happen at once, without the time that such an act otherwise takes. */
  now: boolean;
};

export type How = 'approve' | 'refuse' | 'alone' | 'due';
export type Why =
  | 'own'
  | 'about'
  | 'role'
  | 'young'
  | 'over'
  | 'expired'
  | 'asker-gone'
  | 'not-asker'
  | 'not-alone'
  | 'alone-now'
  | 'not-due';

/** Null: `who` may do this to what was asked for. `due`: the time of `--alone` is over, nobody asks any more. */
export function judge(asked: Asked, how: How, who: PersonId, circle: Circle, at: UtcMs): Why | null {
  if (asked.state !== 'open') return 'over';
  if (at >= asked.expiresAt) return 'expired';
  if (how !== 'refuse' && circle.get(asked.askedBy)?.active !== true) return 'asker-gone';
  const member = circle.get(who);
  if (how === 'approve') return whyNotSecond(asked, member, circle, at);
  if (how === 'refuse') return who === asked.askedBy ? null : whyNoSay(asked, member);
  if (how === 'due' && (asked.aloneAt === null || at < asked.aloneAt)) return 'not-due';
  return whyNotAlone(asked, who, circle, at);
}

/** Everybody who could approve it now. */
export function seconds(asked: Asked, circle: Circle, at: UtcMs): PersonId[] {
  return [...circle.values()]
    .filter((member) => whyNotSecond(asked, member, circle, at) === null)
    .map(({ person }) => person);
}

/** R1–R3. */
function whyNotSecond(asked: Asked, member: Member | undefined, circle: Circle, at: UtcMs): Why | null {
  if (member?.person === asked.askedBy) return 'own';
  const why = whyNoSay(asked, member);
  if (why !== null || member === undefined) return why ?? 'role';
  const young = at - member.createdAt < YOUNG_MS;
  return young && madeBy(asked.askedBy, member, circle) ? 'young' : null;
}

/** R1, R3. */
function whyNoSay(asked: Asked, member: Member | undefined): Why | null {
  if (member !== undefined && member.person === asked.about) return 'about';
  return member?.live === true && hasSay(asked, member) ? null : 'role';
}

function hasSay(asked: Asked, { role, customers }: Member): boolean {
  return asked.roles.includes(role) && within(asked.customers, customers);
}

/** R4. */
function whyNotAlone(asked: Asked, who: PersonId, circle: Circle, at: UtcMs): Why | null {
  const asker = circle.get(who);
  if (who !== asked.askedBy || asker === undefined) return 'not-asker';
  if (who === asked.about) return 'about';
  if (!hasSay(asked, asker)) return 'role';
  if (asked.now) return 'alone-now';
  return seconds(asked, circle, at).length > 0 ? 'not-alone' : null;
}

/** R2: up the line of those who made an account. */
function madeBy(maker: PersonId, member: Member, circle: Circle): boolean {
  const seen = new Set<PersonId>();
  for (let by = member.createdBy; by !== null && !seen.has(by); by = circle.get(by)?.createdBy ?? null) {
    if (by === maker) return true;
    seen.add(by);
  }
  return false;
}
