import { OWN_RECORDS, type Pack } from '../pack.ts';
import type { Rule } from '../policy.ts';

const asNeeded = { trigger: 'agreement-end', keepAtMost: null, keepAtLeast: null, action: 'erase' } as const;
const note = 'ht.processor (HT-07): as long as the service needs it, on the customer’s word; set a period';
const CUSTOMERS: readonly Rule[] = (['session', 'host.name', 'device.telemetry'] as const).map((cls) => {
  return { class: cls, ...asNeeded, note };
});

/** Managed services for utilities by an Australian company: "as long as needed" is no period. */
export const AU_MANAGED_SERVICES: Pack = {
  policy: {
    name: 'au-managed-services',
    version: 1,
    author: 'tilsyn',
    zone: 'Australia/Melbourne',
    rules: [...CUSTOMERS, ...OWN_RECORDS],
  },
  notYet: [],
};
