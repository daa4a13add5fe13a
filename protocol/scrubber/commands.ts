/**
 * Secrets among the arguments of programs: `sshpass -p …`, `net use … /user:x …`, `mysql -p…`. `-p` means something
 * else to each program, so each is asked for what it takes; an option that is named after a secret needs no program.
 */
import { apply, type Rule, rule } from './rule.ts';
import { isSaid, looksSecret, VALUE } from './values.ts';

/** Of a command up to the end of the line; longer ones are read this far. */
const REST = 400;

interface Program {
  names: string;
  options: Rule[];
}

const option = (source: string) => rule(new RegExp(`(\\s${source})(${VALUE})`, 'gu'), isArgument);
const isArgument = (value: string) => !value.startsWith('-') && !isSaid(value);
/** `-u user:secret`, also in quotes. */
const pair = (source: string, between: string) =>
  rule(
    new RegExp(
      `(\\s${source}["']?[^\\s"'${between}]{1,64}["']?${between}["']?)((?<=["'][^\\s"']{1,64})[^"']{1,256}|[^\\s"']{1,256})`,
      'gu',
    ),
  );

const PROGRAMS: readonly Program[] = [
  { names: 'sshpass', options: [option('-p\\s{0,4}')] },
  {
    names:
      'psexec(?:64|svc)?|paexec|rdesktop|winexe|teamviewer|smbmap|evil-winrm|crackmapexec|nxc|netexec|az|mongosh?|influx|racadm',
    options: [option('-p\\s{1,4}')],
  },
  {
    names: 'docker|podman|nerdctl|twine|helm|oc|mongo(?:sh|dump|restore)?',
    options: [option('-p\\s{1,4}(?!\\d{1,5}(?::|\\s))')],
  },
  {
    names: 'mysql(?:dump|admin|import|check)?|mariadb(?:-dump)?|7z[ar]?|rar|unrar',
    options: [option('-h?p(?=\\S)')],
  },
  { names: 'zip|unzip|sqlcmd|bcp|osql|isql|ipmitool|mosquitto_(?:pub|sub)', options: [option('-P\\s{0,4}')] },
  {
    names: 'snmp(?:get|walk|set|bulkwalk|getnext|table|trap)',
    options: [option('-A\\s{1,4}'), option('-X\\s{1,4}'), option('-c\\s{0,4}')],
  },
  {
    names: 'ldap(?:search|modify|add|delete|whoami|passwd)',
    options: [option('-w\\s{1,4}'), option('-s\\s{1,4}(?!base|one|sub)')],
  },
  { names: 'redis-cli', options: [option('-a\\s{1,4}')] },
  {
    names: 'openssl',
    options: [
      option('-k\\s{1,4}'),
      option('-(?:pass|passin|passout)\\s{1,4}pass:'),
      rule(/(\s-(?:pass|passin|passout)\s{1,4}["']pass:)([^"']{1,256})/gu),
    ],
  },
  { names: 'useradd|usermod', options: [option('-p\\s{1,4}')] },
  { names: 'schtasks', options: [option('/rp\\s{1,4}')] },
  {
    names: '[xw]freerdp3?|sdl-freerdp3?|wevtutil|cmdkey|wmic|runas|radmin|mstsc|winrs|winrm',
    options: [option('[/-](?:p|pass|password|pw)(?::|\\s{1,4})')],
  },
  {
    names: 'curl|wget|http|xh',
    options: [pair('(?:-[a-zA-Z]{0,6}[uU][ =]{0,4}|(?:--user|--proxy-user|-a)[ =]{1,4})', ':')],
  },
  {
    names: 'smbclient',
    options: [rule(new RegExp(`^(\\s{1,4}["']?(?://|\\\\\\\\)\\S{1,256}\\s{1,4})(?!-)(${VALUE})`, 'gu'))],
  },
  { names: 'lftp', options: [pair('-u\\s{1,4}', ',')] },
  { names: 'smbclient|rpcclient|net|smbget|winexe', options: [pair('-U\\s{0,4}', '%')] },
  {
    names: 'htpasswd|htdigest',
    options: [
      rule(
        new RegExp(
          `^(\\s{1,4}-\\w{0,6}b\\w{0,6}\\s{1,4}(?:-\\w{1,6}\\s{1,4}){0,3}\\S{1,256}\\s{1,4}(?:\\S{1,64}\\s{1,4})?)(${VALUE})(?=["']?\\s{0,8}(?:$|[|>&;]))`,
          'gu',
        ),
      ),
    ],
  },
  {
    names: 'sqlplus|rman|expdp|impdp|sqlldr',
    options: [rule(/(\s{1,4}["']?[\w.$-]{1,64}\/)([^\s@/"']{1,128})/gu)],
  },
  {
    names: 'rasdial',
    options: [
      rule(
        new RegExp(
          `^(\\s{1,4}(?:"[^"]{1,64}"|\\S{1,64})\\s{1,4}[^\\s/]\\S{0,64}\\s{1,4})(?!/)(${VALUE})`,
          'gu',
        ),
      ),
    ],
  },
  {
    names: 'vncpasswd|wpa_passphrase',
    options: [
      rule(new RegExp(`^((?:\\s{1,4}(?!-)\\S{1,64}){0,1}?\\s{1,4})(?![-/])(${VALUE})(?=\\s{0,8}$)`, 'gu')),
    ],
  },
  { names: 'netsh', options: [option('key(?:Material)?=')] },
  { names: 'rclone', options: [option('pass\\s{1,4}')] },
  {
    names: 'autologon',
    options: [rule(new RegExp(`^(\\s{1,4}[^\\s/]\\S{0,64}\\s{1,4}\\S{1,64}\\s{1,4})(${VALUE})`, 'gu'))],
  },
  {
    names: 'net',
    options: [
      rule(new RegExp(`^(\\s{1,4}user\\s{1,4}[^\\s/]\\S{0,64}\\s{1,4})(?![/*])(${VALUE})`, 'giu')),
      rule(
        new RegExp(
          `^(\\s{1,4}use\\s{1,4}(?:\\S{1,8}\\s{1,4})?\\\\\\\\\\S{1,256}\\s{1,4})(?![/*])(${VALUE})`,
          'giu',
        ),
      ),
      rule(
        new RegExp(
          `^(\\s{1,4}use\\s[^\\r\\n]{0,300}?/u(?:ser)?:\\S{1,128}\\s{1,4})(?![/*])(${VALUE})`,
          'giu',
        ),
      ),
    ],
  },
];

/** One pass finds a program of any name; then it is asked which. */
const COMMAND = new RegExp(
  `((?<![\\p{L}\\p{N}_.-])(${PROGRAMS.map(({ names }) => names).join('|')})(?:\\.exe)?["']?)(?=\\s)([^\\r\\n]{1,${REST}})`,
  'giu',
);
const NAMED = PROGRAMS.map(({ names, options }) => ({ name: new RegExp(`^(?:${names})$`, 'iu'), options }));

/** Options that say what they take, in any program. */
const SECRET_OPTION =
  '(?:pass(?:word|wd|phrase)?|pwd|pw|psk|secret|token|(?:api|auth|private|preshared|access)-?key)(?:b64)?';

const ANYWHERE: readonly Rule[] = [
  // --password …, /PASSWORD …, -storepass …, --with-api-token=…
  rule(
    new RegExp(`((?:^|\\s)(?:--?|/)(?!no-)[\\w-]{0,32}${SECRET_OPTION}(?:\\s{1,8}|=))(${VALUE})`, 'giu'),
    (value) => isArgument(value) && !/^\/\w/u.test(value),
  ),
  // wg set wg0 private-key …, setx API_KEY … : the words are in words.ts.
  // reg add … /v DefaultPassword /t REG_SZ /d …
  rule(
    new RegExp(
      `(/v\\s{1,4}\\w{0,32}pass\\w{0,16}\\s{1,4}(?:/t\\s{1,4}\\w{1,16}\\s{1,4})?/d\\s{1,4})(${VALUE})`,
      'giu',
    ),
  ),
  rule(
    new RegExp(
      `(\\bsnmp[\\w-]{0,16}\\s{1,4}(?:[\\w-]{1,24}\\s{1,4}){0,2}community\\s{1,4})(${VALUE})`,
      'giu',
    ),
    isArgument,
  ),
  rule(
    new RegExp(
      `(ConvertTo-SecureString\\s{1,4}(?:-(?:String|AsPlainText|Force)\\s{1,4}){0,3})(?!-)(${VALUE})`,
      'giu',
    ),
    (value) => !isSaid(value),
  ),
  // new PSCredential('op', '…')
  rule(
    /((?:Network|PS)Credential\]?(?:::new)?\s{0,2}\(\s{0,4}["'][^"'\r\n]{1,64}["']\s{0,4},\s{0,4}["'])([^"'\r\n]{1,256})/giu,
  ),
  // 'x' | ConvertTo-SecureString
  rule(/((?<!\\)["'])([^"'\r\n]{1,256})(?=["']\)?\s{0,4}\|\s{0,4}ConvertTo-SecureString)/giu),
  // -u op -p …, of any program; a port or a database is not taken for one.
  rule(
    new RegExp(
      `(\\s-{1,2}(?:u|user|username|login)[ =]{1,2}[^\\s-]\\S{0,64}\\s{1,4}(?:-\\w\\s{1,4})?-p[ =]{1,2})(${VALUE})`,
      'giu',
    ),
    (value) => isArgument(value) && looksSecret(value) && !/^\d{1,5}(?::\d{1,5})?$/u.test(value),
  ),
  // sudo -S <<< …
  rule(
    /((?:sudo|passwd|su|cryptsetup|kinit|smbpasswd|chpasswd|ftp)(?:\s[^\r\n<]{0,128})?<<<\s{0,4}["']?(?:(?<=chpasswd[^\r\n]{1,24})[\w.-]{1,32}:)?(?:quote\s{1,4}PASS\s{1,4})?)((?<=["'](?:[\w.-]{1,32}:)?)[^"'\r\n]{1,256}|(?<!["'])[^\s"']{1,256})/giu,
  ),
  // IDENTIFIED BY '…'
  rule(
    /((?<![\p{L}\p{N}])IDENTIFIED\s{1,4}(?:WITH\s{1,4}\S{1,40}\s{1,4})?BY\s{1,4}(?:PASSWORD\s{1,4})?["']?)([^\s"';]{3,256})/giu,
  ),
  // echo … | sudo -S, | anydesk --set-password, | chpasswd
  rule(
    /(\b(?:echo|printf|yes)\s{1,4}(?:-[neE]{1,3}\s{1,4})?["']?(?:[\w.-]{1,32}:(?=[^\r\n]{1,256}chpasswd))?)([^|"'\r\n]{1,256}?)(?=["']?\s{0,4}\|[^\r\n]{0,256}(?:sudo\s{1,4}-S|su\s{1,4}-c|kinit|docker\s{1,4}login|passphrase-fd|stdin|passwd|password|cryptsetup|smbpasswd))/giu,
  ),
];

export function dropArguments(text: string): { text: string; dropped: number } {
  const out = apply(ANYWHERE, text);
  out.text = out.text.replace(COMMAND, (_all, opening: string, program: string, rest: string) => {
    const options = NAMED.filter(({ name }) => name.test(program)).flatMap((named) => named.options);
    const after = apply(options, rest);
    out.dropped += after.dropped;
    return opening + after.text;
  });
  return out;
}
