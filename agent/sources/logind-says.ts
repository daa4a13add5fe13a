/**
 * What a message of systemd-logind says that matters to open sessions: it sees the end of one whose sshd was killed,
 * and the end of the machine. Pure.
 */
export type LogindSaying =
  | { say: 'new'; id: string; user: string }
  /** None of its processes is there any more. That it "logged out" is not enough: sshd's child may go on. */
  | { say: 'removed'; id: string }
  | { say: 'shutdown' };

const NEW = /^New session '?(\w{1,32})'? of user '?([^']*?)'?(?: with .*)?\.$/;
const REMOVED = /^Removed session '?(\w{1,32})'?\.$/;
const SHUTDOWN =
  /^(?:System is (?:rebooting|powering (?:off|down)|halting)|The system will (?:reboot|power off|halt) now)\b/;

export function logindSays(message: string): LogindSaying | null {
  const [, id, user] = NEW.exec(message) ?? [];
  if (id !== undefined && user !== undefined) return { say: 'new', id, user };
  const removed = REMOVED.exec(message)?.[1];
  if (removed !== undefined) return { say: 'removed', id: removed };
  return SHUTDOWN.test(message) ? { say: 'shutdown' } : null;
}
