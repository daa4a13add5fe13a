/** Keys, tokens and codes that are known by their shape, wherever they stand. */
import { type Form, form } from './form.ts';
import { isDense, looksMixed } from './values.ts';

export const SHAPES: readonly Form[] = [
  form(
    [
      'hex behind a short prefix',
      'mailgun ⟦key-4f7a2b9c1d8e3f6a5b0c7d2e9f4a1b8c⟧',
      'Mailgun, Databricks, Twilio',
    ],
    /((?<![\w-]))((?:key-|dapi|SK)[0-9a-f]{32}(?:-\d)?)(?![\w-])/gu,
  ),
  form(
    [
      'token of a Discord bot',
      'bot ⟦MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs⟧',
      'Discord, reference',
    ],
    /((?<![\w.-]))([MNO][\w-]{22,30}\.[\w-]{6,7}\.[\w-]{27,45})(?![\w.-])/gu,
  ),
  form(
    [
      'token of Terraform Cloud',
      '⟦kQ9xZ2mLw8Np4R.atlasv1.t6YvB1cD5fG0hJ5kL2mN7pQrStUvWxYz⟧',
      'HashiCorp, API tokens',
    ],
    /((?<![\w.-]))([A-Za-z0-9]{14}\.atlasv1\.[\w-]{20,100})/gu,
  ),
  form(
    ['secret of an Entra application', '⟦kQ98Q~xZ2mLw8Np4Rt6YvB1cD5fG0hJ5kL2mN7⟧', 'Microsoft Entra ID'],
    /((?<![\w.~-]))([\w.~-]{3,6}Q~[\w.~-]{28,40})/gu,
  ),
  form(
    ['token of a service in parts', '⟦secret_kQ9xZ2mLw8Np4Rt6YvB1⟧', 'prefix_body, as GitHub made usual'],
    /((?<![\w.-]))((?:secret|token|tok|pat|key|api|sess|auth|rt|at|sbp|pscale_tkn|ntn|doo|dor|vcp|xai|gsk|r8|nfp|CFPAT|lin|fly|pul|pk_live|rpa|phx|phc|sl\.)[_-](?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{16,256})(?![\w.-])/gu,
    (secret) => looksMixed(secret) && isDense(secret.replace(/^[a-z_.-]{1,12}[_-]/iu, ''), 4),
  ),
  form(
    [
      'webhook',
      'https://x.webhook.office.com/webhookb2/⟦4f1c2a90-7b21-4e0b-9a53-1d7c0f2e9a11@8aa1/7f3a9c1d⟧',
      'Microsoft Teams, Discord, Mattermost',
    ],
    /(\/(?:webhooks?|webhookb2|hooks?|incoming-?webhooks?)\/(?:\d{15,20}\/)?)([\w@%~/-]{20,512})/giu,
    (secret) => /\d/u.test(secret),
  ),
  form(
    ['seed of a second factor', 'TOTP secret ⟦KRUG KIDR OVUW G2ZA⟧', 'RFC 4648 base32; otpauth key format'],
    /((?<![\p{L}\p{N}])(?:2fa|mfa|totp|hotp|otp|authenticator|two-factor|tofaktor|tvåfaktor|seed|base32|setup)[- ]{0,2}(?:(?:setup|secret|seed|key|nøgle|nyckel|nøkkel|kode|avain|manual|app|hemmelighed)[- ]{0,2}){0,3}(?:\s{0,3}[:=]|\s{1,3}(?:is|er|är|on))?\s{1,3}["']?)([A-Z2-7]{16,128}={0,6}|[A-Z2-7]{4}(?:[ -][A-Z2-7]{4}){3,16})(?![\p{L}\p{N}])/giu,
    (secret) => secret === secret.toUpperCase() || secret === secret.toLowerCase(),
  ),
  form(
    ['password of an app', 'Gmail app password ⟦abcd efgh ijkl mnop⟧', 'Google, app passwords'],
    /((?:password|adgangskode|l[öo]senord|passord|salasana)\s{0,3}[:=]?\s{1,3}["']?)([a-z]{4}(?: [a-z]{4}){3})(?![\p{L}\p{N}])/giu,
  ),
  form(
    ['password behind the number of a machine', 'TeamViewer 903 114 728 / ⟦q8w2zk⟧', 'tickets'],
    /((?<![\d.,])\d{1,3}(?:[ .]?\d{3}){2,3}\s{0,3}[/|]\s{0,3})([^\s,;/|"']{4,32})/gu,
    (secret) =>
      /^(?=[a-z]{0,9}\d{1,9}[a-z])[a-z0-9]{6,10}$/u.test(secret) || /\p{L}[^\n]{0,30}[!#$&*?]/u.test(secret),
  ),
  form(
    ['password behind the number that a tool gave', 'TV 903114728 ⟦8fd3kc⟧', 'tickets'],
    /((?<![\p{L}\p{N}])(?:TV|TeamViewer|AnyDesk|RustDesk|Supremo|UltraViewer|QuickSupport)[^\r\n\d]{0,12}\d{1,3}(?:[ .]?\d{3}){2,3}(?:\s{0,3}[,;(|-]\s{0,3}|\s{1,3}))([^\s,;()/|"']{6,10})/giu,
    (secret) => /^(?=[a-z]{0,9}\d{1,9}[a-z])[a-z0-9]{6,10}$/u.test(secret),
  ),
  form(
    ['login of a mail server', 'AUTH PLAIN ⟦AG9wAE95c3RlciE4⟧', 'RFC 4616'],
    /((?<![\p{L}\p{N}])AUTH(?:ENTICATE)?\s{1,4}(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2)\s{1,4})([\w+/=-]{8,4096})/gu,
  ),
  form(
    ['user and password by a letter', 'u: op p: ⟦Ballast44⟧', 'tickets'],
    /((?<![\p{L}\p{N}])(?:u|l|un|usr|b|bn)\s{0,2}[:=]\s{0,2}[^\s,;]{1,64}[\s,;/|]{1,4}p\s{0,2}[:=]\s{0,2})([^\s,;"']{4,128})/giu,
  ),
  form(
    ['long enough and dense', 'found ⟦9xZ2mLw8Np4Rt6YvB1cD5fG0hJ5kL2mN⟧ there', 'measured on the corpus'],
    /((?<![\w+/.:\\=@-]|peers?["']?\s{0,4}[:=]\s{0,4}|public[-_ ]?key["']?\s{0,4}[:=]\s{0,4}))((?!AAAA[A-E])[A-Za-z0-9]{22,512})(?![\w+/.\\@-]|=(?!\w))/giu,
    (secret) => isDense(secret, 2.6),
  ),
  form(
    ['BASE64 with strokes in it', 'PrivKey ⟦QGDvAM0gZfxYrPkW7/LsTcHbUaEiJoKdMwVx+zBqRl4=⟧', 'RFC 4648'],
    /((?<![\w+/.:\\@~-]|SHA(?:1|256|384|512)[:-]|public[-_ ]?key["']?\s{0,4}[:=]\s{0,4}["']?|peers?["']?\s{0,4}[:=]\s{0,4}["']?))((?!AAAA[A-E]|SHA\d)[A-Za-z0-9+/]{36,8192}={0,2})(?![\w+/.\\@-])/giu,
    (secret) => isDense(secret.replace(/=+$/u, ''), 2.6),
  ),
];
