/**
 * The words that a secret follows, by how much each of them says. English, the Nordic languages, German, and those of
 * neighbours whose technicians write the tickets. All of it is text for regular expressions with the flags `iu`.
 */

/** Endings of such words: kodeordet, adgangskoden, salasanaksi, passwords, wachtwoorden. */
const ENDING = '(?:et|en|er|ene|ets|ens|in|ksi|si|na|ni|s|e|y|a)?';

/** Say it wherever they stand, also inside of a longer word: db_password, WLAN-lösenord, Einmalkennwort. */
const PASSWORDS = [
  `pass(?:word|wd|wort|w[öo]rter|phrase|code|ord)${ENDING}`,
  `(?:kode-?ord|adgangs(?:kode|ord)|l[öo\\u00f8]sen-?ord|passord|passfras|kodefras|kodesætning)\\p{L}{0,4}`,
  `(?:kennw[oö]rt|wachtwoord|zugangscode)${ENDING}`,
  '(?:tunnussan|salalause|salakoodi)\\p{L}{0,4}(?:\\s{1,2}on(?=\\s))?',
  // Finnish; "on" is "is" there, and a place in English.
  `(?:salasan\\p{L}{0,5}|tunnuslu[kv]u\\p{L}{0,3})(?:\\s{1,2}on(?=\\s))?`,
  // Romance, Slavic, Baltic, Icelandic, Estonian, Hungarian, Turkish; some say "is" by a word of their own.
  'mots?\\s{1,2}de\\s{1,2}passe|contrase[ñn]as?|palavra-passe|has[łl][oa](?:\\s{1,2}to(?=\\s))?|парол[ьяею]',
  'lykilor[ðd]i?[ðd]?|parool(?:i|iks)?|slaptažod\\p{L}{0,3}|jelsz[óo]\\p{L}{0,3}|lozink\\p{L}{0,2}',
  '密码|密碼|パスワード|비밀번호',
].join('|');

/** Say it before a separator; the value has to look like a secret elsewhere. */
const CREDENTIALS = [
  'secret|token|credentials?|access[-_]code|zugangsdaten',
  '(?:netværks|nätverks|nettverks|krypterings|gendannelses|genoprettelses|återställnings|gjenopprettings|trådløs|wi-?fi|wlan|api|adgangs|åtkomst|tilgangs|salaus|palautus|verkko)[- ]?(?:nøgle|nyckel|nøkkel|avai)\\p{L}{0,4}',
  '(?:api|access|private|signing|encryption|account|shared|pre-?shared|shared-?access|auth|license|master)[-_ ]?key',
  'key[-_]?material|session[-_]?(?:key|secret)|(?:client|app)[-_ ]?secret',
].join('|');

/** Must be a word of their own: "Bypass: left" and "compass: 270" are names of something. */
const SHORT =
  '(?:db|my|pg|ftp|smtp|imap|root|user|admin|bind|require|auth|ssh|wifi|vnc|rdp|tv|login|wpa|key|http|proxy|sql|mail|host|net|plc|hmi|vpn)(?:pass|pwd|pw)|masterauth|p/w|pword|pasword|passwort|pass|pwd|psw|pw|pin|otp|psk|mdp|clave|senha|heslo|parole?a?|l[öø]sen|sshpass';

/** A code, where the word before or around it says that the code opens something. */
const OPENS = [
  'pin|puk|alarm|d[øö]r|dörr|door|port|gate|entry|access|adgangs|lås|lock|unlock|box|safe|nøgle|boks',
  'engangs|engångs|einmal|one-?time|kerta|wi-?fi|wlan|sms|mfa|2fa|tfa|totp|otp|login|log-?in|guest|gæste',
  'sikkerheds|säkerhets|sikkerhets|sicherheits|security|verification|verifikations|verifierings|bestätigungs|larm|skabs|skåp|skap|hængelås|hänglås|hengelås|nøgleboks|nøkkelboks|nyckelskåp|garage|indgangs|inngangs',
  'netværks|nätverks|nettverks|tastatur|panel|keypad|møde|mötes|møte|safe|vault|meeting|zoom|conference',
  'ytterdörr|hoveddør|serverrum|grind|bom|session|invit|pairing|parrings|deployment|setup|enrol(?:l?ment)?|disarm|tilslutnings|installatør|installer|ulko-?ovi|oven|hälytys|turva|vahvistus|varmuus',
  'confirmation|backup|recovery|reset|zugangs|zutritts|tür|tor|ovi|portti|aktiverings|activation|bekræftelses',
].join('|');
const CODE = '(?:codes?|kod(?:e|en|er|erne|et)?|koodi(?:t|ksi|si|nsa|n)?(?:\\s{1,2}on(?=\\s))?)';
const PINS = `(?:(?:${OPENS})(?:[- ]{0,2}(?:pin[- ]?)?)${CODE})`;

