/** Secrets in every form in which people leave them, written into every log that the agent reads, in that log's form. */
import { randomBytes } from 'node:crypto';
import * as anydesk from '../fixtures/anydesk.ts';
import { tvTime } from '../fixtures/teamviewer.ts';
import { header, incoming } from '../fixtures/teamviewer-log.ts';
import type { Canary } from './search.ts';

/** `text` of a form, made with a secret that stands nowhere else. */
export const FORMS: readonly { kind: string; text: (secret: string) => string }[] = [
  { kind: 'one-time password', text: (s) => `TV pw ${s}` },
  { kind: 'fixed password', text: (s) => `Kasse 3 password=${s}!` },
  { kind: 'Danish password', text: (s) => `Lager kodeord: ${s}` },
  { kind: 'Finnish password', text: (s) => `salasana on ${s}` },
  { kind: 'German password', text: (s) => `Kennwort geändert auf ${s}7` },
  { kind: 'PIN word', text: (s) => `the PIN is ${s}4` },
  {
    kind: 'private key',
    text: (s) => `-----BEGIN RSA PRIVATE KEY----- ${s} ${s} -----END RSA PRIVATE KEY-----`,
  },
  { kind: 'private key, cut off', text: (s) => `-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNza${s}` },
  { kind: 'JSON web token', text: (s) => `eyJhbGciOiJIUzI1NiJ9.${s}.${s}` },
  { kind: 'GitHub token', text: (s) => `use ghp_${s}${s}1 for it` },
  { kind: 'GitLab token', text: (s) => `glpat-${s}${s}1` },
  { kind: 'bearer token', text: (s) => `Authorization: Bearer ${s}` },
  { kind: 'URL', text: (s) => `see https://op:${s}@plc.example.net/x` },
  { kind: 'signed URL', text: (s) => `https://x.example.net/a?sp=r&sig=${s}1${s}` },
  { kind: 'command line', text: (s) => `sshpass -p ${s} ssh op@198.51.100.8` },
  { kind: 'connection string', text: (s) => `Server=sql01;User Id=sa;Password=${s};` },
  { kind: 'log-in', text: (s) => `log in with admin / ${s}7!` },
];

export interface Log {
  /** As `agent.yaml` names the source. */
  source: Record<string, unknown>;
  /** Key of each file in it, its name, and its lines; the first half is there before the first crash. */
  files: { key: string; name: string; lines: string[] }[];
  /** A source of its own; without it, it is one with the others of its type. */
  alone?: true;
}

/** Tools whose readers keep the text, so that it shows as dropped, with the number of sessions of each form. */
export const KEEPING: Readonly<Record<string, number>> = { teamviewer: 2, sshd: 1, anydesk: 2, declared: 2 };

const DAY = Date.UTC(2026, 9, 5, 6);
const MINUTE = 60_000;
const stamp = (n: number) => new Date(DAY + n * 10 * MINUTE).toISOString();
const plain = (n: number) => stamp(n).slice(0, 19).replace('T', ' ');
const ip = (n: number) => `203.0.113.${10 + n}`;

export class Planted {
  readonly secrets: (Canary & { log: string })[] = [];
  readonly logs: Record<string, Log>;

