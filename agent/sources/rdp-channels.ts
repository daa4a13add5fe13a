/**
 * Which Windows event logs tell of remote desktop, how `wevtutil` is asked for them, and what its answer is. Pure.
 *
 * R80 An answer counts only where it holds the record that is known to be there: a query that Windows does not
 *     understand is answered with success and nothing.
 * R81 Events of several logs are merged by time, and by the order of the logs where that is equal; those of one log stay
 *     in its order. The same records give the same order, however they were fetched.
 */
import { rdpFact } from './rdp-facts.ts';
import { MAX_EVENT_CHARS, readWindowsEvent } from './windows-event.ts';

export interface Channel {
  name: string;
  /** XPath about one event, in the subset that Windows has (at most twenty comparisons with those added here). */
  wanted: string;
}

const ids = (...list: number[]) => `System[(${list.map((id) => `EventID=${id}`).join(' or ')})]`;

/** The first one leads: without it nothing is known of the machine. The others need not be there, or be readable. */
export const RDP_CHANNELS: readonly Channel[] = [
  {
    name: 'Microsoft-Windows-TerminalServices-LocalSessionManager/Operational',
    wanted: ids(21, 22, 23, 24, 25, 39, 40),
  },
  { name: 'Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational', wanted: ids(1149) },
  { name: 'Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational', wanted: ids(140) },
  {
    name: 'Security',
    // Logons of every kind are written here, thousands an hour on a file server: the kind is asked for.
    wanted:
      `${ids(4608, 4647, 4778, 4779)} or (${ids(4624, 4625, 4634)}` +
      ` and EventData[Data[@Name='LogonType']='10' or Data[@Name='LogonType']='7'])`,
  },
  { name: 'System', wanted: `System[Provider[@Name='EventLog'] and EventID=6005]` },
];

export interface RawEvent {
  /** EventRecordID: grows within a log, with gaps where a query leaves events out. */
  record: number;
  /** UTC milliseconds. */
  at: number;
  /** Empty where it was too long. */
  xml: string;
  tooLong: boolean;
}

/** Asks for the newest record of a log, or the oldest. */
export function endQuery(channel: Channel, end: 'newest' | 'oldest'): string[] {
  return ['qe', channel.name, '/c:1', `/rd:${end === 'newest'}`, '/f:xml', '/uni:true'];
}

export interface Range {
  /** The last record that was taken; asked for again, to see that it is still there. 0: none. */
  last: number;
  /** The newest one to take; asked for whether it is wanted or not (R80). */
  upTo: number;
  /** UTC milliseconds; null: whenever. */
  since: number | null;
}

/** Oldest first, at most `max` events beside the two that the answer is checked by. */
export function rangeQuery(channel: Channel, { last, upTo, since }: Range, max: number): string[] {
  const known = [last, upTo].filter((record) => record > 0).map((record) => `EventRecordID=${record}`);
  const between = [`EventRecordID>${last}`, `EventRecordID<${upTo}`];
  if (since !== null)
    between.push(`TimeCreated[@SystemTime>='${new Date(Math.max(0, since)).toISOString()}']`);
  const within = `System[${between.join(' and ')}] and (${channel.wanted})`;
  const xpath = `*[System[${known.join(' or ')}] or (${within})]`;
  return ['qe', channel.name, `/q:${xpath}`, `/c:${max + 2}`, '/rd:false', '/f:xml', '/uni:true'];
}

export interface Answer {
  /** Wanted ones behind `last`, up to and with `upTo`. */
  events: RawEvent[];
  /** The record `last`, as it is in the log now; null: it is not there any more, or there was none. */
  lastOne: RawEvent | null;
  /** `whole`: up to `upTo`. `more`: there are more behind the last event. `broken`: it proves nothing (R80). */
  is: 'whole' | 'more' | 'broken';
}

export function readAnswer(stdout: string, { last, upTo }: Range, max: number): Answer {
  const found = eventsIn(stdout);
  const lastOne = found.find(({ record }) => record === last) ?? null;
  const behind = found.filter(({ record }) => record > last && record <= upTo);
  const sentinel = behind.at(-1);
  const is = sentinel?.record === upTo ? 'whole' : found.length >= max + 2 ? 'more' : 'broken';
  const events = behind.filter((one) => one !== sentinel || is !== 'whole' || isWanted(one));
  return { events: events.slice(0, max), lastOne, is: is === 'whole' && events.length > max ? 'more' : is };
}

/** Whole events of an output, in the order of their records. What was cut off at its end is none. */
export function eventsIn(stdout: string): RawEvent[] {
  const events: RawEvent[] = [];
  for (let at = 0; ; ) {
    const start = eventStart(stdout, at);
    const end = start === -1 ? -1 : stdout.indexOf('</Event>', start);
    if (end === -1) return events;
    at = end + '</Event>'.length;
    const event = rawEvent(stdout.slice(start, at));
    if (event !== null && event.record > (events.at(-1)?.record ?? 0)) events.push(event);
  }
}

function eventStart(text: string, from: number): number {
  for (let at = text.indexOf('<Event', from); at !== -1; at = text.indexOf('<Event', at + 1)) {
    if (/[\s>]/.test(text.charAt(at + 6))) return at;
  }
  return -1;
}

/** By the first of each: `System` stands before everything that a program may write. */
function rawEvent(xml: string): RawEvent | null {
  const record = Number(/<EventRecordID>(\d{1,15})</.exec(xml)?.[1] ?? 0);
  const at = Date.parse(/SystemTime=["']([^"']{1,40})["']/.exec(xml)?.[1] ?? '');
  if (record === 0 || Number.isNaN(at)) return null;
  const tooLong = xml.length > MAX_EVENT_CHARS;
  return { record, at, xml: tooLong ? '' : xml, tooLong };
}

/** The newest record is asked for whatever it is. */
function isWanted({ xml, tooLong }: RawEvent): boolean {
  if (tooLong) return true;
  const event = readWindowsEvent(xml);
  return event !== null && (typeof event === 'string' || rdpFact(event) !== null);
}

export interface Batch {
  /** Place of the log in the list. */
  channel: number;
  events: readonly RawEvent[];
  /** There are more behind the last one. */
  more: boolean;
}

export interface Merged extends RawEvent {
  channel: number;
}

/**
 * R81: the events up to `until` (UTC milliseconds), and no further than is known of every log. An event that bears an
 * earlier time than the one before it in its log counts as of that one's.
 */
export function merge(batches: readonly Batch[], until: number): Merged[] {
  const timed = batches.map(({ channel, events, more }) => {
    let latest = 0;
    const list = events.map((event) => {
      latest = Math.max(latest, event.at);
      return { event: { ...event, channel }, as: latest };
    });
    return { list, end: more ? latest : Number.POSITIVE_INFINITY };
  });
  const limit = Math.min(until, ...timed.map(({ end }) => end));
  const all = timed.flatMap(({ list }) => list.filter(({ as }) => as <= limit));
  return all
    .sort((a, b) => a.as - b.as || a.event.channel - b.event.channel || a.event.record - b.event.record)
    .map(({ event }) => event);
}
