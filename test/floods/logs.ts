/** Logs of an hour in which somebody guesses passwords all the time, with a few people who work. All invented. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { HOUR_MS } from '../../protocol/time.ts';
import { type FakeLine, FORMS, KEY } from '../fixtures/sshd.ts';
import { AUTH, header, incoming } from '../fixtures/teamviewer-log.ts';

/** People who work; each is found again by the name of their account, or their id. */
export interface Real {
  id: string;
  /** False: still there when the hour is over. */
  ended: boolean;
}

export interface Flood {
  /** A word for what is printed and for the file. */
  name: string;
  attempts: number;
  real: Real[];
}

interface Shape {
  name: string;
  /** Who tries for the `n`th time, and as whom. */
  guess(n: number): { ip: string; user: string };
}

const HEX = (n: number) => n.toString(16);

export const SSHD_SHAPES: readonly Shape[] = [
  { name: 'one-peer', guess: () => ({ ip: '203.0.113.66', user: 'root' }) },
  { name: 'thousand-peers', guess: (n) => ({ ip: `198.18.${(n >> 8) & 3}.${n & 255}`, user: 'admin' }) },
  { name: 'users', guess: (n) => ({ ip: `203.0.113.${n % 200}`, user: `u${n}-${HEX(n * 7_919)}` }) },
  { name: 'ipv6', guess: (n) => ({ ip: `2001:db8:${HEX(n >> 16)}:${HEX(n & 65_535)}::1`, user: 'root' }) },
];

export const REAL = 50;
const old = FORMS.old as (line: FakeLine) => string;
const CHUNK = 5_000;

/** `attempts` refusals evenly over the hour from `from` on, and `REAL` log-ins among them. */
export function sshdFlood(path: string, shape: Shape, attempts: number, from: number): Flood {
  const handle = openSync(path, 'w');
  const real: Real[] = [];
  const every = Math.floor(attempts / REAL);
  let lines: string[] = [];
  for (let n = 0; n < attempts; n += 1) {
    const at = from + Math.floor((n / attempts) * (HOUR_MS - 60_000));
    lines.push(...refusal(shape, n, at));
    if (n % every === every - 1 && real.length < REAL) lines.push(...login(shape, real, at));
    // Whoever came before leaves half-way to the next; every fifth stays.
    if (n % every === every >> 1) lines.push(...logout(shape, real.at(-1), real.length - 1, at));
    if (lines.length < CHUNK) continue;
    writeSync(handle, `${lines.join('\n')}\n`);
    lines = [];
  }
  writeSync(handle, lines.map((line) => `${line}\n`).join(''));
  closeSync(handle);
  return { name: shape.name, attempts, real };
}

function say(at: number, pid: number, message: string): string {
  return old({ at, pid, message, program: 'sshd', host: 'srv01' });
}

function refusal(shape: Shape, n: number, at: number): string[] {
  const { ip, user } = shape.guess(n);
  const [pid, port] = [100_000 + (n % 3_000_000), 1_024 + (n % 60_000)];
  return [
    say(at, pid, `Failed password for ${user} from ${ip} port ${port} ssh2`),
    say(at, pid, `Connection closed by authenticating user ${user} ${ip} port ${port} [preauth]`),
  ];
}

/** Every other one from where the guesses come from. */
function peerOf(shape: Shape, n: number): string {
  return n % 2 === 0 ? shape.guess(n).ip : `198.51.100.${n + 1}`;
}

function login(shape: Shape, real: Real[], at: number): string[] {
  const n = real.length;
  const one = { id: `${shape.name}-real-${n}`, ended: false };
  real.push(one);
  const from = `from ${peerOf(shape, n)} port ${61_100 + n}`;
  return [
    say(at, 1_000 + 2 * n, `Accepted publickey for ${one.id} ${from} ssh2: ED25519 ${KEY}`),
    say(at, 1_000 + 2 * n, `pam_unix(sshd:session): session opened for user ${one.id}(uid=1001) by (uid=0)`),
  ];
}

function logout(shape: Shape, one: Real | undefined, n: number, at: number): string[] {
  if (one === undefined || n % 5 === 0 || one.ended) return [];
  one.ended = true;
  const place = `${peerOf(shape, n)} port ${61_100 + n}`;
  return [
    say(at, 1_001 + 2 * n, `Received disconnect from ${place}:11: disconnected by user`),
    say(at, 1_001 + 2 * n, `Disconnected from user ${one.id} ${place}`),
    say(at, 1_000 + 2 * n, `pam_unix(sshd:session): session closed for user ${one.id}`),
  ];
}

/** Ids that knock and are refused, each another one; ten people who work, the first of them all the time. */
export function teamviewerFlood(path: string, attempts: number, from: number): Flood {
  const handle = openSync(path, 'w');
  const real: Real[] = [];
  const iso = new Date(from).toISOString();
  const [day, hour] = [iso.slice(0, 10).replaceAll('-', '/'), iso.slice(11, 13)];
  writeSync(handle, header({ start: `${day} ${hour}:00:00.000`, zone: '(UTC+0:00)' }).join('\n'));
  const every = Math.floor(attempts / 10);
  for (let n = 0; n < attempts; n += 1) {
    const minute = `${hour}:${String(1 + Math.floor((n / attempts) * 58)).padStart(2, '0')}`;
    const call = { day, minute, gate: 3 + (n % 1_000), thread: 4_000 + (n % 1_000) };
    const session = String(200_000_000 + n);
    const guess = { ...call, session, peer: String(1_100_000_000 + n) };
    const lines = incoming({ ...guess, auth: [AUTH.dynamicDenied], granted: false });
    if (n % every === 0) {
      const one = { id: String(1_777_000_000 + n), ended: n > 0 };
      real.push(one);
      const person = { day, minute, session: String(100_000 + n), gate: 2_000 + n, thread: 9_000 };
      lines.unshift(...incoming({ ...person, peer: one.id, ends: one.ended, number: String(-5_000 - n) }));
    }
    writeSync(handle, `\n${lines.join('\n')}`);
  }
  writeSync(handle, '\n');
  closeSync(handle);
  return { name: 'teamviewer', attempts, real };
}
