import type { Pack } from '../pack.ts';

/** No rule at all: nothing is erased by age. What an agreement's end erases does not depend on a policy. */
export const NONE: Pack = {
  policy: { name: 'none', version: 1, author: 'tilsyn', zone: 'UTC', rules: [] },
  notYet: [],
};
