/**
 * Logs of remote tools in their true form, as long as one likes: what the fixtures of the readers' tests write, one
 * session after the other, with what else such a log holds. All names, ids and addresses are made up.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import * as anydesk from '../test/fixtures/anydesk.ts';
import * as rdp from '../test/fixtures/rdp.ts';
import * as teamviewer from '../test/fixtures/teamviewer-log.ts';
import * as x11vnc from '../test/fixtures/x11vnc.ts';

export interface LogForm {
  name: string;
  type: string;
  part: string | null;
  /** Of a declared source. */
  spec: string | null;
  /** What `grep -c` looks for beside it: a word of each session. */
  word: string;
  /** Where each session is told as an attempt only. */
  told: 'started' | 'attempted';
  head: readonly string[];
  /** Lines of session number `n`. */
  session(n: number): string[];
}

const FIRST = Date.UTC(2026, 1, 16);
const STEP_MS = 2 * MINUTE_MS;
const DAY_SESSIONS = DAY_MS / STEP_MS;

const at = (n: number, ms = 0) => new Date(FIRST + n * STEP_MS + ms).toISOString();
/** Within one day, for fixtures that know one day only. */
const clock = (n: number, ms = 0) => at(n % DAY_SESSIONS, ms).slice(11, 23);
const id = (n: number) => String(1_500_000_000 + (n % 90_000));
const ip = (n: number) => `203.0.113.${1 + (n % 250)}`;

const TEAMVIEWER: LogForm = {
  ...{ name: 'TeamViewer log', type: 'teamviewer', part: 'logfile', spec: null, told: 'started' },
  word: 'CreatePassiveSession',
  head: teamviewer.header({ start: '2026/02/16 00:00:00.000', zone: '(UTC+0:00)' }),
  session: (n) => {
    const [day, minute] = [at(n).slice(0, 10).replaceAll('-', '/'), at(n).slice(11, 16)];
    const noise = Array.from({ length: 40 }, (_, i) =>
      teamviewer.entry(`CKeepAliveClient[${i}]::HandlePing(): ping to master${i}.example, latency 38 ms`, {
        day,
        time: `${minute}:59.${String(i).padStart(3, '0')}`,
      }),
    );
    return [...teamviewer.incoming({ day, minute, peer: id(n), session: String(126_000_000 + n) }), ...noise];
  },
};

const ANYDESK: LogForm = {
  ...{ name: 'AnyDesk trace', type: 'anydesk', part: 'trace', spec: null, told: 'started' },
  word: 'Incoming session request',
  head: [],
  session: (n) => {
    const of = (ms: number) => ({ at: clock(n, ms) });
    return [
      anydesk.request({ ...of(0), peer: id(n).slice(1) }),
      anydesk.accept({ ...of(10), peer: id(n).slice(1) }),
      anydesk.client({ ...of(20), peer: id(n).slice(1) }),
      anydesk.loggedIn({ ...of(30), ip: ip(n) }),
      anydesk.authenticated('by local user.', of(1_000)),
      ...Array.from({ length: 40 }, (_, i) =>
        anydesk.entry('os_win.jump_list_mgr', `${i} items found`, of(2_000)),
      ),
      anydesk.quitAsked(of(60_000)),
      anydesk.socketClosed(of(60_000)),
    ];
  },
};

const RUSTDESK: LogForm = {
  ...{ name: 'RustDesk', type: 'rustdesk', part: null, spec: null, told: 'attempted' },
  word: 'Connection opened',
  head: [],
  session: (n) => {
    const line = (ms: number, text: string) =>
      `[${at(n).slice(0, 10)} ${at(n, ms).slice(11, 23)}000 +00:00] DEBUG [src\\server\\connection.rs:576] ${text}`;
    return [
      line(0, `#${n} Connection opened from ${ip(n)}:52114.`),
      ...Array.from({ length: 40 }, (_, i) =>
        line(1_000 + i, 'Send video frame, adaptive quality 87, 30 fps'),
      ),
      line(60_000, `#${n} Connection closed: Peer close`),
    ];
  },
};

const RDP: LogForm = {
  ...{ name: 'Windows RDP', type: 'rdp', part: null, spec: null, told: 'started' },
  word: 'EventID>21<',
  head: [],
  session: (n) => {
    const of = (ms: number) => ({ at: at(n, ms), record: n * 10 + ms / SECOND_MS });
    const session = 2 + (n % 50);
    const address = ip(n);
    return [
      rdp.knock({ ...of(0), ip: address }),
      rdp.lsm(21, { ...of(1_000), session, address }),
      rdp.lsm(22, { ...of(2_000), session, address }),
      rdp.lsm(24, { ...of(60_000), session, address }),
      rdp.lsm(23, { ...of(61_000), session }),
    ];
  },
};

const X11VNC: LogForm = {
  ...{ name: 'declared, x11vnc', type: 'declared', part: null, spec: 'x11vnc', told: 'started' },
  word: 'Got connection',
  head: x11vnc.begin('00:00:00'),
  session: (n) => [
    ...x11vnc.knock(clock(n).slice(0, 8), ip(n), n),
    ...x11vnc.access(clock(n, 1_000).slice(0, 8), ip(n)),
    ...Array.from({ length: 20 }, () => `27/11/2026 ${clock(n, 2_000).slice(0, 8)} created selwin: 0x60000b`),
    ...x11vnc.gone(clock(n, 60_000).slice(0, 8), ip(n)),
  ],
};

const CSV: LogForm = {
  ...{ name: 'CSV report', type: 'csv', part: null, spec: 'teamviewer-report', told: 'started' },
  word: 'Z,20',
  head: ['id,start_date,end_date,username,devicename'],
  session: (n) => [
    `${crypto.randomUUID()},${at(n).slice(0, 19)}Z,${at(n, 60_000).slice(0, 19)}Z,"Hale, Morgan ${n % 90}",NVR-07`,
  ],
};

export const LOG_FORMS: readonly LogForm[] = [TEAMVIEWER, ANYDESK, RUSTDESK, RDP, X11VNC, CSV];

const WRITE_CHARS = 1_000_000;

/** Writes at least so many bytes. */
export function writeLog(
  path: string,
  form: LogForm,
  bytes: number,
): { sessions: number; lines: number; bytes: number } {
  const handle = openSync(path, 'w');
  const written = { sessions: 0, lines: 0, bytes: 0 };
  const write = (lines: readonly string[]) => {
    written.bytes += writeSync(handle, `${lines.join('\n')}\n`);
    written.lines += lines.filter((line) => line !== '').length;
  };
  if (form.head.length > 0) write(form.head);
  while (written.bytes < bytes) {
    const lines: string[] = [];
    for (let chars = 0; chars < Math.min(WRITE_CHARS, bytes - written.bytes); written.sessions += 1) {
      for (const line of form.session(written.sessions)) {
        lines.push(line);
        chars += line.length + 1;
      }
    }
    write(lines);
  }
  closeSync(handle);
  return written;
}
