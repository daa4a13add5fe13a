/** Commands about the self-audits of hosts. */
import { type Entry, PAGE, RANGE } from './table-entry.ts';

export const AUDIT_TABLE: readonly Entry[] = [
  {
    path: 'audit list',
    about: 'which hosts audited themselves, what they found, and who read of it',
    example: 'tilsyn audit list --unsigned --customer Acme',
    options: [
      ...RANGE,
      ['--findings', 'only those that found something'],
      ['--unsigned', 'only those that nobody signed'],
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--site <name>', 'id or name'],
      ...PAGE,
    ],
    load: async () => (await import('./audit-list.ts')).auditList,
  },
  {
    path: 'audit show',
    args: ['<id>'],
    about: 'one self-audit: what was looked at, what was not, and its findings; exit 6 where there are any',
    example: 'tilsyn audit show 4f1c…e0',
    load: async () => (await import('./audit-show.ts')).auditShow,
  },
  {
    path: 'audit sign',
    args: ['<id>'],
    about: 'say that you have read a self-audit and its findings; done once by each person',
    example: 'tilsyn audit sign 4f1c…e0 --note "seen, the disk is ordered"',
    options: [
      ['--note <text>', 'what you want to have on record with it'],
      ['--dry-run', 'show what would be signed'],
    ],
    load: async () => (await import('./audit-show.ts')).auditSign,
  },
];
