/** One of the steps that `npm run test:nvr` plays all of. */
import { expect, it } from 'vitest';
import { vaultCrash } from '../../nvr/vault-crash.ts';

it('I9 killed when a copy was complete but not named, and the original is cut off and removed: the copy is whole', () => {
  expect(vaultCrash('agent.vault.hashed', 3, 'deletes')).toBe('3 of 5 whole, each told once');
});
