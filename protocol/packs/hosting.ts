import { OWN_RECORDS, type Pack } from '../pack.ts';
import type { Rule } from '../policy.ts';

const asNecessary = {
  trigger: 'agreement-end',
  keepAtMost: null,
  keepAtLeast: null,
  action: 'erase',
} as const;
const note = 'hc.any (HC-04, HC-05): as long as necessary, then erased at regular times; set a period';
const CUSTOMERS: readonly Rule[] = (['session', 'host.name', 'device.telemetry'] as const).map((cls) => {
  return { class: cls, ...asNecessary, note };
});

/** Hosting and cloud: "as long as necessary" is no period. */
export const HOSTING: Pack = {
  policy: {
    name: 'hosting',
    version: 1,
    author: 'tilsyn',
    zone: 'UTC',
    rules: [...CUSTOMERS, ...OWN_RECORDS],
  },
  notYet: [],
};
