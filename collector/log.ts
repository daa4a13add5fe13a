/** The collector's log: JSON lines with codes and counts. Nothing personal ever, and no address. */
import { destination, type Logger, pino } from 'pino';

/** Appends to `file` (made with mode 0600), else writes to standard error, which is where messages go; standard output is for answers. */
export function createLog(level = 'info', file?: string): Logger {
  return pino(
    { level, base: { name: 'collector' } },
    destination({ dest: file ?? 2, sync: true, mode: 0o600 }),
  );
}
