/**
 * A log of sshd of any size in the true form of `auth.log`: sessions among what else such a file holds, which is cron,
 * sudo and people who guess passwords. All names, keys and addresses are made up.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = Array.from({ length: 32 }, (_, day) => String(day).padStart(2));
const TWO = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
const KEY = 'SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0';
const WRITE_SESSIONS = 500;

export interface SshdFile {
  bytes: number;
  sessions: number;
  /** UTC milliseconds of the first session and of the last. */
  from: number;
  to: number;
}

export interface Written {
  bytes: number;
  lines: number;
  sessions: number;
  /** Passwords that were refused. */
  refused: number;
}

/** Writes it, UTC; sessions lie evenly between the two times and in the file. */
export function writeSshdFile(path: string, { bytes, sessions, from, to }: SshdFile): Written {
  const handle = openSync(path, 'w');
  const written: Written = { bytes: 0, lines: 0, sessions: 0, refused: 0 };
  const stepMs = (to - from) / sessions;
  while (written.sessions < sessions) {
    const lines: string[] = [];
    let size = 0;
    for (let i = 0; i < WRITE_SESSIONS && written.sessions < sessions; i += 1) {
      const n = written.sessions;
      written.sessions += 1;
      const due = (written.sessions / sessions) * bytes - written.bytes - size;
      size += add(lines, n, from + n * stepMs, stepMs, due, written);
    }
    written.bytes += writeSync(handle, `${lines.join('\n')}\n`);
    written.lines += lines.length;
  }
  closeSync(handle);
  return written;
}

/** One session, its end, and noise up to `due` characters in all. Returns how many there are. */
function add(lines: string[], n: number, at: number, stepMs: number, due: number, written: Written): number {
  const pid = 1_000 + ((n * 7) % 900_000);
  const [head, tail] = [stamp(at), stamp(at + stepMs * 0.9)];
  const [ip, port, user] = [peer(n % 40), 1_024 + (n % 60_000), `tech${n % 12}`];
  const before = lines.length;
  lines.push(
    `${head} srv01 sshd[${pid}]: Accepted publickey for ${user} from ${ip} port ${port} ssh2: ED25519 ${KEY}`,
    `${head} srv01 sshd[${pid}]: pam_unix(sshd:session): session opened for user ${user}(uid=1001) by (uid=0)`,
    `${head} srv01 systemd-logind[612]: New session ${n + 1} of user ${user}.`,
  );
  let size = lengthOf(lines, before) + 460;
  for (let i = 0; size < due; i += 1) {
    const now = stamp(at + stepMs * 0.8 * Math.min(1, size / due));
    const first = lines.length;
    if (i % 3 === 2) written.refused += refuse(lines, now, pid + 10 + i, n * 31 + i);
    else quiet(lines, now, pid + 10 + i);
    size += lengthOf(lines, first);
  }
  const end = lines.length;
  lines.push(
    `${tail} srv01 sshd[${pid + 1}]: Received disconnect from ${ip} port ${port}:11: disconnected by user`,
    `${tail} srv01 sshd[${pid + 1}]: Disconnected from user ${user} ${ip} port ${port}`,
    `${tail} srv01 sshd[${pid}]: pam_unix(sshd:session): session closed for user ${user}`,
    `${tail} srv01 systemd-logind[612]: Session ${n + 1} logged out. Waiting for processes to exit.`,
    `${tail} srv01 systemd-logind[612]: Removed session ${n + 1}.`,
  );
  return size - 460 + lengthOf(lines, end);
}

function refuse(lines: string[], now: string, pid: number, n: number): number {
  const [ip, port, user] = [peer(1_000 + (n % 5_000)), 1_024 + (n % 60_000), `guess${n % 700}`];
  lines.push(
    `${now} srv01 sshd[${pid}]: Invalid user ${user} from ${ip} port ${port}`,
    `${now} srv01 sshd[${pid}]: pam_unix(sshd:auth): check pass; user unknown`,
    `${now} srv01 sshd[${pid}]: Failed password for invalid user ${user} from ${ip} port ${port} ssh2`,
    `${now} srv01 sshd[${pid}]: Connection closed by invalid user ${user} ${ip} port ${port} [preauth]`,
  );
  return 1;
}

function quiet(lines: string[], now: string, pid: number): void {
  lines.push(
    `${now} srv01 CRON[${pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)`,
    `${now} srv01 CRON[${pid}]: pam_unix(cron:session): session closed for user root`,
    `${now} srv01 sudo:  backup : PWD=/srv/backup ; USER=root ; COMMAND=/usr/bin/rsync --archive /srv /mnt`,
  );
}

/** An address of the blocks for documentation, then of the one for tests of devices. */
function peer(n: number): string {
  return n < 254 ? `203.0.113.${n + 1}` : `198.18.${(n >> 8) & 255}.${n & 255}`;
}

function stamp(at: number): string {
  const date = new Date(at);
  const day = `${MONTHS[date.getUTCMonth()]} ${DAYS[date.getUTCDate()]}`;
  return `${day} ${TWO[date.getUTCHours()]}:${TWO[date.getUTCMinutes()]}:${TWO[date.getUTCSeconds()]}`;
}

function lengthOf(lines: readonly string[], from: number): number {
  let size = 0;
  for (let i = from; i < lines.length; i += 1) size += (lines[i]?.length ?? 0) + 1;
  return size;
}
