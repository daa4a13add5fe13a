/**
 * Secrets that a word announces: `password=…`, "Kodeord: …", "the PIN is …", "lösenordet har ändrats till …".
 *
 * One pass finds the words; at the end of each the ways in which a value can follow are tried in turn. The more the
 * word and the way say, the less is asked of the value: behind `password=` everything is a secret, some words further
 * on only what looks like one.
 */
import {
  DROPPED,
  dropped,
  hasSign,
  isBareWord,
  isPath,
  isQuoted,
  isSaid,
  looksLikeCode,
  looksMixed,
  looksSecret,
  VALUE,
} from './values.ts';
import { CHANGED, IS, IS_SAID, TO, WORD_SOURCE } from './words.ts';

type Kind = 'password' | 'credential' | 'pin' | 'short' | 'plain';

interface Way {
  /** Tried where the word ends. Group 1 stays, group 2 is the value. */
  pattern: RegExp;
  takes(kind: Kind, value: string, place: Place): boolean;
}

interface Place {
  text: string;
  /** What stands between the word and the value. */
  between: string;
  wordAt: number;
  valueEnd: number;
}

const WORD = new RegExp(WORD_SOURCE, 'giu');
const ESCAPED = DROPPED.replace(/[[\]]/gu, '\\$&');
/** An earlier pass took what stands here. */
const GONE = new RegExp(`[^\\p{L}\\p{N}]{0,6}${ESCAPED}`, 'uy');
const QUOTE = '(?:\\\\?["\'])?';
const SEPARATOR = '(?:=>|:=|->|→|⇒|⟹|=|:|：|%3d)';
/** What mark-up puts around the separator: `**Password:** …`, `<b>Password:</b> …`. */
const MARKUP = '(?:\\*{1,2}|</?\\w{1,8}>|&nbsp;)?';
/** `u'…'`, `b'…'`, `N'…'` of programs; `<…>` of manuals. */
const BEFORE = '(?:[ubrn](?=["\'])|<(?=[^<>\\s]{4,64}>))?';

const way = (source: string, takes: Way['takes']): Way => ({ pattern: new RegExp(source, 'iuy'), takes });

