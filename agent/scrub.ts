/**
 * The scrubber: secrets that strayed into a name, a user or a log message are dropped before the first write
 * to disk, socket or log. What it drops is counted, never kept.
 *
 * It looks for forms, not for meaning: it is the second line of defence behind the allow-lists of fields. It
 * errs towards dropping where a word says that a secret follows, and towards keeping everywhere else, as its
 * input are people's names. Every pattern is bounded, so time is linear in the length of the text.
 */

export interface Scrubbed {
  text: string;
  /** Number of secrets replaced. */
  dropped: number;
}

export const DROPPED = '[dropped]';

/** Words behind which a secret stands, behind `=` or `:`. Also Danish, Swedish and German ones. */
const SECRET_WORDS = [
  'pass(?:word|wd|wort|phrase|code)',
  'kodeord|adgangskode|l\u00f6senord|kennwort',
  'secret',
  'token',
  '(?:api|access|private|signing|encryption|account|shared)[-_ ]?key',
  'credentials?',
  'authorization',
  '(?:set-)?cookie',
  'session[-_]?(?:key|secret)',
].join('|');

/** Short ones, which must be a word of their own: "Bypass: left" is a name of something. */
const SHORT_WORDS = 'pass|pwd|psw|pw|pin';

/** A quoted value, or the rest up to a blank or a separator. The text after an opening quote is all secret. */
const VALUE = '(?:"[^"]{0,4096}"?|\'[^\']{0,4096}\'?|[^\\s,;&"\'<>]{1,4096})';
const WORD = `(?:(?:${SECRET_WORDS})(?:s|b64|[-_]\\w{1,24})?|(?<![\\p{L}\\p{N}])(?:${SHORT_WORDS}))`;

type Replace = (match: string, ...groups: (string | undefined)[]) => string | null;
interface Rule {
  pattern: RegExp;
  /** What stands there afterwards; null leaves the match as it is. */
  replace: Replace;
}

const RULES: Rule[] = [
  // Authorization headers: the whole value, of any scheme.
  rule(
    /((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4})([^\r\n]{1,4096})/giu,
    (_all, head) => head + DROPPED,
  ),
  // scheme://user:password@host
  rule(/(:\/\/)([^\s/?#@]{0,512}:[^\s/]{0,1024}@)/gu, (_all, head) => `${head}${DROPPED}@`),
  // user:password@host without a scheme; mail and telephone addresses look alike.
  rule(/(?<![\w.:/@-])([\w.+-]{1,64}):([^\s@/:]{1,256})@(?=[\w[-])/gu, (_all, user) =>
    /^(?:mailto|sips?|xmpp|acct|im|teamviewer)$/i.test(user ?? '') ? null : `${DROPPED}@`,
  ),
  // password=…, "apiKey": "…", Kodeord: …
  rule(new RegExp(`(${WORD}["']?\\s{0,8}(?:=>|:=|=|:)\\s{0,8})(${VALUE})`, 'giu'), (_all, head, value) =>
    value === DROPPED ? null : head + DROPPED,
  ),
  // --password …, /PASSWORD …, -Password …: command lines of TeamViewer and others.
  rule(
    new RegExp(`((?:^|\\s)(?:--?|/)(?:${SECRET_WORDS}|pass|pwd|pw)(?:b64)?\\s{1,8})(${VALUE})`, 'giu'),
    (_all, head, value) => (value === DROPPED ? null : head + DROPPED),
  ),
  // "password is …", and "Password 4821" as TeamViewer's window shows it.
  rule(
    /((?<![\p{L}\p{N}])(?:pass(?:word|wort|code)|kodeord|adgangskode|kennwort)\s{1,8}(is\s{1,8}|er\s{1,8}|ist\s{1,8}|was\s{1,8})?)([^\s,;]{1,256})/giu,
    (_all, head, verb, value) =>
      /^(?:is|er|ist)\s/i.test(verb ?? '') || /\d/.test(value ?? '') ? head + DROPPED : null,
  ),
  rule(
    /(?<![\p{L}\p{N}])((?:Bearer|Basic|Digest|Negotiate|NTLM)\s{1,8})([\w.~+/=-]{8,4096})/giu,
    (_all, head, token) => (isToken(token ?? '') ? head + DROPPED : null),
  ),
  // Our own enrolment token.
  rule(/\btilsyn\d{1,3}\.[\w-]{16,8192}/gu, () => DROPPED),
  // Keys whose form says what they are: JSON web tokens, GitHub, GitLab, Slack, AWS, Google, Stripe, npm.
  rule(/\beyJ[\w-]{6,4096}(?:\.[\w-]{0,4096}){0,4}/gu, () => DROPPED),
  rule(
    /\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|rk_live_|npm_|hf_)[\w-]{12,512}/gu,
    () => DROPPED,
  ),
  rule(/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}/gu, () => DROPPED),
  // TeamViewer script tokens: digits, a dash, twenty letters and digits.
  rule(/(?<![\w-])\d{4,10}-(?=[A-Za-z]{0,19}\d)[A-Za-z0-9]{20}(?![\w-])/gu, () => DROPPED),
  // Anything long and mixed enough to be nothing else. GUIDs and hashes are of one case and stay.
  rule(/[\w+=-]{40,8192}/gu, (all) => (isMixed(all) ? DROPPED : null)),
];

/** Without one of these there is nothing to look for. Most names take this way. */
const TRIGGER = new RegExp(
  `[:=@]|BEGIN|${SECRET_WORDS}|pass|pwd|basic|bearer|digest|negotiate|ntlm|eyJ|[\\w+=-]{16}`,
  'iu',
);

/** Replaces secrets by `[dropped]`. Linear time; never throws. */
export function scrub(text: string): Scrubbed {
  if (!TRIGGER.test(text)) return { text, dropped: 0 };
  const out = dropPem(text);
  for (const { pattern, replace } of RULES) {
    out.text = out.text.replace(pattern, (match: string, ...groups: (string | undefined)[]) => {
      const kept = replace(match, ...groups);
      if (kept === null || kept === match) return match;
      out.dropped += 1;
      return kept;
    });
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

/** "Bearer Services" is a company; a token has digits or signs in it, is long, or opens as `user:password`. */
function isToken(text: string): boolean {
  if (/[\d+/=_~.]/.test(text) || text.length >= 24) return true;
  const opened = Buffer.from(text, 'base64').toString('latin1');
  return /^[\x20-\x7e]{1,512}$/.test(opened) && opened.includes(':');
}

function isMixed(text: string): boolean {
  return /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text);
}

function rule(pattern: RegExp, replace: Replace): Rule {
  return { pattern, replace };
}
