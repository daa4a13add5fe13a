/** Commands about the end of agreements, and what was erased. */
import { CONSENT, type Entry, PAGE } from './table-entry.ts';

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
