import { OWN_RECORDS, type Pack } from '../pack.ts';

/** Cloud access to industrial machines by a Swedish maker. Its sessions count from the account's last traffic. */
export const SE_REMOTE_ACCESS: Pack = {
  policy: {
    name: 'se-remote-access',
    version: 1,
    author: 'tilsyn',
    zone: 'Europe/Stockholm',
    rules: [
      {
        class: 'audit.event',
        trigger: 'event',
        keepAtMost: 'P6M',
        keepAtLeast: null,
        action: 'erase',
        note: 'hms.serverlog (HMS-02): addresses in the log of the server, six months',
      },
      ...OWN_RECORDS.filter((rule) => rule.class !== 'audit.event'),
    ],
  },
  notYet: [
    {
      promise: 'HMS-06',
      why: 'accounts, devices and sessions, P7Y: waits for the trigger last-activity',
    },
    {
      promise: 'HMS-09',
      why: 'support cases, anonymised after P7Y: waits for the trigger last-activity',
    },
    { promise: 'HMS-10', why: 'orders, P7Y and to the year’s end: waits for the trigger last-activity' },
    {
      promise: 'HMS-11',
      why: 'transactions, P10Y and the current year: waits for the trigger year-end',
    },
    { promise: 'HMS-12', why: 'chats, P45D: no such class yet' },
    { promise: 'HMS analytics', why: 'use of web pages, P3Y: no such class yet' },
  ],
};
