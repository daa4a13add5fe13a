/** Secrets that are known by their own form, or by that of the header or address they stand in. */
import { type Rule, rule, type Within } from './rule.ts';
import { changesCase, hasSign, isDense, looksMixed, looksSecret, opensAsPair } from './values.ts';

/** Prefixes that a service gives its keys. */
const PREFIXES = [
  'gh[opsur]_|github_pat_|gl(?:pat|ptt|rt|dt|cbt|ft|soat|imt|agent|oas|ffct)-|xox[abeoprs]-|xapp-|[srp]k_(?:live|test)_|whsec_|npm_|pypi-|hf_|dop_v1_',
  'hv[sbr]\\.|tskey-|sk-(?:proj-|ant-|svcacct-|or-)|shp(?:at|ca|pa|ss)_|ATATT3|dckr_pat_|sq0[a-z]{3}-|lin_api_',
  'SG\\.|ya29\\.|1//0|AGE-SECRET-KEY-1|NRAK-|PMAK-|EAAC|figd_|sntrys_|glsa_|rubygems_',
].join('|');

export const HEADERS: readonly Rule[] = [
  // Authorization headers: the scheme stays. A digest has quotes in it; all others end at the quote around them.
  rule(/((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?digest\s{1,4})([^\r\n]{1,4096})/giu),
  rule(
    /((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|negotiate|ntlm|token|api-?key|oauth|key)(?:\s{1,4}|%20))?)([^\r\n"']{1,4096})/giu,
  ),
  rule(/(x-[\w-]{0,24}(?:token|key|secret|auth)["']?\s{0,4}[:=]\s{0,4})([^\s,;"']{1,4096})/giu),
  rule(
    /((?:PHPSESSID|JSESSIONID|ASP\.NET_SessionId|connect\.sid|sessiontoken|sid_token)=)([^\s;,&"']{1,4096})/giu,
  ),
  rule(
    /((?<![\p{L}\p{N}])session_?id["']?\s{0,4}[:=]\s{0,4}["']?)([\w+/.%~-]{10,4096})/giu,
    (id) => looksMixed(id) && /[g-z]/iu.test(id),
  ),
  rule(/((?<![\p{L}\p{N}])(?:Bearer|Basic|Digest|Negotiate|NTLM)\s{1,8})([\w.~+/=-]{8,4096})/giu, (token) =>
    isToken(token),
  ),
];

/** Cookies: what is long or mixed enough to be a session, not the language. */
export const COOKIES: readonly Within[] = [
  {
    of: /((?<![\p{L}\p{N}])(?:set-)?cookies?["']?\s{0,4}[:=]\s{0,4}["']?)([^\r\n"']{1,4096})/giu,
    rules: [rule(/((?:^|;\s{0,2})[\w.-]{1,64}=)([^\s;,]{1,4096})/gu, isSession)],
  },
];

export const ADDRESSES: readonly Rule[] = [
  // scheme://user:password@host; the password may have `@` and `:` in it, and blanks if it does not open as a port.
  rule(/(:\/\/[^\s/?#@:]{0,256}(?:@[^\s/?#@:]{1,256})?:)([^\s/]{1,1024})(?=@)/gu),
  rule(/(:\/\/[^\s/?#@:]{1,256}:(?!\d{1,5}(?:\s|\/)))([^\s/@]{1,64}(?: [^\s/@]{1,64}){1,3})(?=@[\w[])/gu),
  // scheme://token@host
  rule(/(:\/\/)([\w.~-]{16,1024})(?=@)/gu, (user) => /\d/u.test(user) && /[A-Za-z]/u.test(user)),
  // user:password@host without a scheme; mail and telephone addresses look alike.
  rule(
    /((?<![\w.:/@-])[\w.+-]{1,64}:)([^\s@/:[\]]{1,256})(?=@[\w[-])/gu,
    (_secret, head) => !/^(?:mailto|sips?|xmpp|acct|im|teamviewer):$/iu.test(head),
  ),
  rule(/(hooks\.slack\.com\/(?:services|workflows)\/)([\w/]{16,256})/giu),
  rule(
    /([?&#](?:(?:x-amz-|x-goog-)?(?:sig|signature|security-token)|code|key|auth|(?:access|id|refresh|oauth|csrf)_?token|jwt|sas|otp|pin|ticket|assertion|hmac|sid|session(?:_?id)?|SAMLResponse)=)([^\s&#"'<>]{8,4096})/giu,
    looksSecret,
  ),
  rule(
    /(\/(?:reset|recover|verify|invite|activate|magic|confirm)[\w-]{0,24}\/)([\w~-]{16,512})/giu,
    looksMixed,
  ),
];

export const KEYS: readonly Rule[] = [
  // Our own enrolment token.
  rule(/(\b)(tilsyn\d{1,3}\.[\w-]{16,8192})/gu),
  rule(/(\b)(eyJ[\w-]{6,4096}(?:\.[\w-]{0,4096}){0,4})/gu),
  rule(
    new RegExp(`((?<![\\w-]))((?:${PREFIXES})[\\w./+-]{12,512}={0,2})`, 'gu'),
    (key) =>
      // One in ten has no digit, as chance has it: then the cases of its letters change as no word's do.
      /\d/u.test(key.slice(4)) || changesCase(key.slice(4), 3.5) || /^gh[opsur]_[A-Za-z]{20,}$/u.test(key),
  ),
  // The opening words of OpenSSH's private keys.
  rule(/((?<![\w+/]))(b3BlbnNzaC1rZXktdjE[\w+/=]{4,8192})/gu),
  rule(/(\b)((?:AKIA|ASIA)[0-9A-Z]{16}\b|AIza[\w-]{35})/gu),
  // Telegram's bots; Slack's hooks are addresses.
  rule(/((?<!\d))(\d{8,10}:AA[\w-]{30,64})/gu),
  // BitLocker's recovery key.
  rule(/((?<![\d-]))(\d{6}(?:[- ]\d{6}){7})(?![\d-])/gu),
  // TeamViewer script tokens: digits, a dash, twenty letters and digits.
  rule(/((?<![\w-]))(\d{4,10}-(?=[A-Za-z]{0,19}\d)[A-Za-z0-9]{20})(?![\w-])/gu),
  // PuTTY's private half.
  rule(/(Private-Lines:\s{0,4}\d{1,4}\s{1,4})([A-Za-z0-9+/=\s]{16,8192})/gu),
  // Anything long and mixed enough to be nothing else. GUIDs and hashes are of one case and stay, so do fingerprints
  // and public keys.
  rule(
    /((?<![\w+-]|SHA(?:1|256|384|512)[:-]|public[-_ ]?key["']?\s{0,4}[:=]\s{0,4}["']?|peers?["']?\s{0,4}[:=]\s{0,4}["']?))((?!AAAA[A-E]|SHA\d{1,3}-)[\w+-]{40,8192}={0,2})/giu,
    (text) => isDense(text, 4.5),
  ),
];

/** Names that people log in by, with a secret behind: "admin/…", "root:…"; and what is said to log in with. */
const ACCOUNT =
  'admin|administrator|root|sa|operator|oper|op|user|bruger|guest|service|svc|pi|deploy|backup|test|ubuntu';
const LOG_IN = [
  'log(?:ged|ging)?[- ]?(?:in|on|ind|inn)|login|logind|inloggning|innlogging|logga in|kirjautu\\p{L}{0,6}|anmeldung',
  'credentials?|creds|zugangsdaten|wi-?fi|wlan|ssid|user(?:name)?s?|bruger(?:navn)?|bruker(?:navn)?|användar(?:e|namn)|account|konto',
  'käyttäjä(?:tunnus)?|benutzer(?:name)?',
].join('|');

export const LOGINS: readonly Rule[] = [
  rule(
    new RegExp(
      `((?<![\\p{L}\\p{N}])(?:${LOG_IN})(?:\\s{0,3}[:=])?(?:\\s{1,3}(?:with|as|are|is|med|som|er|är|mit|als|to|for|[\\w.-]{1,24}:)){0,3}\\s{0,3}["']?[\\w.@\\\\-]{1,64}(?:\\s{1,3}/\\s{1,3}|[/:]))([^\\s,;"'<>]{4,256})`,
      'giu',
    ),
    looksMixed,
  ),
  rule(
    new RegExp(
      `((?<![\\p{L}\\p{N}.\\\\/-])(?:${ACCOUNT})(?:\\s{1,2}/{1,2}\\s{1,2}|[/:]))([^\\s,;"'<>/\\\\]{5,256})`,
      'giu',
    ),
    (value) => hasSign(value) || (looksMixed(value) && /\p{Lu}/u.test(value) && /\p{Ll}/u.test(value)),
  ),
];

function isSession(value: string): boolean {
  return value.length >= 16 || (value.length >= 6 && /\d/u.test(value));
}

/** "Bearer Services" is a company; a token has digits or signs in it, is long, or opens as `user:password`. */
function isToken(text: string): boolean {
  if (/[\d+/=_~.]/u.test(text) || text.length >= 24) return true;
  return opensAsPair(text);
}
