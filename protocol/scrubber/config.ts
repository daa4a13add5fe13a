/** Secrets in the files that programs are configured with, and in the strings they connect by. */
import { type Form, form } from './form.ts';
import { hasSign, isSaid, looksMixed, looksSecret, opensAsPair, VALUE } from './values.ts';

/** Parts of names of settings that hold a secret. */
const NAMED = '(?:pass(?:w(?:or)?d|wort|phrase|code)?|pwd|secret|token|api[-_.]?key|kodeord|adgangskode)';
const HEX = '[0-9A-Fa-f]';

export const CONFIG: readonly Form[] = [
  form(
    ['line of .pgpass', 'db01:5432:shop:app:⟦kanel⟧', 'PostgreSQL, libpq-pgpass'],
    /((?<![\w.:\\-])(?:[\w.-]{1,128}|\*):(?:\d{2,5}|\*):[^\s:]{1,64}:[^\s:]{1,64}:)((?:\\[:\\]|[^\s:\\]){3,256})/gu,
    (_secret, head) =>
      /^[^:]{0,128}[A-Za-z*.]/u.test(head) && /[g-z_]/iu.test(head) && /:[^:]*[A-Za-z][^:]*:$/u.test(head),
  ),
  form(
    ['line of .netrc', 'machine a.example login op password ⟦solsort⟧', 'GNU inetutils, .netrc'],
    new RegExp(`((?<![\\p{L}\\p{N}])login\\s{1,8}\\S{1,128}\\s{1,8}password\\s{1,8})(${VALUE})`, 'giu'),
    (secret) => !isSaid(secret),
  ),
  form(
    ['setting and its value in JSON', '{"name":"DB_PASSWORD","value":"⟦kanel⟧"}', 'Kubernetes, EnvVar'],
    new RegExp(
      `("(?:name|key|field|id)"\\s{0,4}:\\s{0,4}"[^"]{0,40}${NAMED}[^"]{0,16}"\\s{0,4},\\s{0,4}"(?:value|val|text|data)"\\s{0,4}:\\s{0,4}")([^"]{1,4096})`,
      'giu',
    ),
  ),
  form(
    ['value as hex in a .reg file', '"Password"=hex:⟦a1,b2,c3,d4⟧', 'Windows, .reg syntax'],
    new RegExp(
      `(${NAMED}\\w{0,24}["']?\\s{0,4}=\\s{0,4}hex(?:\\(\\w\\))?:)(${HEX}{2}(?:,${HEX}{2}){1,1024})`,
      'giu',
    ),
  ),
  form(
    ['value in braces', 'Uid=op;Pwd={⟦br;ace}}d7⟧};', 'ODBC, connection string syntax'],
    /((?:pwd|password)\s{0,4}=\s{0,4}\{)((?:[^{}]|\}\}){1,256})(?=\})/giu,
  ),
  form(
    ['user and password of Oracle', 'jdbc:oracle:thin:op/⟦tiger⟧@db04:1521/orcl', 'Oracle, JDBC thin'],
    /(jdbc:oracle:\w{1,8}:[\w.$-]{1,64}\/)([^\s@]{1,128})(?=@)/giu,
  ),
  form(
    ['BASE64 of user and password', 'auth: ⟦b3A6ZG9ja2VyLTQ0⟧', 'Docker config.json, npm .npmrc'],
    /((?<![\w+/=]))([A-Za-z0-9+/]{12,512}={0,2})(?![\w+/=])/gu,
    opensAsPair,
  ),
  form(
    ['user and password of a cluster', 'wsrep_sst_auth=op:⟦galera44⟧', 'MariaDB Galera'],
    /(auth["']?\s{0,4}[:=]\s{0,4}["']?[\w.-]{1,64}:)([^\s"';,]{3,256})/giu,
    looksMixed,
  ),
  form(
    ['encrypted setting', 'ENC(⟦kQ9xZ2mLw8Np4Rt6⟧)', 'Jasypt'],
    /((?<![\p{L}\p{N}])ENC\()([\w+/=-]{12,1024})(?=\))/gu,
  ),
  form(
    ['network in a QR code', 'WIFI:T:WPA;S:Gaest;P:⟦strandvej⟧;;', 'ZXing, Wi-Fi network config'],
    /((?<![\p{L}\p{N}])WIFI:(?:[TSHER]:[^;\s]{0,64};){0,4}P:)((?:\\.|[^;\s\\]){1,128})/gu,
  ),
  form(
    ['SNMP community', 'rocommunity ⟦hvilling⟧ 198.51.100.0/24', 'net-snmp, snmpd.conf'],
    /((?<![\p{L}\p{N}])r[ow](?:community6?)\s{1,4})([^\s#]{2,128})/giu,
  ),
  form(
    ['SNMP community by its source', 'com2sec local default ⟦hvilling⟧', 'net-snmp, snmpd.conf'],
    /((?<![\p{L}\p{N}])com2sec6?\s{1,4}\S{1,64}\s{1,4}\S{1,64}\s{1,4})([^\s#]{2,128})/giu,
  ),
  form(
    ['SNMP community by its word', 'SNMP community: ⟦hvilling⟧', 'tickets'],
    new RegExp(
      `((?<![\\p{L}\\p{N}])community(?:[- _]string)?["']?\\s{0,3}[:=]\\s{0,3}|(?<![\\p{L}\\p{N}])community[- _]string\\s{1,3}(?:(?:is|er|är|on)\\s{1,3})?)(${VALUE})`,
      'giu',
    ),
    (secret) => !isSaid(secret) && !/^\d{1,6}:\d{1,6}$|^https?:/u.test(secret),
  ),
  form(
    [
      'SNMP user',
      'snmp-server user op grp v3 auth sha ⟦Sardin77⟧ priv aes 128 des',
      'Cisco IOS, snmp-server',
    ],
    /(\s(?:(?:auth\s{1,4})?(?:md5|sha(?:-?\d{1,3})?))\s{1,4}(?<=(?:snmp|usm|createUser)[^\r\n]{1,200})["']?)([^\s"']{4,128})/giu,
  ),
  form(
    ['SNMP privacy', 'snmp-server user op grp v3 priv aes 128 ⟦Ansjos88⟧', 'Cisco IOS, snmp-server'],
    /(\s(?:priv\s{1,4})?(?:3?des|aes)(?:[ -]?(?:128|192|256))?\s{1,4}(?<=(?:snmp|usm|createUser)[^\r\n]{1,200})["']?)([^\s"']{4,128})/giu,
  ),
  form(
    ['key of a routing protocol', 'ip ospf message-digest-key 1 md5 ⟦OspfKey⟧', 'Cisco IOS, ip ospf'],
    /(message-digest-key\s{1,4}\d{1,3}\s{1,4}md5\s{1,4}(?:\d\s{1,4})?)([^\s"']{3,128})/giu,
  ),
  form(
    ['key of a server or chain', 'key-string 7 ⟦1511021F0725⟧', 'Cisco IOS, key chain'],
    /((?<![\p{L}\p{N}])(?:key-string|server-key|(?:radius|tacacs)-server\s{1,4}key|(?:radius|tacacs)-server\s{1,4}host\s{1,4}\S{1,128}\s{1,4}key|secondary-key|authentication-key(?:\s{1,4}\d{1,5}\s{1,4}md5)?)\s{1,4}(?:\d\s{1,4})?["']?)([^\s"']{3,256})/giu,
  ),
  form(
    ['pre-shared key of a tunnel file', '198.51.100.9 : PSK "⟦kanel⟧"', 'strongSwan, ipsec.secrets'],
    /((?<![\p{L}\p{N}])(?:PSK|XAUTH|EAP)\s{1,4}0?["'])([^"'\r\n]{3,256})/gu,
  ),
  form(
    ['element with attributes', '<password encrypted="false">⟦kanel⟧</password>', 'XML 1.0'],
    new RegExp(`(<[\\w:.-]{0,32}${NAMED}\\w{0,16}\\s[^<>]{1,200}>)([^<>]{1,1024})(?=</)`, 'giu'),
    (secret) => !isSaid(secret),
  ),
  form(
    ['value before its name', '<param value="⟦kanel⟧" name="password"/>', 'XML 1.0'],
    new RegExp(
      `(\\bvalue\\s{0,2}=\\s{0,2}["'])([^"'<>]{1,1024})(?=["']\\s{1,8}(?:name|key|id)\\s{0,2}=\\s{0,2}["'][^"'<>]{0,40}${NAMED})`,
      'giu',
    ),
  ),
  form(
    ['password of a line or user', 'username op privilege 15 password 0 ⟦kanel⟧', 'Cisco IOS'],
    new RegExp(
      `((?<![\\p{L}\\p{N}])(?:enable|username\\s{1,4}\\S{1,64}(?:\\s{1,4}privilege\\s{1,4}\\d{1,2})?|line\\s[^\\r\\n]{1,40}\\r?\\n|ppp\\s{1,4}(?:chap|pap[^\\r\\n]{0,80}))\\s{1,4}(?:password|secret)\\s{1,4}(?:level\\s{1,4}\\d{1,2}\\s{1,4})?(?:\\d\\s{1,4})?)(${VALUE})`,
      'giu',
    ),
    (secret) => !isSaid(secret),
  ),
  form(
    ['community of a receiver of traps', 'snmp-server host 198.51.100.1 version 2c ⟦kanel⟧', 'Cisco IOS'],
    /(snmp-server\s{1,4}host\s{1,4}\S{1,128}\s{1,4}(?:traps\s{1,4}|informs\s{1,4})?version\s{1,4}(?:1|2c)\s{1,4})([^\s"']{2,128})/giu,
  ),
  form(
    ['key of a tunnel', 'set psksecret ⟦kanel⟧', 'FortiOS, VyOS, wpa_supplicant'],
    new RegExp(
      `((?<![\\p{L}\\p{N}])(?:psksecret|pre-?shared-(?:key|secret)|wpa-psk|passphrase-text)\\s{1,4}(?:ENC\\s{1,4}|local\\s{1,4}|remote\\s{1,4}|0\\s{1,4})?)(${VALUE})`,
      'giu',
    ),
    (secret) =>
      !isSaid(secret) && !/^(?:ascii|hex|authentication|auth|mismatch|exchange|ascii-text)/iu.test(secret),
  ),
  form(
    ['words to get back in', 'recovery phrase: ⟦apple river stone cloud lamp⟧', 'BIP-39'],
    /((?<![\p{L}\p{N}])(?:recovery|seed|mnemonic|backup)\s{1,2}(?:phrase|words)\s{0,3}[:=]\s{0,3}["']?)(\p{Ll}{3,10}(?: \p{Ll}{3,10}){4,23})/giu,
  ),
  form(
    ['answer to a question', 'security answer: ⟦Fluffy⟧', 'tickets'],
    /((?<![\p{L}\p{N}])(?:security|secret)\s{1,2}answer\s{0,3}[:=]\s{0,3}["']?)([^\s"',;]{3,128})/giu,
  ),
  form(
    ['user and password side by side', 'credentials: op ⟦Rainy-Day5⟧', 'tickets'],
    /((?<![\p{L}\p{N}])(?:credentials?|creds|login|logon|zugangsdaten)\s{0,2}:\s{0,3}[\w.@\\-]{1,48}\s{1,3})([^\s"',;:]{6,128})/giu,
    (secret) =>
      hasSign(secret) ||
      (looksMixed(secret) && /\p{Lu}/u.test(secret) && /\p{Ll}/u.test(secret) && secret.length > 7),
  ),
];

/** What a service keeps instead of a password can be tried against lists of them, so it goes like one. */
export const HASHES: readonly Form[] = [
  form(
    [
      'password as crypt(3) keeps it',
      'root:⟦$6$kQ9xZ2mL$w8Np4Rt6YvB1⟧:19000',
      'crypt(5); Cisco types 5, 8, 9',
    ],
    /((?<![\w$]))(\$(?:[1-9]|14|2[abxy]|g?y|apr1|sha1|md5|argon2\w{1,2}|scrypt|pbkdf2[\w-]{0,16}|bcrypt[\w-]{0,8})\$[\w./$,=+*-]{6,512})/gu,
  ),
  form(
    ['password as LDAP keeps it', '⟦{SSHA}kQ9xZ2mLw8Np4Rt6⟧', 'RFC 2307'],
    /((?<!\w))(\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2[\w-]{0,16}|ARGON2)\}[\w+/=.$-]{8,512})/giu,
  ),
  form(
    [
      'LM half of a dump',
      'op:500:⟦aad3b435b51404eeaad3b435b51404ee⟧:x31d6cfe0d16ae931b73c59d7e0c089c0:::',
      'pwdump',
    ],
    new RegExp(`(:\\d{3,10}:)(${HEX}{32})(?=:\\S?${HEX}{32}:)`, 'gu'),
  ),
  form(
    ['NT half of a dump', 'op:500:NO PASSWORD*:⟦31d6cfe0d16ae931b73c59d7e0c089c0⟧:::', 'pwdump'],
    new RegExp(`(:)(${HEX}{32})(?=:::)`, 'gu'),
  ),
  form(
    ['hash that is logged in with', 'NTLM hash: ⟦31d6cfe0d16ae931b73c59d7e0c089c0⟧', 'MS-NLMP'],
    new RegExp(
      `((?<![\\p{L}\\p{N}])(?:NT(?:LM)?|password|pth)[- _]?hash\\p{L}{0,4}["']?\\s{0,4}[:=]?\\s{0,4}["']?)((?:${HEX}{32}:)?${HEX}{32,128})`,
      'giu',
    ),
  ),
];

/** A password that gives its file a name: `kodeord_Frostnat7.docx`. Plans and lists of passwords are not one. */
export const FILE_NAMES: readonly Form[] = [
  form(
    ['name of a file', 'C:\\temp\\kodeord_⟦Frostnat7⟧.docx', 'tickets'],
    /((?<![\p{L}\p{N}])(?:passwords?|passord(?:et)?|passwort|kodeord(?:et)?|adgangskoden?|l[öo]senord(?:et)?|salasana|kennwort|pwd?|pass|kode|pin)[_-])([^\s"'<>|\\/:;,=]{4,64})(?=\.(?:txt|docx?|xlsx?|pdf|lnk|rtf|md|zip|7z|rdp|kdbx|png|jpe?g)(?![\p{L}\p{N}]))/giu,
    (secret) =>
      (hasSign(secret) || (looksMixed(secret) && /\p{Lu}/u.test(secret) && looksSecret(secret))) &&
      !/list|polic|politi|reset|manag|backup|export|guide|template|vejled|audit|report|rapport|oversigt|översikt|layout|instru|skema|v\d|plc|hmi/iu.test(
        secret,
      ),
  ),
];
