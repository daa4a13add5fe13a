/** What a table says of a session. */
import { type Column, field, type Item, time } from './print.ts';
import { showIso, showSeconds } from './times.ts';

/** Who it was, or why that is not shown. */
export function peerText({ peer, personal }: Item): string | null {
  if (peer === null) return personal === 'open' || personal === 'none' ? null : `(${personal})`;
  return [peer.id, ...(peer.names as string[])].filter((one) => one !== null).join(' ');
}

/** Nobody may be looking at a session that runs: an open remote desktop outlives its connection. */
export function stateText({ state, connection }: Item): string {
  return connection === 'disconnected' ? `${state} (disconnected)` : state;
}

/** With the names by which the hosts of a list are told apart (H2). */
export const sessionRow = (names: ReadonlyMap<string, string>): readonly Column[] => [
  time('started', 'startedAt'),
  ['duration', ({ durationSeconds }) => showSeconds(durationSeconds)],
  ['state', stateText],
  ['host', ({ host, hostId }) => names.get(hostId) ?? host],
  field('customer', 'customer'),
  field('tool', 'tool'),
  field('kind', 'kind'),
  ['peer', peerText],
  ['address', ({ peer }) => (peer?.ips as Item[] | undefined)?.map(({ ip }) => ip).join(', ')],
  field('ticket', 'ticket'),
  field('id', 'id'),
];

export const SESSION_CARD: readonly Column[] = [
  ...sessionRow(new Map()),
  field('site', 'site'),
  field('direction', 'direction'),
  field('mode', 'mode'),
  time('ended', 'endedAt'),
  field('end reason', 'endReason'),
  field('start known by', 'startBasis'),
  field('end known by', 'endBasis'),
  field('technician', 'technician'),
  field('local user', 'localUser'),
  field('tool session', 'toolSessionId'),
  field('purpose', 'purpose'),
  field('auth', 'auth'),
  field('failed attempts', 'failedAttempts'),
  field('files', 'files'),
  field('connection', 'connection'),
  time('connection since', 'connectionAt'),
  field('confirmed by', 'confirmedBy'),
  field('personal data', 'personal'),
  time('erased', 'erasedAt'),
  ['log', ({ log, seq }) => `${log} ${seq[0]}–${seq[1]}`],
];

/** One line of `session tail`. */
export function sessionLine(item: Item, tz: string): string {
  const { startedAt, host, tool, kind, state, durationSeconds } = item;
  const lasted = showSeconds(durationSeconds);
  return [showIso(startedAt, tz), host, tool, kind, state, lasted, peerText(item)]
    .filter((one) => one !== null)
    .join('  ');
}
