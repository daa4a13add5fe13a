/** What is shown of a self-audit: its checks, what they did not look at, its findings. */
import { type Column, field, type Item, time } from './print.ts';
import { showIso } from './times.ts';

/** Why something was not looked at, or that it never is. */
const UNSEEN: Readonly<Record<string, string>> = {
  'beyond-sample': 'more than the sample that was drawn',
  exports: 'recordings that were exported from the recorder',
  'copies-elsewhere': 'copies outside of the roots',
  backups: 'backups of this machine',
  snapshots: 'snapshots of its file systems',
  'no-root': 'no root of recordings is configured',
  'root-suspect': 'what lies under a root is not what was accepted',
  'not-accepted': 'nobody accepted a root yet',
  'first-scan': 'a root is being read for the first time',
  'no-policy': 'the host was given no retention rules',
  'no-rule': 'no rule says how long recordings may be kept',
  'time-untrusted': 'the host has no trusted time',
  'holds-unreadable': 'the table of holds cannot be read',
  'sweep-waits': 'what the sweep would take while it waits for a person',
  'changed-meanwhile': 'what the scan could not read again in time',
  'unreadable-folder': 'folders that cannot be read',
  platform: 'erasing cannot be done on this system',
  'no-room': 'there is no room on the disk',
  'not-running': 'only a running agent knows',
  'rules-of-sessions': 'when sessions fall due: the collector knows',
  'acked-leaves': 'events that were delivered and dropped here',
  'never-run': 'no agent has run here',
  'first-run': 'there was no audit before',
  failed: 'the check failed',
};

export function unseenText(word: unknown): string {
  return UNSEEN[String(word)] ?? 'a later version knows';
}

export function checkRows(checks: readonly Item[]): (string | number | null)[][] {
  return checks.map(({ check, looked, of, explained, unseen }) => [
    ...[String(check), Number(looked), of === null ? null : Number(of), Number(explained)],
    (unseen as string[]).join(', '),
  ]);
}

export const FOUND_HEADINGS = ['finding', 'audit', 'count', 'source', 'tool'];

export function foundRows(found: readonly Item[]): (string | number | null)[][] {
  return found.map(({ code, check, count, source, tool }) => [code, check, count, source, tool]);
}

const signed: Column = [
  'signed',
  (item, tz) => {
    const all = (item.signed ?? []) as Item[];
    if (all.length === 0) return 'by nobody';
    return all.map(({ person, at }) => `by ${person} ${showIso(at, tz)}`).join('; ');
  },
];

export const AUDIT_ROW: readonly Column[] = [
  field('host', 'host'),
  time('began', 'startedAt'),
  field('why', 'trigger'),
  field('findings', 'findings'),
  signed,
  field('id', 'id'),
];

const notes: Column = [
  'notes',
  ({ signed: all }) => ((all ?? []) as Item[]).flatMap(({ note }) => note ?? []).join('; ') || null,
];

export const AUDIT_CARD: readonly Column[] = [
  ...AUDIT_ROW,
  time('ended', 'endedAt'),
  field('customer', 'customer'),
  field('site', 'site'),
  notes,
];
