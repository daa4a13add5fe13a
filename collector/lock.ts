/** One process per state directory. */
import { join } from 'node:path';
import { TilsynError } from '../protocol/errors.ts';
import { restrict } from './files.ts';
import { exclusive } from './store/exclusive.ts';

/** @throws TilsynError `collector.running` */
export function lockState(dir: string): { release(): void } {
  const path = join(dir, 'lock');
  const lock = exclusive(path);
  if (lock !== null) {
    restrict(path);
    return lock;
  }
  throw new TilsynError('collector.running', 'locking the state directory: another collector runs on it', {
    hint: 'Stop that one first, or give this one another --state.',
    exit: 'conflict',
  });
}
