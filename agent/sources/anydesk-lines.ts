/**
 * Lines of AnyDesk's `*.trace` files, one at a time. Pure.
 *
 * `   info 2024-02-16 20:29:04.298       back   4668   6440    7      app.backend_session - text`: level, UTC, role of
 * the process, its id, thread, fiber (not always), module, text. A row of stars stands before the lines of each process
 * that starts, whatever its role.
 */
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { wallOf } from '../../protocol/zone.ts';
import type { AuthMethod } from './change.ts';

export interface TraceEntry {
  at: UtcMs;
  /** `front`, `back`, `lsvc`, `gsvc`, `lctrl`, … */
  role: string;
  pid: string;
  /** Process, thread and fiber: lines with the same one are about the same thing, while it lasts. */
  context: string;
  module: string;
  text: string;
}

const ENTRY =
  /^\s*[A-Za-z]{1,12}\s+(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3})\s+(\S{1,32})\s+(\S{1,32})\s+(\S{1,32})(?:\s+(\d{1,12}))?\s+(\S{1,64}) - (.*)$/;

const SESSION_MODULES = new Set(['app.backend_session', 'app.session']);
const FILE_MODULES = new Set(['app.prepare_task', 'app.local_file_transfer']);
const MODULES = new Set([
  ...SESSION_MODULES,
  ...FILE_MODULES,
  'anynet.any_socket',
  'anynet.connection_mgr',
  'main',
]);

/**
 * Null for what is no entry of ours: a trace tells a hundred things of itself for one of a session. `start` where the
 * form is right and there is no such time.
 */
export function readEntry(line: string): TraceEntry | 'start' | null {
  const dash = line.indexOf(' - ');
  if (dash === -1 || !MODULES.has(line.slice(line.lastIndexOf(' ', dash - 1) + 1, dash))) return null;
  const found = ENTRY.exec(line);
  if (found === null) return null;
  const [, y, mo, d, h, mi, s, ms, role = '', pid = '', thread = '', fiber = '', module = '', text = ''] =
    found;
  const at = wallOf(Number(y), Number(mo), Number(d), Number(h), Number(mi), Number(s), Number(ms));
  if (at === null) return 'start';
  return { at: utcMs(at), role, pid, context: `${pid}/${thread}/${fiber}`, module, text: text.trimEnd() };
}

/** What an entry says of sessions. */
export type TraceFact =
  /** `by`: which of the two lines of one attempt. */
  | { is: 'attempt'; by: 'request' | 'accept'; peerId: string; name: string | null }
  /** A look-up of an id, by either side of a session, or for none. */
  | { is: 'client'; peerId: string }
  | { is: 'address'; ip: string }
  | { is: 'let-in'; auth: AuthMethod; number: string | null }
  | { is: 'denied'; number: string | null }
  | { is: 'outgoing' }
  | { is: 'files'; count: number }
  | { is: 'end'; number: string | null }
  | { is: 'process-start' }
  /** One of ours, and without an id that can be read. */
  | { is: 'damaged' };

const REQUEST = 'Incoming session request:';
const ACCEPT = /^(?:Accept request|Accepting) from /;
const NUMBERED = /^(\d{1,9}): /;
const ENDS =
  /^(?:The socket was closed remotely|The user has requested a connection quit|Session (?:stopped|closed)|Received quit\b)/;

export function factOf({ module, text, role }: TraceEntry): TraceFact | null {
  if (text.startsWith(REQUEST)) return requestOf(text);
  if (module === 'anynet.any_socket') return socketFact(text);
  if (module === 'anynet.connection_mgr') {
    return text.startsWith('Making a new connection to client') ? { is: 'outgoing' } : null;
  }
  if (module === 'main') return /^\* AnyDesk .*Startup \*$/.test(text) ? { is: 'process-start' } : null;
  if (FILE_MODULES.has(module)) return filesOf(text);
  // The window in which somebody here looks at another machine says the same words of that session.
  return SESSION_MODULES.has(module) && role !== 'front' ? sessionFact(text) : null;
}

function requestOf(text: string): TraceFact {
  const found = /^(.*) \((\d{3,12})\)$/.exec(text.slice(REQUEST.length));
  if (found === null) return { is: 'damaged' };
  const name = found[1]?.trim() ?? '';
  return {
    is: 'attempt',
    by: 'request',
    peerId: found[2] ?? '',
    name: name === '' || name === '-' ? null : name,
  };
}

function socketFact(text: string): TraceFact | null {
  if (ACCEPT.test(text)) {
    const peerId = /^(\d{3,12})\b/.exec(text.replace(ACCEPT, ''))?.[1];
    return peerId === undefined ? { is: 'damaged' } : { is: 'attempt', by: 'accept', peerId, name: null };
  }
  const peerId = /^Client-ID: (\d{3,12})\b/.exec(text)?.[1];
  if (peerId !== undefined) return { is: 'client', peerId };
  const ip = /^Logged in from (\S{1,64}):\d{1,5} on relay\b/.exec(text)?.[1];
  if (ip !== undefined) return { is: 'address', ip };
  return ENDS.test(text) ? { is: 'end', number: null } : null;
}

function sessionFact(text: string): TraceFact | null {
  const number = NUMBERED.exec(text)?.[1] ?? null;
  const said = text.replace(NUMBERED, '');
  if (said.startsWith('Authenticated ')) return { is: 'let-in', auth: authOf(said), number };
  if (said.startsWith('Passphrase not accepted')) return { is: 'denied', number };
  return ENDS.test(said) ? { is: 'end', number } : null;
}

/** A token is what the other machine was given when its password was right once: it stands for a key. */
function authOf(said: string): AuthMethod {
  if (/^Authenticated by local user\b/.test(said)) return 'click';
  if (/^Authenticated (?:by password|with correct passphrase)\b/.test(said)) return 'fixed-password';
  return /^Authenticated with permanent token\b/.test(said) ? 'key' : 'unknown';
}

/** Files made ready to be taken from here are counted by the tool; of those brought here only that it began. */
function filesOf(text: string): TraceFact | null {
  const ready = /^Preparation of (\d{1,6}) files? completed \(io_ok\)/.exec(text)?.[1];
  if (ready !== undefined) return { is: 'files', count: Number(ready) };
  return /^Download started\b/.test(text) ? { is: 'files', count: 1 } : null;
}
