/** What stands behind a word that announces a secret: how far it reaches, and whether it looks like one. */
import { SAID } from './words.ts';

/** Stands in place of every secret. */
export const DROPPED = '[dropped]';

/**
 * A quoted value, or the rest up to a blank or a separator; in `a=1&b=2` up to the next name. The text behind an
 * opening quote is all secret. The closing quote is not part of it.
 */
export const VALUE =
  '(?:\\\\"[^"\\\\]{0,4096}|"[^"]{0,4096}|\'[^\']{0,4096}|[\u201c\u201e][^\u201c\u201d]{0,4096}|(?:(?!&[\\w.]{1,32}=)[^\\s,;"\'<>|]){1,4096})';

const OPENING = /^(?:\\?["'\u201c\u201e])/u;
/** Behind a file's name it is of the file: `pw x.txt`. */
const EXTENSION = /\.(?:txt|docx?|xlsx?|pptx?|pdf|lnk|log|csv|zip|7z|rtf|md|rdp|kdbx|png|jpe?g)$/iu;

/** The value as it stands afterwards; null where there is nothing in it, or nothing left to drop. */
export function dropped(value: string): string | null {
  const opening = OPENING.exec(value)?.[0] ?? '';
  const inner = value.slice(opening.length);
  if (inner === '' || inner.includes(DROPPED) || isMasked(inner)) return null;
  return opening + DROPPED + (opening === '' ? (EXTENSION.exec(inner)?.[0] ?? '') : '');
}

export const isQuoted = (value: string): boolean => OPENING.test(value);

/** `********` is what somebody made of it already; `-` and `…` are nothing. */
const isMasked = (text: string): boolean => /^[*•.…x_\-\u2013\u2014]{1,64}$/iu.test(text);

const SIGN = /[!#$%&*+=^~?§€£@]/u;
const inner = (value: string) =>
  value
    .replace(/^\\?["'\u201c\u201e(]/u, '')
    .replace(/[.:!?)\]]{1,4}$/u, '')
    .replace(EXTENSION, '');

/** "see", "wrong", "true", `$NAME`: words and references, where a value would stand. */
export function isSaid(value: string): boolean {
  const text = inner(value);
  return (
    text === '' ||
    /^[\w:.-]{1,32}=$/u.test(value) || // the name of an attribute
    SAID.has(text.toLowerCase()) ||
    /^\d{1,2}$/u.test(text) ||
    /^(?:\$\{?\w{1,64}\}?|%\w{1,64}%|ConvertTo-SecureString|Get-Credential|Read-Host)$/iu.test(text) ||
    /^(?:\$\(|\{\{|<%|!(?:vault|secret|Ref|Sub)|(?:os\.|process\.)?(?:env|environ|getenv)[.[(]|(?:getpass|input|prompt)\(|N\/A$|n\/a$)/iu.test(
      value,
    )
  );
}

/** A name, number or time that is no secret however many digits it has. */
function isOfAThing(text: string): boolean {
  return (
    /^\d{1,4}(?:[-./:]\d{1,4}){1,3}[.:]?$/u.test(text) || // a date, a time, a version, an address
    /^[A-Z]{2,6}-?\d{1,12}$/u.test(text) || // a ticket, a machine
    /^[\p{L}_]\w{0,64}\(\d{0,9}\)?$/u.test(text) || // what a program says of itself: Id(1)
    /^SHA(?:1|256|512):/u.test(text) ||
    /^v?\d{1,4}(?:\.\d{1,6}){1,3}/u.test(text) ||
    /^0x[0-9a-f]{1,16}$/iu.test(text) ||
    isPath(text) ||
    /^[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}$/u.test(text) || // the product key of a program
    /^\d{1,4}(?:st|nd|rd|th|x|:?e|h|s|ms|min|kb|mb|gb|%)$/iu.test(text) ||
    /^(?:[\w-]{1,64}\.){1,8}(?:com|net|org|local|lan|dk|se|no|fi|de)$/iu.test(text)
  );
}

/** `/etc/mosquitto/passwd`, `~/.ssh/id_ed25519`, `C:\\keys\\a.pem`: where it is kept, not what. */
export const isPath = (value: string): boolean =>
  /^(?:~|\.{1,2})?(?:\/[a-z0-9._-]{2,64}){2,16}$|^[A-Za-z]:\\|^~\/|^\\\\|^HK(?:LM|CU|CR|U)\\/u.test(
    inner(value),
  );

/** Small and capital letters and digits, changing so often that no words are among them: `per` letters a piece. */
export function isDense(text: string, per: number): boolean {
  return /\d/u.test(text) && changesCase(text, per);
}

/** Both cases, in pieces of fewer than `per` signs each, as it is in no name made of words. */
export function changesCase(text: string, per: number): boolean {
  if (!/[a-z]/u.test(text) || !/[A-Z]/u.test(text)) return false;
  const pieces = text.match(/[A-Z]?[a-z]{1,4096}|[A-Z]{1,4096}|\d{1,4096}/gu) ?? [];
  return text.length / pieces.length < per;
}

/** BASE64 of `user:password`. */
export function opensAsPair(text: string): boolean {
  if (!/[a-z]/u.test(text) || !/[A-Z]/u.test(text)) return false;
  return /^[\w.@+\\/-]{1,128}:[\x20-\x7e]{3,512}$/u.test(Buffer.from(text, 'base64').toString('latin1'));
}

/** Has a digit or a sign in it, and is no date. For a place where a password is announced. */
export function looksSecret(value: string): boolean {
  const text = inner(value);
  if (isSaid(value) || text.length < 3 || isOfAThing(text)) return false;
  return /\d/u.test(text) ? text.length > 3 || /\D/u.test(text) : SIGN.test(value);
}

/** Letters with digits or signs among them. For a place where it is not sure that a secret stands there. */
export function looksMixed(value: string): boolean {
  const text = inner(value);
  if (isSaid(value) || text.length < 5 || isOfAThing(text) || !/\p{L}/u.test(text)) return false;
  return /\d/u.test(text) || hasSign(value);
}

/** A sign among letters that prose has not; `!` and `?` at its end are prose. */
export const hasSign = (value: string): boolean => {
  const text = inner(value);
  return /\p{L}/u.test(text) && /[!#$%&*^~?§€£]/u.test(text);
};

/** A PIN or a code that was sent: four to ten digits, or such a mixture as above. */
export const looksLikeCode = (value: string): boolean =>
  /^\d{4,10}[#*.]?$/u.test(inner(value)) || looksMixed(value);

/** Only letters and dashes, and not one of the words above: `Solsikke`, `hunter`. */
export const isBareWord = (value: string): boolean => !isSaid(value) && inner(value).length >= 4;
