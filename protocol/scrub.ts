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
import { ADDRESSES, COOKIES, HEADERS, KEYS, LOGINS } from './scrubber/forms.ts';
import { apply, applyWithin } from './scrubber/rule.ts';
import { dropSaid } from './scrubber/said.ts';
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
  {
    needs: /authorization|x-|sess|sid|bearer|basic|digest|negotiate|ntlm/iu,
    run: (text) => apply(HEADERS, text),
  },
  { needs: /cookie/iu, run: (text) => applyWithin(COOKIES, text) },
  { needs: /[@/&?#]/u, run: (text) => apply(ADDRESSES, text) },
  { needs: /[\w+.-]{12}|[:*]/u, run: (text) => apply(KEYS, text) },
  { needs: /\s/u, run: dropArguments },
  { needs: /[:/]/u, run: (text) => apply(LOGINS, text) },
  { needs: new RegExp(WORD_SOURCE, 'iu'), run: dropSaid },
];

/** Most texts are names, numbers, addresses and ids, of which nothing has to be asked. */
const HARMLESS =
  /^(?:[\d .]{0,40}|\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?|SHA256:[\w+/]{43}|[0-9a-f:]{0,39})$/iu;
/** Without one of these there is nothing to look for. */
const TRIGGER = new RegExp(
  `[\\d:=@|%/\\\\"'~!#$&*^]|[\\w+.-]{15}|snmp|bearer|basic|digest|${WORD_SOURCE}`,
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

/** Private keys, up to their end line; a key that is cut off is dropped to the end of the text. */
function dropPem(text: string): Scrubbed {
  const out = { text: '', dropped: 0 };
  let from = 0;
  for (;;) {
    const begin = find(PEM_BEGIN, text, from);
    if (begin === null) break;
    const end = find(PEM_END, text, begin.end);
    out.text += text.slice(from, begin.start) + DROPPED;
    out.dropped += 1;
    from = end === null ? text.length : end.end;
  }
  out.text += text.slice(from);
  return out;
}

function find(pattern: RegExp, text: string, from: number): { start: number; end: number } | null {
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match === null ? null : { start: match.index, end: match.index + match[0].length };
}
