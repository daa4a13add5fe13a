/**
 * Puts the driver's errors into the product's words, and ends a transaction's object with the transaction: a
 * call that was not awaited would otherwise land in the next one.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { storeError } from './errors.ts';

type Method = (...args: unknown[]) => unknown;

/** `target` with every method guarded, one level of tables included. `alive` is asked before each call. */
export function guarded<T extends object>(target: T, doing: string, alive: () => boolean = () => true): T {
  const out: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(target)) {
    out[name] = typeof member === 'function' ? guard(member as Method) : guarded(member, doing, alive);
  }
  return out as T;

  function guard(method: Method): Method {
    return async (...args) => {
      if (!alive()) throw ended();
      try {
        return await method(...args);
      } catch (error) {
        throw storeError(error, doing);
      }
    };
  }
}

function ended(): TilsynError {
  return new TilsynError('store.transaction-over', 'using a transaction: it is over', {
    hint: 'Await every call on a transaction before its function resolves.',
  });
}
