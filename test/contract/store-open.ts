/** How the contract suite gets a store, and gets rid of it. */
import type { Store } from '../../collector/store/types.ts';

export interface Opened {
  store: Store;
  /** Closes and opens the same state again. */
  reopen(): Promise<Store>;
  destroy(): Promise<void>;
}
export type Open = () => Promise<Opened>;

/** Runs `test` on a fresh store and takes it down whatever happens. */
export function on(open: Open, test: (store: Store, reopen: () => Promise<Store>) => Promise<void>) {
  return async () => {
    const { store, reopen, destroy } = await open();
    try {
      await test(store, reopen);
    } finally {
      await destroy();
    }
  };
}
