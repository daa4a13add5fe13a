/** The secret first, the word that tells what it is behind: "use Bramble!41 as the password". */
import { type Form, form } from './form.ts';
import { apply } from './rule.ts';
import { hasSign, looksMixed, looksSecret, VALUE } from './values.ts';

const WORD =
  '(?:pass(?:word|code|phrase|wort)?|pwd?|pin(?:[- ]?(?:code|kode|kod))?|code|kode(?:n|ord(?:et)?)?|adgangskoden?|koden?|l[öo]sen(?:ord(?:et)?)?|passord(?:et)?|salasana(?:na|ksi)?|kennwort)(?![\\p{L}\\p{N}])';
const USE =
  '(?:used?|using|tried|brugte|använde|brukte|enter|type|try|brug|indtast|tast|skriv|anvend|använd|ange|knappa in|bruk|käytä|syötä|nimm|benutze|verwende)';
const OWN =
  '(?:the|his|her|my|our|their|your|a|new|old|admin|root|min|mit|hans|hendes|vores|det|den|ditt|nye|nya|das|als)';

/** Nothing but a password looks so: a sign, or small and capital letters with digits. */
const isStrong = (text: string): boolean =>
  looksMixed(text) &&
  (hasSign(text) || (text.length > 7 && /\p{Lu}/u.test(text) && /\p{Ll}/u.test(text) && /\d/u.test(text)));

const REVERSED: readonly Form[] = [
  form(
    ['use it as the password', 'use ⟦Bramble!41⟧ as the password', 'tickets'],
    new RegExp(
      `((?<![\\p{L}\\p{N}])${USE}\\s{1,4})(${VALUE})(?=\\s{1,4}(?:as|som|als|for|til|till)\\s{1,4}(?:${OWN}\\s{1,4}){0,3}${WORD})`,
      'giu',
    ),
    looksSecret,
  ),
  form(
    ['it is the password', '⟦Fjeldrype7⟧ er kodeordet', 'tickets'],
    new RegExp(
      `((?<![^\\s("'\u201c\u201e]))(${VALUE})(?=["'\u201d)]?(?:,\\s{1,4}(?:that|which|det)|\\s{1,4}that)?\\s{1,4}(?:is|was|er|var|är|on|ist)\\s{1,4}(?:${OWN}\\s{1,4}){0,3}${WORD})`,
      'giu',
    ),
    (secret) =>
      looksSecret(secret) &&
      !/^(?:version|release|build)/iu.test(secret) &&
      /\p{L}/u.test(secret) &&
      (/[!#$&*]/u.test(secret) || secret.length >= 8),
  ),
  form(
    ['it, and in brackets that it is the password', 'it is ⟦Rainy-Day5⟧ (password for scada)', 'tickets'],
    new RegExp(`((?<![^\\s("']))(${VALUE})(?=["']?\\s{1,2}\\((?:${OWN}\\s{1,4}){0,3}${WORD})`, 'giu'),
    (secret) => isStrong(secret),
  ),
  form(
    ['an account was reset to it', 'nulstillede op til ⟦Velkommen2026!⟧', 'tickets'],
    /((?<![\p{L}\p{N}])(?:reset|nulstil|återställ|nullstil)\p{L}{0,5}\s{1,4}[\w.@\\-]{1,48}\s{1,4}(?:to|til|till)\s{1,4}["']?)([^\s"',;]{6,128})/giu,
    (secret) => isStrong(secret),
  ),
];

export const dropReversed = (text: string): { text: string; dropped: number } => apply(REVERSED, text);
export { REVERSED };
