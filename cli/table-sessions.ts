/** Commands about sessions, and why they were. */
import { ALONE, CONSENT, DRY, type Entry, PAGE, RANGE } from './table-entry.ts';

export const SESSION_TABLE: readonly Entry[] = [
  {
    path: 'session list',
    about: 'which remote sessions there were; every list says what was watched',
    example: 'tilsyn session list --since 7d --host srv-01',
    options: [
      ...RANGE,
      ['--overlaps', 'also sessions that only reach into the range'],
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--site <name>', 'id or name'],
      ['--tool <tool>', 'teamviewer …'],
      ['--state <state>', 'attempted, rejected, active, ended or unknown-end'],
      ['--peer <id>', 'the other side’s id; @file reads it from a file'],
      ['--ip <range>', 'the other side’s address or range; @file reads it from a file'],
      [
        '--technician <who>',
        'who connected: an id of `person list`, a name or a pseudonym; @file reads it from a file',
      ],
      ['--unexplained', 'only those that nobody has explained'],
      ['--attempts', 'also those that never began: attempted, rejected'],
      ...PAGE,
    ],
    load: async () => (await import('./session-list.ts')).sessionList,
  },
  {
    path: 'session show',
    args: ['<id>'],
    about: 'show one session',
    example: 'tilsyn session show 4f1c…e0 -o json',
    load: async () => (await import('./session-show.ts')).sessionShow,
  },
  {
    path: 'session tail',
    about: 'sessions as they change',
    example: 'tilsyn session tail -o jsonl',
    options: [
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--after <pos>', 'go on after this `pos`; 0: from the first'],
    ],
    load: async () => (await import('./session-tail.ts')).sessionTail,
  },
  {
    path: 'session explain',
    args: ['<id>'],
    about: 'say why somebody was there; sealed, goes with the session’s own data; again replaces',
    example: 'tilsyn session explain 4f1c…e0 --ticket INC-4711 --purpose "printer driver"',
    options: [
      ['--ticket <reference>', 'of your ticket system; @file reads it from a file'],
      ['--purpose <text>', 'what for, in a few words; no passwords; @file reads it from a file'],
      ...DRY,
    ],
    load: async () => (await import('./session-act.ts')).sessionExplain,
  },
  {
    path: 'session reveal',
    args: ['<id>'],
    about: 'show the people of one session to who is shown pseudonyms; who asked, and why, is recorded first',
    example: 'tilsyn session reveal 4f1c…e0 --reason "complaint 2026-14"',
    options: [['--reason <text>', 'why; is recorded, sealed']],
    load: async () => (await import('./session-act.ts')).sessionReveal,
  },
  {
    path: 'session erase',
    args: ['<id...>'],
    about:
      'erase what is sealed of these sessions, on request of the person they are of; needs a second person',
    example: 'tilsyn session erase 4f1c…e0 81aa…07 --reason "request 2026-14" --dry-run',
    options: [...CONSENT, ALONE],
    load: async () => (await import('./session-erase.ts')).sessionErase,
  },
  {
    path: 'ticket import',
    args: ['<file>'],
    about: 'take tickets from a CSV file; sessions that exactly one fits are explained, now and as they come',
    example: 'tilsyn ticket import tickets.csv --tz Europe/Copenhagen --dry-run',
    options: DRY,
    load: async () => (await import('./ticket-import.ts')).ticketImport,
  },
];
