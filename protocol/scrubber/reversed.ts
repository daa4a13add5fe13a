/** The secret first, the word that tells what it is behind: "use Bramble!41 as the password". */
import { type Form, form } from './form.ts';
import { apply } from './rule.ts';
import { looksSecret, VALUE } from './values.ts';

const WORD =
  '(?:pass(?:word|code|phrase|wort)?|pwd?|pin(?:[- ]?(?:code|kode|kod))?|code|kode(?:n|ord(?:et)?)?|adgangskoden?|koden?|l[öo]sen(?:ord(?:et)?)?|passord(?:et)?|salasana(?:na|ksi)?|kennwort)(?![\\p{L}\\p{N}])';
const USE =
  '(?:used?|using|tried|brugte|använde|brukte|enter|type|try|brug|indtast|tast|skriv|anvend|använd|ange|knappa in|bruk|käytä|syötä|nimm|benutze|verwende)';
const OWN =
  '(?:the|his|her|my|our|their|your|a|new|old|admin|root|min|mit|hans|hendes|vores|det|den|ditt|nye|nya|das|als)';

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
];

export const dropReversed = (text: string): { text: string; dropped: number } => apply(REVERSED, text);
export { REVERSED };
