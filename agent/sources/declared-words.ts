/** The words that a declaration may use. Those of sessions are the words of events. */
import { AUTH_METHODS, DIRECTIONS, SESSION_KINDS } from '../../protocol/event.ts';

export const KINDS_OF_SESSION = SESSION_KINDS;
export const METHODS = AUTH_METHODS;
export const WAYS = DIRECTIONS;

/** What a line says. `record`: a whole session. `nothing`: a line that a later rule must not see. */
export const WHATS = [
  'attempted',
  'rejected',
  'started',
  'updated',
  'ended',
  'tool-stopped',
  'record',
  'nothing',
] as const;

const rejected = [
  'wrong-password',
  'unknown-account',
  'not-allowed',
  'cancelled',
  'version',
  'unknown',
] as const;
const ended = ['completed', 'tool-stopped', 'unknown'] as const;

/** Why somebody did not get in, and why a session ended. */
export const REASONS_OF = {
  rejected,
  ended,
  any: [...rejected, 'completed', 'tool-stopped'] as const,
};
