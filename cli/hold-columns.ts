/** What is shown of a hold. */
import { type Column, field, type Item, time } from './print.ts';
import { showDay, showIso } from './times.ts';

/** Host by host: whether it is in force, what it protects and what was already gone (H2). */
const HOSTS: Column = [
  'hosts',
  ({ agents = [] }, tz) => (agents as Item[]).map((one) => hostText(one, tz)).join('; '),
];

export function hostText(one: Item, tz: string): string {
  const counts = one.recordings === null ? 'not counted yet' : `${one.recordings} recordings`;
  const gone = Number(one.erased ?? 0) + Number(one.erasing ?? 0);
  const parts = [
    counts,
    ...(gone > 0 ? [`${one.erased} erased and ${one.erasing} erasing before it`] : []),
    ...(one.violated > 0 ? [`${one.violated} touched by somebody else while held`] : []),
    ...(one.missing > 0 ? [`${one.missing} vanished`] : []),
    ...(one.protection === null || one.protection === 'not-needed' ? [] : [protectionText(one)]),
    ...(one.reason === null ? [] : [String(one.reason)]),
    ...(one.state === 'pending' ? [awayText(one, tz)] : []),
    ...(one.confirmed ? ['seen to by hand'] : []),
  ];
  return `${one.host}: ${one.state} (${parts.join(', ')})`;
}

/** H4: nothing is erased on its return before every order has taken effect. */
function awayText({ lastSeen, overdue }: Item, tz: string): string {
  const seen = lastSeen === null ? 'never seen' : `last seen ${showIso(lastSeen, tz)}`;
  const there =
    overdue == null || overdue.count === 0
      ? ''
      : `; ${overdue.count} recordings lie there past their time, as told ${showIso(overdue.asOf, tz)}`;
  return `${seen}, takes effect on its return before anything is erased${there}`;
}

function protectionText({ protection, copied, recordings }: Item): string {
  return protection === 'copying' ? `copying ${copied} of ${recordings}` : String(protection);
}

const NOTICE: Column = [
  'notice',
  ({ notice }, tz) => {
    if (notice === null) return 'none is due';
    if (notice.doneAt !== null) return `given ${showIso(notice.doneAt, tz)}`;
    const due = notice.dueAt === null ? 'nobody was told yet' : `due ${showIso(notice.dueAt, tz)}`;
    return notice.overdue ? `overdue: ${due}` : due;
  },
];

const SESSIONS: Column = [
  'sessions',
  ({ sessions }) => (sessions === null ? '' : `${sessions.held} kept, ${sessions.gone} erased before it`),
];

export const HOLD_ROW: readonly Column[] = [
  field('id', 'id'),
  field('kind', 'kind'),
  field('case', 'case'),
  field('state', 'state'),
  time('placed', 'placedAt'),
  time('review', 'reviewAt'),
  NOTICE,
  SESSIONS,
  HOSTS,
];

export const HOLD_CARD: readonly Column[] = [
  ...HOLD_ROW.slice(0, 4),
  field('legal basis', 'basis'),
  field('reason', 'reason'),
  field('why so much', 'wide'),
  ['scope', ({ scope }) => scopeText(scope)],
  time('placed', 'placedAt'),
  field('by', 'placedBy'),
  time('review', 'reviewAt'),
  NOTICE,
  SESSIONS,
  ['restricted', ({ restricted }) => (restricted ? 'yes' : 'no')],
  time('released', 'releasedAt'),
];

export function scopeText(scope: Item): string {
  const named = [
    ...(scope.cameras === undefined ? [] : [`${scope.cameras.length} camera(s)`]),
    ...(scope.sessions === undefined ? [] : [`${scope.sessions.length} session(s)`]),
    ...(scope.hosts === undefined ? [] : [`${scope.hosts.length} host(s)`]),
    ...(scope.site === undefined ? [] : ['a site']),
  ];
  if (scope.from === null && scope.to === null) return named.join(', ');
  const pad = scope.padSeconds > 0 ? `, ${scope.padSeconds} s of it before and after what was asked` : '';
  return `${named.join(', ')}, ${scope.from ?? 'from the first'} to ${scope.to ?? 'the last'}${pad}`;
}

export const PREVIEW: readonly Column[] = [
  ['scope', ({ scope }) => scopeText(scope)],
  field('recordings', 'recordings'),
  field('bytes', 'bytes'),
  field('erased already', 'erased'),
  field('being erased', 'erasing'),
  field('sessions', 'sessions'),
  ['wide', ({ wide }) => wide ?? 'no'],
  ['hosts', ({ hosts = [] }, tz) => (hosts as Item[]).map((one) => seenText(one, tz)).join('; ')],
];

function seenText(one: Item, tz: string): string {
  if (!one.answered)
    return `${one.host}: not connected, ${one.lastSeen === null ? 'never seen' : `last seen ${showIso(one.lastSeen, tz)}`}`;
  const share = one.volume == null ? '' : `, ${permille(one.bytes, one.volume.bytes)} of its disk`;
  const span = one.oldest === null ? '' : `, ${showIso(one.oldest, tz)} to ${showIso(one.newest, tz)}`;
  return `${one.host}: ${one.recordings} recordings, ${one.bytes} bytes${share}${span}${fillingText(one, tz)}`;
}

/** R9: whether what is asked for fills a disk, or fills it sooner. */
function fillingText({ filling }: Item, tz: string): string {
  if (filling == null) return '';
  const { without, withThis } = filling;
  if (withThis.fullAt === null)
    return withThis.silence === null ? '' : `, when a disk fills is not known (${withThis.silence})`;
  const was =
    without.fullAt === null ? 'not in sight without it' : `${showDay(without.fullAt, tz)} without it`;
  return `, fills a disk on ${showDay(withThis.fullAt, tz)} (${was})`;
}

function permille(part: number, whole: number): string {
  return whole === 0 ? '?' : `${((100 * part) / whole).toFixed(1)} %`;
}
