/**
 * Where the collector is and who asks: TILSYN_SERVER, TILSYN_TOKEN_FILE and TILSYN_CA, else what `tilsyn login`
 * stored. Secrets come by file, standard input or environment, never as an argument.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import type { Io } from './io.ts';

export interface Remote {
  /** `https://host:port`. */
  server: string;
  token: string;
  /** PEM; null: the system's roots. */
  ca: string | null;
}

/** `login.json` in the configuration directory of the user. */
export function loginFile(io: Io): string {
  const { XDG_CONFIG_HOME, APPDATA, HOME, USERPROFILE } = io.env;
  if (io.platform === 'win32' && APPDATA) return join(APPDATA, 'tilsyn', 'login.json');
  const base = XDG_CONFIG_HOME || join(HOME || USERPROFILE || '.', '.config');
  return join(base, 'tilsyn', 'login.json');
}

/** @throws TilsynError `signin.none` where nothing says which collector or who asks */
export function remoteOf(io: Io): Remote {
  const stored = readLogin(io);
  const server = io.env.TILSYN_SERVER ? serverUrl(io.env.TILSYN_SERVER) : stored?.server;
  const token = io.env.TILSYN_TOKEN_FILE
    ? readSecretFile(io.env.TILSYN_TOKEN_FILE, 'sign-in')
    : stored?.token;
  const ca = io.env.TILSYN_CA ? readTextFile(io.env.TILSYN_CA, 'the CA file') : (stored?.ca ?? null);
  if (server !== undefined && token !== undefined) return { server, token, ca };
  const missing = server === undefined ? 'which collector to ask' : 'who asks';
  throw new TilsynError('signin.none', `talking to a collector: nothing says ${missing}`, {
    hint: 'Run `tilsyn login --server URL --token-file F --ca F`, or set TILSYN_SERVER, TILSYN_TOKEN_FILE, TILSYN_CA.',
    exit: 'signedOut',
  });
}

/** `https://host:port` of what a person typed. @throws TilsynError `server.url` */
export function serverUrl(text: string): string {
  const url = URL.parse(text.trim().replace(/^wss:/, 'https:'));
  const plain = url !== null && url.username === '' && url.password === '' && url.pathname === '/';
  if (url?.protocol === 'https:' && plain && url.search === '') return url.origin;
  throw new TilsynError('server.url', 'reading the collector address: it is not https://host:port', {
    hint: 'Give the address that `tilsyn collector init` printed, for example https://collector.example:8443.',
    exit: 'usage',
  });
}

export function readTextFile(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = hasCode(cause, 'ENOENT') ? 'there is no such file' : 'it cannot be read';
    throw new TilsynError('cli.file', `reading ${what} ${path}: ${why}`, {
      hint: 'Check the path and who may read it.',
      exit: 'usage',
      cause,
    });
  }
}

/** The two kinds of token, which people mix up: what one is called, and what prints it. */
export type TokenKind = 'sign-in' | 'enrolment';
const TOKENS = {
  'sign-in': { code: 'signin.token-file', maker: 'tilsyn person add', option: '--token-file' },
  enrolment: { code: 'token.file', maker: 'tilsyn token create', option: '--token' },
} as const satisfies Record<TokenKind, object>;

function readSecretFile(path: string, kind: TokenKind): string {
  const text = readTextFile(path, `the ${kind} token`).trim();
  if (/^\S+$/.test(text)) return text;
  const { code, maker } = TOKENS[kind];
  throw new TilsynError(code, `reading the ${kind} token ${path}: it holds no token`, {
    hint: `The file must hold the one line that \`${maker}\` printed.`,
    exit: 'usage',
  });
}

/** Text of `--token-file F`, or of standard input for `-`. @throws TilsynError `signin.token-file`, `token.file` */
export async function secretFrom(path: string, io: Io, kind: TokenKind): Promise<string> {
  if (path !== '-') return readSecretFile(path, kind);
  const text = (await io.stdin()).trim();
  if (/^\S+$/.test(text)) return text;
  const { code, maker, option } = TOKENS[kind];
  throw new TilsynError(code, `reading the ${kind} token from standard input: there was none`, {
    hint: `Hand in the one line that \`${maker}\` printed: ${option} - < token.txt`,
    exit: 'usage',
  });
}

/** A filter value: `@file` reads it from a file, so that it does not stand in the list of processes. */
export function valueFrom(text: string): string {
  return text.startsWith('@') ? readTextFile(text.slice(1), 'the value of an option').trim() : text;
}

function readLogin(io: Io): Remote | null {
  const file = loginFile(io);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  // Windows keeps a user's own folder closed by other means; its modes say nothing.
  if (io.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    throw new TilsynError(
      'signin.login-mode',
      `reading ${file}: others on this machine can read or change it`,
      {
        hint: `Run \`chmod 600 ${file}\`; if others may have read it, have the sign-in revoked and log in anew.`,
        exit: 'usage',
      },
    );
  }
  const text = readTextFile(file, 'what login stored in');
  try {
    const { server, token, ca } = JSON.parse(text) as Record<string, unknown>;
    if (typeof server !== 'string' || typeof token !== 'string') throw new TypeError('incomplete');
    return { server: serverUrl(server), token, ca: typeof ca === 'string' ? ca : null };
  } catch (cause) {
    throw new TilsynError('signin.login-file', `reading ${file}: it is not what login wrote`, {
      hint: 'Run `tilsyn logout` and `tilsyn login` again.',
      exit: 'usage',
      cause,
    });
  }
}

/** Stores a sign-in for this user only: mode 0600, in one step. */
export function storeLogin(io: Io, remote: Remote): string {
  const file = loginFile(io);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, JSON.stringify(remote), { mode: 0o600, flag: 'wx' });
  renameSync(temporary, file);
  return file;
}

/** True where there was one. */
export function dropLogin(io: Io): boolean {
  const had = readable(loginFile(io));
  rmSync(loginFile(io), { force: true });
  return had;
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A file that a person asked for, of mode 0600; one that is there is not written over. @throws TilsynError `file.there`, `file.unwritten` */
export function writeNewFile(path: string, content: string): void {
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const there = hasCode(error, 'EEXIST');
    throw new TilsynError(
      there ? 'file.there' : 'file.unwritten',
      `writing a file: ${there ? 'it is there already' : 'it cannot be written there'}`,
      { hint: 'Name another one.', exit: there ? 'conflict' : 'failed' },
    );
  }
}
