/** What a policy pack is: a policy that ships with the product, and what of its promises this version cannot keep. */
import type { Policy, Rule } from './policy.ts';

export interface OpenPromise {
  /** Id of the promise. */
  promise: string;
  /** What it is about, and what it waits for. */
  why: string;
}

export interface Pack {
  policy: Policy;
  /** Promises on classes or triggers of a later version: told by `retention lint`, never passed over. */
  notYet: readonly OpenPromise[];
}

/** Our own records, where the promises that a pack is made of state no period: whoever runs the collector sets it. */
export const OWN_RECORDS: readonly Rule[] = (
  ['audit.event', 'audit.reading', 'hold.record', 'person.account', 'customer.name'] as const
).map((cls) => ({
  class: cls,
  trigger: 'event',
  keepAtMost: null,
  keepAtLeast: null,
  action: 'erase',
  note: 'our own record; no period is promised, set one',
}));
