/**
 * One Windows event as XML, as `wevtutil qe /f:xml` prints it and as the event viewer copies it. Pure.
 *
 * Not an XML parser: it reads the closed form that the event log writes, in one pass, and takes out what is asked for.
 * A library for all of XML would be the agent's heaviest dependency for sixty lines of work.
 *
 * R60 An event is read in time and memory that grow with its length only, whatever the bytes.
 */
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { wallOf } from '../../protocol/zone.ts';

export interface WindowsEvent {
  /** Empty where there is none. */
  provider: string;
  channel: string;
  id: number;
  at: UtcMs;
  /** Number of the record in its channel; null where there is none. */
  record: number | null;
  /** What the program did it for; as written, with braces. */
  activity: string | null;
  /** `Data` by its `Name`, elements of `UserData` by theirs. The first of a name counts. */
  values: ReadonlyMap<string, string>;
}

export type EventProblem = 'fields' | 'start' | 'too-long';

export const MAX_EVENT_CHARS = 64 * 1024;
const MAX_VALUES = 128;
const MAX_VALUE_CHARS = 1_024;

/** Null: no event. */
export function readWindowsEvent(xml: string): WindowsEvent | EventProblem | null {
  if (!/<(?:\w{1,16}:)?Event[\s>]/.test(xml.slice(0, 4_096))) return null;
  if (xml.length > MAX_EVENT_CHARS) return 'too-long';
  const found = new Found();
  walk(xml, found);
  const id = wholeNumber(found.system.get('EventID'));
  if (id === null) return 'fields';
  const at = timeOf(found.system.get('TimeCreated/SystemTime') ?? '');
  if (at === null) return 'start';
  return {
    provider: found.system.get('Provider/Name') ?? '',
    channel: found.system.get('Channel') ?? '',
    id,
    at,
    record: wholeNumber(found.system.get('EventRecordID')),
    activity: found.system.get('Correlation/ActivityID') ?? null,
    values: found.values,
  };
}

/** What has been found so far, and where in the event the reading is. */
class Found {
  readonly system = new Map<string, string>();
  readonly values = new Map<string, string>();
  #section = '';
  #name = '';
  #text = '';

  open(name: string, attributes: string, empty: boolean): void {
    if (name === 'System' || name === 'EventData' || name === 'UserData') this.#section = empty ? '' : name;
    else if (this.#section === 'System') this.#openSystem(name, attributes);
    else if (this.#section !== '')
      this.#name = name === 'Data' ? (attributesOf(attributes).get('Name') ?? '') : name;
    this.#text = '';
    if (empty) this.close(name);
  }

  text(text: string): void {
    if (this.#name !== '' && this.#text.length < MAX_VALUE_CHARS) this.#text += text;
  }

  close(name: string): void {
    if (name === 'System' || name === 'EventData' || name === 'UserData') this.#section = '';
    else if (this.#name !== '') this.#keep(this.#name, this.#text.trim());
    this.#name = '';
    this.#text = '';
  }

  #openSystem(name: string, attributes: string): void {
    this.#name = name;
    for (const [key, value] of attributesOf(attributes)) this.#keep(`${name}/${key}`, value);
  }

  #keep(name: string, value: string): void {
    const map = this.#section === 'System' ? this.system : this.values;
    if (map.size < MAX_VALUES && !map.has(name)) map.set(name, own(decoded(value.slice(0, MAX_VALUE_CHARS))));
  }
}

/** R60: each character is passed once, by the search for a `<` or for the end of its tag. */
function walk(xml: string, found: Found): void {
  for (let at = 0; at < xml.length; ) {
    const tag = xml.indexOf('<', at);
    if (tag === -1) return;
    found.text(xml.slice(at, tag));
    if (xml.startsWith('<!--', tag)) at = after(xml, '-->', tag);
    else if (xml.startsWith('<![CDATA[', tag)) {
      at = after(xml, ']]>', tag);
      found.text(xml.slice(tag + 9, Math.max(tag + 9, at - 3)));
    } else {
      const end = tagEnd(xml, tag);
      takeTag(xml.slice(tag + 1, end), found);
      at = end + 1;
    }
  }
}

function after(xml: string, mark: string, from: number): number {
  const at = xml.indexOf(mark, from);
  return at === -1 ? xml.length : at + mark.length;
}

/** Where the tag that begins at `from` has its `>`; one inside quotes is none. */
function tagEnd(xml: string, from: number): number {
  const first = xml.indexOf('>', from);
  if (first === -1) return xml.length;
  const tag = xml.slice(from, first);
  if (!tag.includes('"') && !tag.includes("'")) return first;
  let quote = '';
  for (let at = from; at < xml.length; at++) {
    const sign = xml.charCodeAt(at);
    if (quote !== '') quote = sign === quote.charCodeAt(0) ? '' : quote;
    else if (sign === 34 || sign === 39) quote = sign === 34 ? '"' : "'";
    else if (sign === 62) return at;
  }
  return xml.length;
}

function takeTag(tag: string, found: Found): void {
  const name = /^\/?(?:[\w.-]{1,64}:)?([\w.-]{1,64})/.exec(tag);
  if (name?.[1] === undefined) return;
  const empty = tag.endsWith('/');
  if (tag.startsWith('/')) found.close(name[1]);
  else found.open(name[1], tag.slice(name[0].length, empty ? -1 : undefined), empty);
}

/** Names without their prefix, values without quotes. */
function attributesOf(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  if (!text.includes('=')) return attributes;
  for (const [, name = '', double, single] of text.matchAll(
    /([\w.-]{1,64})\s{0,16}=\s{0,16}(?:"([^"]*)"|'([^']*)')/g,
  )) {
    if (attributes.size < MAX_VALUES) attributes.set(name, double ?? single ?? '');
  }
  return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The five that XML has, and numbers; anything else stands as written. */
function decoded(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/g,
    (whole, hex, decimal, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      const readable = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
      return readable ? String.fromCodePoint(code) : whole;
    },
  );
}

/** A part cut out of a text keeps all of it in memory; what a reader remembers for days must not. */
function own(text: string): string {
  // Shorter ones are copied anyway.
  if (text.length < 13) return text;
  return Buffer.from(text, 'utf8').toString('utf8');
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z?$/;

/** Always UTC; 7 or 9 digits of a second, and none where the event viewer copied it. */
function timeOf(text: string): UtcMs | null {
  const found = TIME.exec(text);
  if (found === null) return null;
  const [, y, mo, d, h, mi, s, fraction = '0'] = found;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const at = wallOf(Number(y), Number(mo), Number(d), Number(h), Number(mi), Number(s), ms);
  return at === null ? null : utcMs(at);
}
