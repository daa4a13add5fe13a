import { OWN_RECORDS, type Pack } from '../pack.ts';

/** Cameras and locks by a Norwegian installer. No period is stated for footage, so there is none here. */
export const NO_CCTV: Pack = {
  policy: {
    name: 'no-cctv',
    version: 1,
    author: 'tilsyn',
    zone: 'Europe/Oslo',
    rules: [
      {
        class: 'recording',
        trigger: 'recording-end',
        keepAtMost: null,
        keepAtLeast: null,
        action: 'erase',
        note: 'hs.footage (HS-16): no period is stated; the Norwegian authority’s rule of thumb is P7D',
      },
      ...OWN_RECORDS,
    ],
  },
  notYet: [{ promise: 'HS-03', why: 'data of customers, P3Y: waits for the trigger last-activity' }],
};
