import { OWN_RECORDS, type Pack } from '../pack.ts';

/** Remote support, footage and operation of machines by a Danish service provider. */
export const DK_MSP: Pack = {
  policy: {
    name: 'dk-msp',
    version: 1,
    author: 'tilsyn',
    zone: 'Europe/Copenhagen',
    rules: [
      {
        class: 'session',
        mode: 'one-off',
        trigger: 'session-end',
        keepAtMost: 'P0D',
        keepAtLeast: null,
        action: 'erase',
        note: 'pn.session.oneoff (PN-07): support without an agreement is gone when the session is',
      },
      {
        class: 'session',
        mode: 'managed',
        trigger: 'agreement-end',
        keepAtMost: 'P0D',
        keepAtLeast: null,
        action: 'erase',
        note: 'pn.session.managed (PN-08): with the agreement',
      },
      {
        class: 'host.name',
        trigger: 'agreement-end',
        keepAtMost: 'P0D',
        keepAtLeast: null,
        action: 'erase',
        note: 'pn.device.telemetry (PN-05, PN-08): names of machines go with the agreement',
      },
      {
        class: 'device.telemetry',
        trigger: 'agreement-end',
        keepAtMost: 'P0D',
        keepAtLeast: null,
        action: 'erase',
        note: 'pn.device.telemetry (PN-05, PN-08): with the agreement',
      },
      {
        class: 'recording',
        trigger: 'recording-end',
        keepAtMost: 'P30D',
        keepAtLeast: null,
        action: 'erase',
        note: 'pn.cctv (PN-20, PN-21, PN-22): thirty days, longer only for a dispute or a crime',
      },
      ...OWN_RECORDS,
    ],
  },
  notYet: [
    { promise: 'PN-40', why: 'traffic data, at least and at most P1Y: no such class yet' },
    { promise: 'PN-44', why: 'data of a line, P12M: waits for the trigger service-end' },
    { promise: 'PN-50', why: 'IT services, P30D and P60D: waits for the trigger service-end' },
    { promise: 'PN-55', why: 'invoices, at least and at most P5Y: waits for the trigger year-end' },
  ],
};
