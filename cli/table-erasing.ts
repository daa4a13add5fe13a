/** Commands about the end of agreements, and what was erased. */
import { CONSENT, type Entry, type Options, PAGE } from './table-entry.ts';

const WAIT: Options[number] = [
  '--wait',
  'until every host and the collector are done, at most --timeout (default: 10m); exit 10: hosts are pending',
];

export const ERASING_TABLE: readonly Entry[] = [
  {
    path: 'agreement end',
    args: ['<id>'],
    about:
      'end an agreement: nothing more is collected from its date on, and its data is erased 72 hours later',
    example: 'tilsyn agreement end 4f1c…e0 --effective 2026-12-31 --yes --reason "the customer has left"',
    options: [
      ['--effective <time>', 'from when on nothing more is collected (default: now)'],
      ['--now', 'without the 72 hours; a second person has to approve it'],
      ...CONSENT,
      WAIT,
    ],
    load: async () => (await import('./agreement-end.ts')).agreementEnd,
  },
  {
    path: 'agreement cancel',
    args: ['<id>'],
    about: 'take the end of an agreement back, while its 72 hours last',
    example: 'tilsyn agreement cancel 4f1c…e0 --reason "they stay"',
    options: CONSENT,
    load: async () => (await import('./agreement-end.ts')).agreementCancel,
  },
  {
    path: 'agreement show',
    args: ['<id>'],
    about: 'one agreement: where its end stands, at each host, and the certificates of what was erased',
    example: 'tilsyn agreement show 4f1c…e0 --wait --timeout 10m',
    options: [WAIT],
    load: async () => (await import('./agreement-show.ts')).agreementShow,
  },
  {
    path: 'erasure list',
    about: 'what was erased, by which rule, and until when backups could still hold it',
    example: 'tilsyn erasure list --customer Acme',
    options: [
      ['--customer <name>', 'of this customer, by name or id'],
      ['--agreement <id>', 'of this agreement'],
      ...PAGE,
    ],
    load: async () => (await import('./erasure-list.ts')).erasureList,
  },
  {
    path: 'erasure show',
    args: ['<id>'],
    about: 'the certificate of one erasure, with what each host has confirmed',
    example: 'tilsyn erasure show 9b02…7c -o json',
    load: async () => (await import('./erasure-show.ts')).erasureShow,
  },
];
