/**
 * The words that a secret follows, by how much each of them says. English, the Nordic languages, German, and those of
 * neighbours whose technicians write the tickets. All of it is text for regular expressions with the flags `iu`.
 */

/** Endings of such words: kodeordet, adgangskoden, salasanaksi, passwords, wachtwoorden. */
const ENDING = '(?:et|en|er|ene|ets|ens|in|ksi|si|na|ni|s|e|y|a)?';

/** Say it wherever they stand, also inside of a longer word: db_password, WLAN-lösenord, Einmalkennwort. */
const PASSWORDS = [
  `pass(?:word|wd|wort|w[öo]rter|phrase|code|ord)${ENDING}`,
  `(?:kodeord|adgangskode|l[öo\u00f8]senord|kennw[oö]rt|wachtwoord|passord)${ENDING}`,
  // Finnish; "on" is "is" there, and a place in English.
  `(?:salasan\\p{L}{0,5}|tunnuslu[kv]u\\p{L}{0,3})(?:\\s{1,2}on(?=\\s))?`,
  // Romance, Slavic, Baltic, Icelandic, Estonian, Hungarian, Turkish; some say "is" by a word of their own.
  'mots?\\s{1,2}de\\s{1,2}passe|contrase[ñn]as?|palavra-passe|has[łl][oa](?:\\s{1,2}to(?=\\s))?|парол[ьяею]',
  'lykilor[ðd]i?[ðd]?|parool(?:i|iks)?|slaptažod\\p{L}{0,3}|jelsz[óo]\\p{L}{0,3}|lozink\\p{L}{0,2}',
  '密码|密碼|パスワード|비밀번호',
].join('|');

/** Say it before a separator; the value has to look like a secret elsewhere. */
const CREDENTIALS = [
  'secret|token|credentials?|access[-_ ]?code|zugangsdaten',
  '(?:api|access|private|signing|encryption|account|shared|pre-?shared|shared-?access|auth|license|master)[-_ ]?key',
  'session[-_]?(?:key|secret)|(?:client|app)[-_ ]?secret',
].join('|');

/** Must be a word of their own: "Bypass: left" and "compass: 270" are names of something. */
const SHORT = 'pass|pwd|psw|pw|pin|otp|psk|mdp|clave|senha|heslo|parole?a?|l[öø]sen|sshpass';

/** A code, where the word before or around it says that the code opens something. */
const OPENS = [
  'pin|puk|alarm|d[øö]r|dörr|door|port|gate|entry|access|adgangs|lås|lock|unlock|box|safe|nøgle|boks',
  'engangs|engångs|einmal|one-?time|kerta|wi-?fi|wlan|sms|mfa|2fa|tfa|totp|otp|login|log-?in|guest|gæste',
  'sikkerheds|säkerhets|sikkerhets|sicherheits|security|verification|verifikations|verifierings|bestätigungs',
  'confirmation|backup|recovery|reset|zugangs|zutritts|tür|tor|ovi|portti|aktiverings|activation|bekræftelses',
].join('|');
const CODE = '(?:codes?|kod(?:e|en|er|erne|et)?|koodi(?:t|ksi)?(?:\\s{1,2}on(?=\\s))?)';
const PINS = `(?:(?:${OPENS})(?:[- ]{0,2}(?:pin[- ]?)?)${CODE})`;

/** A code or key of which nothing is said: only a value that looks like a secret is one. */
const PLAIN = `${CODE}|key|n[øy]gle[nr]?|nøkkel(?:en)?|nyckeln?|avain|(?:\\p{L}{1,8}-?)?schlüssel`;

/** `error code`, `postkode`, `Felkod`: codes that are numbers of things. */
const NOT_THESE = [
  'close|http|class|error|exit|status|return|result|response|fault|reason|stop|zip|postal|area|country|bar|qr|source|colou?r|product',
  'item|order|dress|tax|currency|language|unit|type|event|function|public|host|foreign|primary|registry|hot|short',
  'ny|den|nye|fejl|feil|fel|post|vare|farve|lande|land|status|virhe|posti|maa|tuote|fehler|produkt|bar|kilde',
].join('|');

const SUFFIX =
  '(?:b64|[-_](?!type|kind|expir|polic|length|count|id\\b|age|hint|reset|method|changed)\\w{1,24})?';

/** One alternation for all of them; the group that matched says how much the word says. */
export const WORD_SOURCE = [
  `(?<password>(?:${PASSWORDS})${SUFFIX})`,
  `(?<credential>(?:${CREDENTIALS})s?${SUFFIX})`,
  `(?<![\\p{L}\\p{N}])(?<pin>${PINS}|t?pin(?:code|kode)?)(?![\\p{L}\\p{N}])`,
  `(?<![\\p{L}\\p{N}])(?<short>${SHORT})(?![\\p{L}\\p{N}])`,
  `(?<![\\p{L}\\p{N}])(?<!(?:${NOT_THESE})[- ]?)(?<plain>${PLAIN})(?![\\p{L}\\p{N}])`,
].join('|');

/** "is" of those languages, and words like it; in a table, as they are asked for by themselves too. */
export const IS =
  'is|are|was|er|var|blev|ble|är|ist|lautet|war|oli|est|es|es:|is:|era|jest|je|é|now|nu|nyt|jetzt|stays';

/** What a change says: "changed to", "ændret til", "vaihdettiin". */
export const CHANGED =
  /chang|reset|(?:^|\s)(?:re)?set\s|updat|ændr|nulstil|sat\s|ändra|återställ|bytt|endre|nullstil|geändert|gesetzt|vaihd|vaihto|muut|gewijzigd|modifi|cambi|zmieni/iu;

export const TO = 'to|til|till|auf|zu|naar|à';

/** Words that stand where a value would, and are none: "Password: see KeePass", "the password is wrong". */
export const SAID = new Set(
  (
    'see ask set the a an in on at of to for from with by as it its not no none never only still always also and or but ' +
    'is are was be been has have had will can may must needs need required optional empty blank missing unknown same ' +
    'wrong right correct incorrect ok okay valid invalid expired expiring changed unchanged reset rotated updated new ' +
    'old weak strong locked blocked disabled enabled denied accepted rejected successful failed forgotten lost stored ' +
    'saved hidden sent given known shared protected policy manager prompt login true false null undefined yes on off ' +
    'stdin file prompt case too very here there below above attached required needed kept secret default asked ' +
    'se spørg ikke intet ingen er var blev udløbet forkert forkerte spærret ændret nulstillet glemt mistet ukendt ' +
    'korrekt samme tom låst ændres skiftet hos på i til og med det den sendes gemt ' +
    'fråga inte ingen är fel rätt spärrat spärrad glömt glömd utgånget utgått ändrat ändrad återställt återställd okänt ' +
    'bytt samma tomt sparat hos låst ' +
    'spør ikke feil utløpt sperret endret nullstilt glemt ukjent riktig lagret byttet må skal skall ska ' +
    'katso kysy ei väärä väärin oikein vanhentunut vanhentui unohtunut unohtui vaihdettu lukittu sama tuntematon on ' +
    'siehe frag nicht kein keine ist falsch richtig abgelaufen gesperrt vergessen geändert unbekannt zurückgesetzt leer ' +
    'gespeichert im bei beim liegt ändern folgt folgen per wie ' +
    'voir zie niet verlopen vergeten fout gewijzigd expiré incorrect oublié perdu inconnu changé a zob zobacz ' +
    'olvidada olvidado incorrecta caducada ver véase vencida ' +
    'keepass 1password lastpass bitwarden vault mitid'
  ).split(' '),
);