/** A code or key of which nothing is said: only a value that looks like a secret is one. */
const PLAIN = `${CODE}|key|n[øy]gle[nr]?|nøkkel(?:en)?|nyckeln?|avain|kod(?:e)?lås(?:en|et)?|nøgleboks(?:en)?|nøkkelboks(?:en)?|key ?box|lock ?box|puk|tan|2fa|mfa|gate|(?:\\p{L}{1,8}-?)?schlüssel`;

/** `error code`, `postkode`, `Felkod`: codes that are numbers of things. */
const NOT_THESE = [
  'close|http|class|error|exit|status|return|result|response|fault|reason|stop|zip|postal|area|country|bar|qr|source|colou?r|product',
  'item|order|dress|tax|currency|language|unit|type|event|function|public|host|foreign|primary|registry|hot|short',
  'ny|den|nye|fejl|feil|fel|post|vare|farve|lande|land|status|virhe|posti|maa|tuote|fehler|produkt|bar|kilde',
].join('|');

const SUFFIX =
  '(?:b64|hash(?:ed)?|value|text|[-_](?!file|path|auth|less|store\\b|field|manager|protect|cmd|command|prompt|stdin|required|must|last|requirement|min|max|change|expire|never|attempt|fail|histor|strength|name|url|date|time|valid|enabled|disabled|type|kind|expir|polic|length|count|id\\b|age|hint|reset|method|changed)\\w{1,24})?';

/** One alternation for all of them; the group that matched says how much the word says. */
export const WORD_SOURCE = [
  `(?<password>(?:${PASSWORDS})${SUFFIX})`,
  `(?<credential>(?:${CREDENTIALS})s?${SUFFIX})`,
  `(?<![\\p{L}\\p{N}])(?<pin>${PINS}|(?:(?:${OPENS})[- ]?)(?:c|k)ombination(?:en)?|(?:c|k)ombination(?:en)?(?=\\s(?:to|for|of|til|till)\\s)|t?pin(?:code|kode)?(?:en|et)?)(?![\\p{L}\\p{N}])`,
  `(?<![\\p{L}\\p{N}]|[/\\\\]\\.)(?<short>${SHORT})(?![\\p{L}\\p{N}])`,
  `(?<![\\p{L}\\p{N}])(?<!(?:${NOT_THESE})[- ]?)(?<plain>${PLAIN})(?![\\p{L}\\p{N}])`,
].join('|');

/** "is" of those languages, and words like it; in a table, as they are asked for by themselves too. */
export const IS =
  'is|are|was|er|var|blev|ble|är|ist|lautet|war|oli|est|es|es:|is:|era|jest|je|é|now|nu|nyt|jetzt|stays';

/** What a change says: "changed to", "ændret til", "vaihdettiin". */
export const CHANGED =
  /chang|skift|veksl|reset|(?:^|\s)(?:re)?set\s|updat|ændr|nulstil|sat\s|ändra|återställ|bytt|endre|nullstil|geändert|gesetzt|vaihd|vaihto|muut|gewijzigd|modifi|cambi|zmieni/iu;

/** Where something stands between: "kodeordet hedder …", "the new one will be …". */
export const IS_SAID =
  'hedder|heter|lyder(?:\\s{1,2}på)?|bliver|blir|skal være|ska vara|should be|will be|used to be|equals|=|wird|heißt';

export const TO = 'to|muotoon|as|som|als|til|till|auf|zu|naar|à';

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
    'skiftet sendt sendes hos på blevet korrekt samme tom låst ændres skiftet hos på i til og med det den sendes gemt ' +
    'fråga inte ingen är fel rätt spärrat spärrad glömt glömd utgånget utgått ändrat ändrad återställt återställd okänt ' +
    'skickat skickad lagrat bytt samma tomt sparat hos låst ' +
    'sendt endra spør ikke feil utløpt sperret endret nullstilt glemt ukjent riktig lagret byttet må skal skall ska ' +
    'lähetetty vaihdettava katso kysy ei väärä väärin oikein vanhentunut vanhentui unohtunut unohtui vaihdettu lukittu sama tuntematon on ' +
    'siehe frag nicht kein keine ist falsch richtig abgelaufen gesperrt vergessen geändert unbekannt zurückgesetzt leer ' +
    'gespeichert im bei beim liegt ändern folgt folgen per wie ' +
    'voir zie niet verlopen vergeten fout gewijzigd expiré incorrect oublié perdu inconnu changé a zob zobacz ' +
    'olvidada olvidado incorrecta caducada ver véase vencida ' +
    'ring har kontakt call contact phone husk n/a ' +
    'keepass 1password lastpass bitwarden vault mitid'
  ).split(' '),
);