const WAYS: readonly Way[] = [
  // password = …, "apiKey": "…", Password='…', <add key="Password" value="…"/>, <pwd>…</pwd>
  way(
    `(${QUOTE}[)\\]]?${MARKUP}\\s{0,8}${SEPARATOR}${MARKUP}(?:\\s{0,4}[|>][+-]?\\s{0,2}\\n\\s{1,16}|\\s{0,4}\\[\\s{0,4}(?=["'])|\\s{0,8})${BEFORE}|["']\\s{1,4}value\\s{0,4}=\\s{0,4}|(?:["'][^<>"']{0,32}(?:"[^<>"']{0,32}")?)?>(?:\\s{0,8}<(?:value|string)>)?)(${VALUE})`,
    (kind, value, place) => !isSaid(value) && behindSeparator(kind, value, place),
  ),
  // enable secret 5 …, username op password 7 …, password 51:b:…
  way(
    `(\\s{1,4}(?:(?:(?:ascii|hex|encrypted|clear)\\s{1,4})?\\d\\s{1,4}|(?:ascii-text|hexadecimal|plain-text|simple|cipher)\\s{1,4}|\\d{2}:b:))(${VALUE})`,
    (kind, value) =>
      kind === 'plain' ? /^[0-9A-F]{8,256}$/u.test(value) : isQuoted(value) || looksSecret(value),
  ),
  // PW/…
  way(
    `(\\s{0,2}/\\s{0,2})(${VALUE})`,
    (kind, value) => kind === 'short' && (hasSign(value) || looksMixed(value)) && /\p{Lu}/u.test(value),
  ),
  // password "…", password (…), pw ("…")
  way(
    `(\\s{0,4}[(:]\\s{0,4}|\\s{1,4})((?:["'\u201c\u201e])[^"'\u201c\u201d]{1,256}(?=["'\u201c\u201d]))`,
    (kind, value) => (kind === 'password' || kind === 'short') && value.length > 4,
  ),
  // the password is …, koden är …
  way(`(\\s{1,8}(?:${IS})\\s{1,4}(?:(?:still|now|nu|nå|nyt|jetzt)\\s{1,4})?)(${VALUE})`, behindIs),
  // kunden gav mig kodeordet Solopgang: the one word at the end that is no verb.
  way(
    '((?<=kodeordet|koden|passordet|lösenordet)\\s{1,4})(\\p{Lu}\\p{L}{4,32})(?=[.!]?\\s{0,4}(?:$|\\n))',
    (kind, value) => kind === 'password' && isBareWord(value) && /^\p{Lu}/u.test(value),
  ),
  // Password 4821, pw h3x9tq, PIN-kode 7712
  way(`(\\s{1,8}\\(?)(${VALUE})`, (kind, value, place) =>
    kind === 'plain' && isOfATown(value, place) ? false : behindBlank(kind, value),
  ),
  // changed the password from … to …
  way(
    `((?:\\s{1,4}\\p{L}{2,16}){0,3}?\\s{1,4}(?:fra|från|from|von|vom)\\s{1,4})(${VALUE})(?=\\s{1,4}(?:${TO})\\s)`,
    (kind, value, { text, wordAt, between }) =>
      (kind === 'plain' ? /^\d{4,8}$/u.test(value) : looksSecret(value)) ||
      (isQuoted(value) && isChanged(text, wordAt, between)),
  ),
  // password was changed to …, Passwort geändert auf …
  way(
    `((?:\\s{1,4}[^\\s:;,=.!?]{1,32}){0,4}?\\s{1,4}(?:${TO})\\s{1,4})(${VALUE})`,
    (kind, value, { text, wordAt, between }) =>
      (kind !== 'plain' && hasSign(value)) ||
      ((kind === 'plain'
        ? looksMixed(value) || /^\d{4,8}$/u.test(value)
        : looksSecret(value) || isQuoted(value)) &&
        isChanged(text, wordAt, between)),
  ),
  // password for the panel: …, the one-time password for 774 120 983 is …
  way(
    `((?:\\s{1,4}[^\\s:;,=.!?]{1,32}){0,6}?(?:\\s{0,4}${SEPARATOR}\\s{1,4}|\\s{1,4}(?:${IS}|${IS_SAID})\\s{1,4}(?:(?:still|now|nu|nå|nyt|jetzt)\\s{1,4})?))(${VALUE})`,
    (kind, value, { text, between }) =>
      kind === 'plain' || kind === 'pin'
        ? looksLikeCode(value) && (kind === 'pin' || OF_A_LOCK.test(between))
        : looksSecret(value) || isOfSomebody(value, between, text),
  ),
  // kode til skabet 3321, code for the gate 2580#
  way(
    `(\\s{1,4}(?:til|till|for|för|für|to)(?:\\s{1,4}\\p{L}{1,24}){1,2}\\s{1,4})(${VALUE})`,
    (kind, value) => (kind === 'plain' || kind === 'pin') && /^\d{4,8}[#*]?$/u.test(value),
  ),
  // Kennwort Admin …, password of the panel …: further off, so it has to look like one.
  way(`((?:\\s{1,4}[^\\s:;,=.!?]{1,32}){1,2}?\\s{1,4})(${VALUE})`, (kind, value, { between }) =>
    kind === 'password' || kind === 'short'
      ? (hasSign(value) && !isSaid(value)) || (looksMixed(value) && !ofAPlace(between))
      : false,
  ),
];

/** More of the same behind a list: "backup codes: aaaa-1111 bbbb-2222", "verification code: 917 204". */
const MORE = new RegExp(`([\\s,;]{1,3}(?:(?:og|och|and|ja|und)\\s)?)(${VALUE})`, 'iuy');
/** "from … to …": the new one behind the old one. */
const ONWARDS = new RegExp(`(\\s{1,4}(?:${TO})\\s{1,4})(${VALUE})`, 'iuy');
/** More words up to the end of the line: a passphrase. */
const WORDS = /(?: \p{Ll}{3,16}){1,5}(?=\s{0,4}(?:$|\n))/uy;

const SEEN_TO_BE_A_NAME = new RegExp(`^\\s{0,3}[/:]?\\s{0,3}${ESCAPED}`, 'u');

function behindSeparator(kind: Kind, value: string, { text, between, wordAt, valueEnd }: Place): boolean {
  // credentials: op / [dropped]
  if (SEEN_TO_BE_A_NAME.test(text.slice(valueEnd, valueEnd + 24))) return false;
  // CToken::GetSystemToken(): a name in a program.
  if (kind !== 'password' && value.startsWith(':')) return false;
  if (kind === 'plain')
    return between.includes('>') ? false : looksLikeCode(value) || isOfALogin(value, text, wordAt);
  if (isPath(value) || (between.endsWith('<') && !looksSecret(value))) return false;
  // "passwd: password updated", "Token: hardware key lost": what a program or a person goes on to say.
  const goesOn =
    /^\p{Ll}{2,16}[):]{0,2}$/u.test(value) && /^\s\p{L}/u.test(text.slice(valueEnd, valueEnd + 2));
  if (goesOn && between.startsWith(':') && (kind === 'credential' || isPasswd(text, wordAt))) return false;
  // `password</a>`: the value of something else.
  if (between.startsWith('>')) return !value.startsWith('/');
  return true;
}

