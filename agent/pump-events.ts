/** What a source's file went through, as events. Pure; words and numbers only. */
import { createHmac } from 'node:crypto';
import type { EventData, TOOLS } from '../protocol/event.ts';
import type { SourceId } from '../protocol/ids.ts';
import type { Unreadable } from './journal-sources.ts';
import type { FollowedLine, FollowNotice } from './sources/follow.ts';
import type { Draft } from './types.ts';

export interface SourceName {
  source: SourceId;
  tool: (typeof TOOLS)[number];
}

type SourceData = EventData<'source.opened'>;
type SourceType = 'source.opened' | 'source.rotated' | 'source.skipped' | 'source.lost' | 'source.unreadable';

const WORD = /^[A-Za-z][A-Za-z0-9-]{0,39}$/;

/** Reasons are words of a closed set or system error codes; anything else would have no place in a leaf. */
function word(text: string): string {
  return WORD.test(text) ? text : 'unknown';
}

export function sourceEvent(
  name: SourceName,
  type: SourceType,
  facts: Partial<Pick<SourceData, 'offset' | 'length' | 'count' | 'reason'>>,
): Draft {
  const data: SourceData = { ...name, offset: null, length: null, count: null, reason: null, ...facts };
  return { type, data };
}

export function noticeEvents(name: SourceName, notice: FollowNotice): Draft[] {
  const { offset, length } = notice;
  const reason = word(notice.reason);
  switch (notice.kind) {
    case 'opened':
      return [sourceEvent(name, 'source.opened', { offset, length, reason })];
    case 'recovered':
      return [sourceEvent(name, 'source.opened', { offset, reason: 'recovered' })];
    case 'rotated':
      return [sourceEvent(name, 'source.rotated', { offset, length, reason })];
    case 'truncated':
      return [sourceEvent(name, 'source.rotated', { offset, length, reason: word(`truncated-${reason}`) })];
    case 'unreadable-file':
      return [sourceEvent(name, 'source.unreadable', { offset, reason })];
    case 'lost':
      return [sourceEvent(name, 'source.lost', { offset, length, reason }), lostBytes(name, offset, length)];
  }
}

function lostBytes({ source }: SourceName, from: number, length: number): Draft<'journal.gap'> {
  const to = from + length;
  return {
    type: 'journal.gap',
    data: { source, log: null, from, to, count: null, reason: 'rotated-away', fromAt: null, toAt: null },
  };
}

/** A line that gave no event: where it lies, a keyed digest, and why. */
export function unreadable(
  source: SourceId,
  digestKey: Buffer,
  line: FollowedLine,
  reason: string,
): Unreadable {
  const place = `${line.file}:${line.start}`;
  const digest = createHmac('sha256', digestKey)
    .update('line\0')
    .update(line.text || place)
    .digest();
  return { source, offset: line.start, length: line.end - line.start, digest, reason: word(reason) };
}

/** One event for all unreadable lines of a transaction. */
export function unreadableEvent(name: SourceName, lines: readonly Unreadable[]): Draft[] {
  const [first] = lines;
  if (first === undefined) return [];
  const reasons = new Set(lines.map((line) => line.reason));
  return [
    sourceEvent(name, 'source.unreadable', {
      offset: first.offset,
      length: lines.reduce((sum, line) => sum + line.length, 0),
      count: lines.length,
      reason: reasons.size === 1 ? first.reason : 'mixed',
    }),
  ];
}
