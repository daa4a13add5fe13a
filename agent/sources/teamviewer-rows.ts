/** Text that is equal for rows with equal natural keys. Pure. */
import { type ConnectionRow, naturalKey } from './teamviewer.ts';

export function keyText(row: ConnectionRow): string {
  const { peerId, startedAt, localUser, kind, toolSessionId } = naturalKey(row);
  return JSON.stringify([peerId, startedAt, localUser, kind, toolSessionId]);
}