function behindIs(kind: Kind, value: string, { text, valueEnd }: Place): boolean {
  if (isQuoted(value)) return true;
  if (kind === 'plain' || kind === 'pin') return looksLikeCode(value);
  if (kind === 'credential') return looksMixed(value);
  // "The password is hunter." ends there; "the password is case sensitive" goes on.
  const ends = /^\s{0,2}(?:[.,;!?)]|$|\n)/u.test(text.slice(valueEnd, valueEnd + 4));
  return looksSecret(value) || (ends && isBareWord(value));
}

function behindBlank(kind: Kind, value: string): boolean {
  if (kind === 'password') return looksSecret(value) || PAIR_OF_WORDS.test(value);
  if (kind === 'credential') return looksMixed(value) && value.length >= 8;
  // "code 4009: closed by peer"
  if (kind === 'plain' && value.endsWith(':')) return false;
  return kind === 'short' ? looksMixed(value) || /^\d{4,10}$/u.test(value) : looksLikeCode(value);
}

/** "koden til døren", "code for the gate": the code opens it. */
const OF_A_LOCK = /^\s{1,4}(?:til|till|for|för|für|to|på|hedder|heter|lyder)\s/iu;
/** `Kanel-Snegl`: two words that nobody writes so in prose. */
const PAIR_OF_WORDS = /^\p{Lu}\p{Ll}{2,16}-\p{Lu}\p{Ll}{2,16}$/u;

const isChanged = (text: string, wordAt: number, between: string): boolean =>
  CHANGED.test(`${text.slice(Math.max(0, wordAt - 40), wordAt)} ${between} `);

