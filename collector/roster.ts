/**
 * Whose id, key, account or network it was: pure. What tools know people by is matched at read time, for the time at
 * which a session began, so that nothing of it is ever stored with the session.
 *
 * W13 A session is a person's where exactly one person fits by the strongest thing that fits at all: what they proved
 *     (an id, a key, an account) goes before where they came from. Two people who fit equally are nobody.
 */
import type { EventPersonal } from '../protocol/event.ts';
import type { PersonId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import { cidrTest } from './cidr.ts';
import type { IdentityRow } from './store/types.ts';

export type IdentityKind = IdentityRow['kind'];
export type SessionPersonal = EventPersonal<'session.started'>;

/** What is known of who was at the other end of a session. */
export interface Traces {
  tool: string;
  startedAt: UtcMs;
  peerId: string | null;
  ips: readonly string[];
  /** Account or fingerprint that they proved. */
  technician: string | null;
  /** Account on the machine: of tools that sign in to one, it is the one that they proved. */
  localUser: string | null;
}

export interface Known extends Pick<IdentityRow, 'person' | 'kind' | 'from' | 'to'> {
  value: string;
}

export interface Roster {
  /** Null: nobody, or not to be told apart (W13). */
  find(traces: Traces): PersonId | null;
}

/** Tools whose account on the machine is proven by whoever comes. Others show who sat there already. */
const SIGNS_IN: ReadonlySet<string> = new Set(['sshd', 'rdp']);
const SHARPNESS: Readonly<Record<IdentityKind, number>> = {
  teamviewer: 2,
  anydesk: 2,
  rustdesk: 2,
  'ssh-key': 2,
  account: 1,
  network: 0,
};

export function makeRoster(known: readonly Known[]): Roster {
  const exact = Map.groupBy(
    known.filter(({ kind }) => kind !== 'network'),
    ({ kind, value }) => `${kind} ${plain(kind, value)}`,
  );
  const networks = known
    .filter(({ kind }) => kind === 'network')
    .map((one) => ({ ...one, holds: cidrTest(one.value) }));
  return {
    find(traces) {
      const fits = [
        ...claims(traces).flatMap(([kind, value]) => exact.get(`${kind} ${plain(kind, value)}`) ?? []),
        ...networks.filter(({ holds }) => traces.ips.some(holds)),
      ].filter((one) => holdsAt(one, traces.startedAt));
      const sharpest = Math.max(-1, ...fits.map(({ kind }) => SHARPNESS[kind]));
      const people = new Set(
        fits.filter(({ kind }) => SHARPNESS[kind] === sharpest).map((one) => one.person),
      );
      const [person = null] = people;
      return people.size === 1 ? person : null;
    },
  };
}

/** What a session says that a roster may know, without networks. */
function claims({ tool, peerId, technician, localUser }: Traces): [IdentityKind, string][] {
  const ids = tool === 'teamviewer' || tool === 'anydesk' || tool === 'rustdesk';
  return [
    ...(ids && peerId !== null ? [[tool, peerId] as [IdentityKind, string]] : []),
    ...(technician === null
      ? []
      : ([
          ['ssh-key', technician],
          ['account', technician],
        ] as [IdentityKind, string][])),
    ...(localUser !== null && SIGNS_IN.has(tool) ? [['account', localUser] as [IdentityKind, string]] : []),
  ];
}

/** Ids are written in groups of digits, accounts in either case; a fingerprint is exact. */
export function plain(kind: IdentityKind, value: string): string {
  if (kind === 'ssh-key' || kind === 'network') return value.trim();
  if (kind === 'account') return value.trim().normalize('NFC').toLowerCase();
  return value.replace(/\s+/g, '').toLowerCase();
}

function holdsAt({ from, to }: Known, at: UtcMs): boolean {
  return (from === null || from <= at) && (to === null || at < to);
}
