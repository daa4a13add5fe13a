/**
 * From what a person typed to what a hold covers: which fields are missing, which contradict each other, whether it is
 * wide. Pure.
 *
 * H1  Kind, case, reason, legal basis, scope and review date are all there, or nothing is placed; everything that is wrong
 *     is named at once. A wide scope wants a sentence why.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { MAX_HOLD_CAMERAS, MAX_HOLD_HOSTS, MAX_HOLD_SESSIONS } from '../../protocol/event-holds.ts';
import { HOLD_KINDS } from '../../protocol/hold.ts';
import { DAY_MS, type UtcMs } from '../../protocol/time.ts';

/** As typed; absent: not given. */
export interface TypedScope {
  cameras?: readonly string[] | undefined;
  sessions?: readonly string[] | undefined;
  hosts?: readonly string[] | undefined;
  site?: string | undefined;
  from?: UtcMs | undefined;
  to?: UtcMs | undefined;
}

export interface TypedHold extends TypedScope {
  kind?: string | undefined;
  case?: string | undefined;
  basis?: string | undefined;
  reason?: string | undefined;
  review?: UtcMs | undefined;
}

/** A longer interval, or more of it, is named as wide. */
export const WIDE_MS = 7 * DAY_MS;
export const WIDE_CAMERAS = 10;
export const WIDE_SESSIONS = 50;

const SCOPES = ['cameras', 'sessions', 'hosts', 'site'] as const;
const MOST = { cameras: MAX_HOLD_CAMERAS, sessions: MAX_HOLD_SESSIONS, hosts: MAX_HOLD_HOSTS } as const;

/** Everything that is wrong with a scope; empty: nothing. */
export function scopeFaults(scope: TypedScope, now: UtcMs): string[] {
  const given = SCOPES.filter((name) => scope[name] !== undefined && scope[name]?.length !== 0);
  const { from, to } = scope;
  const timed = from !== undefined || to !== undefined;
  return [
    ...(given.length === 0 ? ['a scope (--camera, --session, --host or --site)'] : []),
    ...(given.length > 1 ? [`one scope only, not ${given.join(' and ')}`] : []),
    ...(given.includes('cameras') && from === undefined ? ['--from'] : []),
    ...(given.includes('cameras') && to === undefined ? ['--to'] : []),
    ...(given.includes('sessions') && timed
      ? ['no --from or --to beside --session: a session has its own times']
      : []),
    ...(from !== undefined && to !== undefined && from >= to ? ['a --from before --to'] : []),
    ...(from !== undefined && from > now
      ? ['a --from that is over: nothing was recorded in the future']
      : []),
    ...given.flatMap((name) => {
      const list = scope[name];
      const most = name === 'site' ? 1 : MOST[name];
      return Array.isArray(list) && list.length > most ? [`at most ${most} ${name}`] : [];
    }),
  ];
}

/** H1. */
export function holdFaults(hold: TypedHold, now: UtcMs): string[] {
  const kinds = HOLD_KINDS.join(', ');
  return [
    ...(hold.kind === undefined ? [`--kind (${kinds})`] : []),
    ...(hold.kind !== undefined && !HOLD_KINDS.some((kind) => kind === hold.kind)
      ? [`a --kind of ${kinds}`]
      : []),
    ...(isBlank(hold.case) ? ['--case'] : []),
    ...(isBlank(hold.basis) ? ['--basis'] : []),
    ...(isBlank(hold.reason) ? ['--reason'] : []),
    ...(hold.review === undefined ? ['--review'] : []),
    ...(hold.review !== undefined && hold.review <= now ? ['a --review that is to come'] : []),
    ...scopeFaults(hold, now),
  ];
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === '';
}

/** Why a scope is wide, in a few words; null: it is not. */
export function wideness({
  cameras = [],
  sessions = [],
  hosts = [],
  site,
  from,
  to,
}: TypedScope): string | null {
  if (site !== undefined) return 'a whole site';
  if (hosts.length > 0 && (from === undefined || to === undefined)) return 'whole hosts without an end';
  if (from !== undefined && to !== undefined && to - from > WIDE_MS) return 'more than seven days';
  if (cameras.length > WIDE_CAMERAS) return `more than ${WIDE_CAMERAS} cameras`;
  return sessions.length > WIDE_SESSIONS ? `more than ${WIDE_SESSIONS} sessions` : null;
}

/** @throws TilsynError `hold.incomplete`, `hold.wide` */
export function refuseFaults(faults: readonly string[], doing: string): void {
  if (faults.length === 0) return;
  throw new TilsynError('hold.incomplete', `${doing}: nothing was done; it wants ${faults.join('; ')}`, {
    hint: 'tilsyn hold place --help has an example.',
    exit: 'usage',
  });
}

export function refuseWide(wide: string | null, why: string | undefined): void {
  if (wide === null || !isBlank(why)) return;
  throw new TilsynError('hold.wide', `placing a hold: nothing was done; this is wide (${wide})`, {
    hint: 'Narrow it, or say in one sentence why so much is needed: --wide "…".',
    exit: 'usage',
  });
}