/** "password for admin: rainyday": whose it is stands between, and nothing behind. */
const isOfSomebody = (value: string, between: string, text: string): boolean =>
  /^\s{1,4}(?:\(|(?:for|til|till|för|für)\s)[^:=]{1,40}[:=]\s{1,4}$/iu.test(between) &&
  /^[\p{Ll}\d]{5,32}$/u.test(value) &&
  isBareWord(value) &&
  text.trimEnd().endsWith(value);

/** "kode 5000 Odense". */
const isOfATown = (value: string, { text, valueEnd }: Place): boolean =>
  /^\d{4,5}$/u.test(value) && /^\s\p{Lu}\p{Ll}{2}/u.test(text.slice(valueEnd, valueEnd + 4));

/** "bruger: op kode: Birkeskov": a name stands before, so the code is what is logged in with. */
const isOfALogin = (value: string, text: string, wordAt: number): boolean =>
  isBareWord(value) &&
  /(?:user(?:name)?|login|bruger(?:navn)?|bruker(?:navn)?|användar(?:e|namn)|käyttäjä|tunnus|benutzer|id)\s{0,2}[:=]\s{0,2}\S{1,64}[\s,;/|]{1,4}$/iu.test(
    text.slice(Math.max(0, wordAt - 96), wordAt),
  );

/** The program, not the word. */
const isPasswd = (text: string, wordAt: number): boolean => /^passwd:/u.test(text.slice(wordAt, wordAt + 7));

/** "password on hmi02", "kodeord til PC-3": what follows is where it is used. */
const ofAPlace = (between: string) =>
  /\s(?:on|for|of|at|in|from|by|via|with|since|until|på|til|till|i|hos|fra|från|av|af|för|auf|für|an|von|bei|seit|am|the|ticket|case|sag)\s{1,4}$/iu.test(
    between,
  );

/** Appends to `out`; returns where it went on. */
interface Found {
  head: string;
  kept: string;
  end: number;
  count: number;
}

export function dropSaid(text: string): { text: string; dropped: number } {
  const out = { text: '', dropped: 0 };
  let from = 0;
  WORD.lastIndex = 0;
  for (let word = WORD.exec(text); word !== null; word = WORD.exec(text)) {
    const wordEnd = WORD.lastIndex;
    const found = follows(text, word.index, wordEnd, kindOf(word.groups));
    if (found === null) continue;
    out.text += text.slice(from, wordEnd) + found.head + found.kept;
    out.dropped += found.count;
    from = found.end;
    WORD.lastIndex = from;
  }
  out.text += text.slice(from);
  return out;
}

function kindOf(groups: Record<string, string | undefined> | undefined): Kind {
  const kinds: Kind[] = ['password', 'credential', 'pin', 'short'];
  return kinds.find((kind) => groups?.[kind] !== undefined) ?? 'plain';
}

function follows(text: string, wordAt: number, wordEnd: number, kind: Kind): Found | null {
  GONE.lastIndex = wordEnd;
  if (GONE.test(text)) return null;
  for (const { pattern, takes } of WAYS) {
    pattern.lastIndex = wordEnd;
    const match = pattern.exec(text);
    const [between, value] = [match?.[1] ?? '', match?.[2] ?? ''];
    const valueEnd = pattern.lastIndex;
    if (match === null || !takes(kind, value, { text, between, wordAt, valueEnd })) continue;
    const kept = dropped(value);
    if (kept === null) return null;
    return more(text, kind, { head: between, kept, end: valueEnd, count: 1 }, value);
  }
  return null;
}

/** Digits in two groups are one code; several codes stand in a row. */
function more(text: string, kind: Kind, found: Found, first: string): Found {
  if (kind === 'password' || kind === 'short' || kind === 'plain') return onwards(found, text, first);
  if (kind !== 'pin') return found;
  let { kept, end, count } = found;
  for (let n = 0; n < 16; n += 1) {
    MORE.lastIndex = end;
    const match = MORE.exec(text);
    const value = match?.[2] ?? '';
    const isGroup =
      n === 0 && /^\d{3,6}$/u.test(first) && /^\d{3,6}$/u.test(value) && value.length === first.length;
    const isAlike = /^\d{2,6}-\d{2,6}$/u.test(first) && /^\d{2,6}-\d{2,6}$/u.test(value);
    if (match === null || !(isGroup || isAlike || looksMixed(value))) break;
    kept += isGroup ? '' : (match[1] ?? '') + (dropped(value) ?? value);
    end = MORE.lastIndex;
    count += isGroup ? 0 : 1;
  }
  return { ...found, kept, end, count };
}

/** What goes on behind a password: the one it was changed to, or the rest of its words. */
function onwards(found: Found, text: string, first: string): Found {
  ONWARDS.lastIndex = found.end;
  const next = ONWARDS.exec(text);
  if (next !== null && (looksSecret(next[2] ?? '') || /^\d{4,8}$/u.test(next[2] ?? ''))) {
    const kept = (next[1] ?? '') + (dropped(next[2] ?? '') ?? next[2] ?? '');
    return { ...found, kept: found.kept + kept, end: ONWARDS.lastIndex, count: found.count + 1 };
  }
  WORDS.lastIndex = found.end;
  const words = /^\p{Ll}{3,16}$/u.test(first) && /[:=]\s{0,8}$/u.test(found.head) ? WORDS.exec(text) : null;
  if (words === null || words[0].split(' ').some((word) => word !== '' && isSaid(word))) return found;
  return { ...found, end: WORDS.lastIndex };
}