  constructor() {
    this.logs = {
      'teamviewer rows': one(
        'teamviewer',
        'connectionsIncoming',
        'rows.txt',
        this.#lines('teamviewer rows', row),
      ),
      'teamviewer log': one('teamviewer', 'logfile', 'TeamViewer15_Logfile.log', [
        ...header(),
        ...this.#lines('teamviewer log', teamviewerLog),
      ]),
      sshd: one('sshd', 'path', 'auth.log', this.#lines('sshd', sshd), { match: 'all' }),
      'anydesk trace': one('anydesk', 'trace', 'ad_svc.trace', this.#lines('anydesk trace', anydeskTrace)),
      // The trace says more, so beside one these rows are not read: a source of their own.
      'anydesk rows': {
        ...one('anydesk', 'connections', 'connection_trace.txt', this.#lines('anydesk rows', anydeskRow)),
        alone: true,
      },
      rustdesk: one('rustdesk', 'logfile', 'rustdesk_rCURRENT.log', this.#lines('rustdesk', rustdesk)),
      declared: one('declared', 'path', 'Connection_IN_Log.txt', this.#lines('declared', ultraviewer), {
        spec: 'ultraviewer',
      }),
      csv: one(
        'csv',
        'path',
        'report.csv',
        ['id,start_date,end_date,username,notes', ...this.#lines('csv', csv)],
        {
          spec: 'teamviewer-report',
        },
      ),
    };
  }

  /** Lines of one log, a session for each form, and a line that nobody can read. */
  #lines(log: string, make: (n: number, text: string) => string[]): string[] {
    const lines = FORMS.flatMap(({ kind, text }, n) => {
      const secret = word();
      this.secrets.push({ name: `${kind} in ${log}`, text: secret, log });
      return make(n, text(secret));
    });
    const secret = word();
    this.secrets.push({ name: `an unreadable line of ${log}`, text: secret, log });
    return [...lines, `password=${secret}\tand nothing else`];
  }
}

function one(type: string, key: string, name: string, lines: string[], more: object = {}): Log {
  return {
    source: { type, ...more, startFrom: 'beginning' },
    files: [{ key, name, lines }],
  };
}

/** Short enough that no rule for long tokens takes it; a digit, as in nearly every password. */
function word(): string {
  const letters = randomBytes(18)
    .toString('base64')
    .replace(/[^A-Za-z]/g, '');
  return `${letters.slice(0, 5)}8${letters.slice(5, 9)}x`;
}

const row = (n: number, text: string) => {
  const times = [tvTime(DAY + n * 10 * MINUTE), tvTime(DAY + n * 10 * MINUTE + MINUTE)];
  return [[`17000000${10 + n}`, text, ...times, 'op', 'RemoteControl', '', ''].join('\t')];
};

const teamviewerLog = (n: number, text: string) =>
  incoming({
    day: '2026/10/06',
    minute: `06:${String(10 + n).padStart(2, '0')}`,
    gate: 2 + n,
    peer: `15550002${10 + n}`,
    session: `1263029${10 + n}`,
    number: `-9154695${10 + n}`,
    name: text,
  });

const sshd = (n: number, text: string) => {
  const says = (seconds: number, message: string) =>
    `${new Date(DAY + n * 10 * MINUTE + seconds * 1000).toISOString().slice(0, 19)}+00:00 gw sshd-session[${900 + n}]: ${message}`;
  return [
    says(0, `Failed password for invalid user ${text} from ${ip(n)} port 5${n + 100} ssh2`),
    says(2, `Accepted password for ${text} from ${ip(n)} port 4${n + 100} ssh2`),
    says(2, `pam_unix(sshd:session): session opened for user ${text}(uid=1000) by (uid=0)`),
    says(60, `pam_unix(sshd:session): session closed for user ${text}`),
  ];
};

const anydeskTrace = (n: number, text: string) => {
  const of = (second: string, more: anydesk.Entry = {}) => ({
    at: `0${7 + Math.floor(n / 60)}:${String(n % 60).padStart(2, '0')}:${second}`,
    pid: 5000 + n,
    ...more,
  });
  const peer = `5123456${10 + n}`;
  return [
    anydesk.request({ ...of('01.000'), peer, name: text }),
    anydesk.authenticated('by local user.', of('05.000')),
    anydesk.socketClosed(of('40.000')),
  ];
};

const anydeskRow = (n: number, text: string) => {
  const at = stamp(n).slice(0, 16).replace('T', ', ');
  return [`Incoming    ${at}    User    ${text}    ${`61234567${10 + n}`.slice(0, 9)}`];
};

const rustdesk = (n: number, text: string) => [
  `[${plain(n)}.000001 +00:00] DEBUG [src/server.rs:576] #${n + 1} Connection opened from ${ip(n)}:5${n + 100}.`,
  `[${plain(n).slice(0, 17)}40.000001 +00:00] INFO [src/server/connection.rs:1402] #${n + 1} Connection closed: ${text}`,
];

const ultraviewer = (n: number, text: string) => {
  const [date = '', time = ''] = plain(n).split(' ');
  const [year, month, day] = date.split('-');
  const hour = Number(time.slice(0, 2));
  const clock = `${String(hour % 12 || 12).padStart(2, '0')}${time.slice(2)} ${hour < 12 ? 'AM' : 'PM'}`;
  return [`${month}/${day}/${year} ${clock}|44 812 3${10 + n}|${text}`];
};

const csv = (n: number, text: string) => {
  const quoted = `"${text.replaceAll('"', '""')}"`;
  return [`s-${n},${stamp(n)},${stamp(n).slice(0, 17)}50.000Z,${quoted},${quoted}`];
};
