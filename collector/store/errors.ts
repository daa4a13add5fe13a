/** What an error of the database driver means to the rest of the collector. */
import { hasCode, TilsynError } from '../../protocol/errors.ts';

/** A damaged database is never opened for use (K5): the caller sets it aside with `quarantineStore`. */
export function corrupt(cause?: unknown): TilsynError {
  return new TilsynError('store.corrupt', 'reading the collector database: it is damaged', {
    hint: 'Restart the collector: it sets the damaged file aside, and agents send again what they keep.',
    exit: 'integrity',
    cause,
  });
}

function startsWith(error: unknown, ...prefixes: string[]): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  const { code } = error;
  return typeof code === 'string' && prefixes.some((prefix) => code.startsWith(prefix));
}

/** Maps an error of the driver; others come back as they are. The driver's texts name columns, never values. */
export function storeError(error: unknown, doing: string): unknown {
  if (error instanceof TilsynError || !startsWith(error, 'SQLITE_')) return error;
  if (startsWith(error, 'SQLITE_CORRUPT', 'SQLITE_NOTADB')) return corrupt(error);
  if (hasCode(error, 'SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE')) {
    return new TilsynError('store.full', `${doing}: no space left on the device`, {
      hint: 'Free some space on the volume of the state directory; agents send again what was not stored.',
      retryable: true,
      cause: error,
    });
  }
  if (startsWith(error, 'SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_PERM')) {
    return new TilsynError('store.denied', `${doing}: the database cannot be opened for writing`, {
      hint: 'Run the collector as the user who owns the state directory, on a volume mounted writable.',
      exit: 'forbidden',
      cause: error,
    });
  }
  return new TilsynError('store.failed', `${doing}: the database answered with an error`, {
    hint: 'Look at the volume of the state directory.',
    retryable: startsWith(error, 'SQLITE_IOERR', 'SQLITE_BUSY'),
    cause: error,
  });
}
