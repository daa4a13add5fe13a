/**
 * The scrubber: secrets that strayed into a name, a user or a log message are dropped before the first write
 * to disk, socket or log. What it drops is counted, never kept.
 *
 * It looks for forms, not for meaning: it is the second line of defence behind the allow-lists of fields. It
 * errs towards dropping where a word says that a secret follows, and towards keeping everywhere else, as its
 * input are people's names. Every pattern is bounded, so time is linear in the length of the text.
 *
 * How much it finds, and what it takes besides, is measured on a corpus: `test/fixtures/scrub-corpus.ts`, figures in
 * `bench/README.md`.
 */
import { dropArguments } from './scrubber/commands.ts';
import { CONFIG, FILE_NAMES, HASHES } from './scrubber/config.ts';
import { ADDRESSES, COOKIES, HEADERS, KEYS, LOGINS } from './scrubber/forms.ts';
import { dropReversed } from './scrubber/reversed.ts';
import { apply, applyWithin } from './scrubber/rule.ts';
import { dropSaid } from './scrubber/said.ts';
import { SHAPES } from './scrubber/shapes.ts';
import { DROPPED } from './scrubber/values.ts';
import { WORD_SOURCE } from './scrubber/words.ts';

export { DROPPED };

export interface Scrubbed {
  text: string;
  /** Number of secrets replaced. */
  dropped: number;
}

interface Pass {
  /** Cheap to look for; without it there is nothing for this pass. */
  needs: RegExp;
  run: (text: string) => Scrubbed;
}

/** In this order: what a form says for sure comes before what a word announces. */
const PASSES: readonly Pass[] = [
  { needs: /PRIVATE KEY/u, run: dropPem },
  { needs: /\$\w|\{\w{3,10}\}|[0-9a-f]{32}/iu, run: (text) => apply(HASHES, text) },
  {
    needs:
      /[:={(+]|[A-Za-z0-9]{12}|login|community|com2sec|snmp|usm|user|key|psk|xauth|eap|password|secret|phrase|credential/iu,
    run: (text) => apply(CONFIG, text),
  },
  {
    needs: /authorization|x-|sess|sid|bearer|basic|digest|negotiate|ntlm/iu,
    run: (text) => apply(HEADERS, text),
  },
  { needs: /cookie/iu, run: (text) => applyWithin(COOKIES, text) },
  { needs: /[@/&?#]/u, run: (text) => apply(ADDRESSES, text) },
  {
    needs: /[\w+.-]{12}|[:*/ ]/u,
    run: outsidePublic((text) => both(apply(SHAPES, text), (rest) => apply(KEYS, rest))),
  },
  { needs: /\s/u, run: dropArguments },
  { needs: /[:/]/u, run: (text) => apply(LOGINS, text) },
  { needs: /[_-]/u, run: (text) => apply(FILE_NAMES, text) },
  {
    needs: new RegExp(`reset|nulstil|återställ|nullstil|${WORD_SOURCE}`, 'iu'),
    run: (text) => both(dropReversed(text), dropSaid),
  },
];

/** Most texts are names, numbers, addresses and ids, of which nothing has to be asked. */
const HARMLESS =
  /^(?:[\d .]{0,40}|\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?|SHA256:[\w+/]{43}|[0-9a-f:]{0,39})$/iu;
/** Without one of these there is nothing to look for. */
const TRIGGER = new RegExp(
  `\\s[-/]\\w|[\\d:=@|%/\\\\"'~!#$&*^]|[\\w+.-]{15}|snmp|bearer|basic|digest|${WORD_SOURCE}`,
  'iu',
);

/** Replaces secrets by `[dropped]`. Linear time; never throws. */
export function scrub(text: string): Scrubbed {
  if (HARMLESS.test(text) || !TRIGGER.test(text)) return { text, dropped: 0 };
  const out = { text, dropped: 0 };
  for (const { needs, run } of PASSES) {
    if (!needs.test(out.text)) continue;
    const after = run(out.text);
    out.text = after.text;
    out.dropped += after.dropped;
  }
  return out;
}

const PEM_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/gu;
const PEM_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/gu;

/**
 * Private keys, up to their end line; a key that is cut off is dropped to the end of the text. Of one whose beginning is
 * cut off, the lines of BASE64 before its end line go.
 */
function dropPem(text: string): Scrubbed {
  const out = { text: '', dropped: 0 };
  let from = 0;
  let begin = find(PEM_BEGIN, text, from);
  let tail = find(PEM_END, text, from);
  for (;;) {
    // Each is looked for again only where the last one found is passed, or this would not be linear.
    if (begin !== null && begin.start < from) begin = find(PEM_BEGIN, text, from);
    if (tail !== null && tail.start < from) tail = find(PEM_END, text, from);
    if (tail !== null && (begin === null || tail.start < begin.start)) {
      const before = text.slice(from, tail.start);
      const kept = before.slice(0, before.length - bodyBefore(before));
      out.text += kept + (kept === before ? '' : DROPPED) + text.slice(tail.start, tail.end);
      out.dropped += kept === before ? 0 : 1;
      from = tail.end;
      continue;
    }
    if (begin === null) break;
    out.text += text.slice(from, begin.start) + DROPPED;
    out.dropped += 1;
    from = tail === null ? text.length : tail.end;
  }
  out.text += text.slice(from);
  return out;
}

/** How many characters at the end of `text` are the body of a key: lines of BASE64, the last of which may be short. */
function bodyBefore(text: string): number {
  let at = text.length;
  for (let lines = 0; lines < 200; lines += 1) {
    const line = /(?:^|\s|\\n)[A-Za-z0-9+/=]{1,128}(?:\s|\\r|\\n){1,4}$/u.exec(
      text.slice(Math.max(0, at - 140), at),
    );
    if (line === null || (line[0].length < 20 && lines > 0)) break;
    at -= line[0].length;
    if (at <= 0) break;
    // The break before this line ends the one before it.
    at += /^(?:\s|\\n)/u.exec(line[0])?.[0].length ?? 0;
  }
  return text.length - at;
}

const both = (first: Scrubbed, then: (text: string) => Scrubbed): Scrubbed => {
  const after = then(first.text);
  return { text: after.text, dropped: first.dropped + after.dropped };
};

const PUBLIC_BEGIN =
  /-----BEGIN (?:TRUSTED |NEW )?(?:CERTIFICATE(?: REQUEST)?|(?:RSA |EC )?PUBLIC KEY|PKCS7|CMS|X509 CRL|DH PARAMETERS|PGP (?:PUBLIC KEY BLOCK|SIGNATURE))-----/gu;
const PUBLIC_END = '-----END ';

/** Certificates and public keys look like secrets and are none: `run` sees what stands around them. */
function outsidePublic(run: (text: string) => Scrubbed): (text: string) => Scrubbed {
  return (text) => {
    const out = { text: '', dropped: 0 };
    let from = 0;
    for (;;) {
      const begin = find(PUBLIC_BEGIN, text, from);
      const around = run(text.slice(from, begin?.start));
      out.text += around.text;
      out.dropped += around.dropped;
      if (begin === null) return out;
      const end = text.indexOf(PUBLIC_END, begin.end);
      from = end === -1 ? text.length : end;
      out.text += text.slice(begin.start, from);
    }
  };
}

function find(pattern: RegExp, text: string, from: number): { start: number; end: number } | null {
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match === null ? null : { start: match.index, end: match.index + match[0].length };
}
