/** Commands about alerts, and about who is told of them. */
import { DRY, type Entry, PAGE, RANGE } from './table-entry.ts';

export const ALERT_TABLE: readonly Entry[] = [
  {
    path: 'alert list',
    about: 'what was, or is, wrong with the machines, and which of them are silent',
    example: 'tilsyn alert list --open',
    options: [
      ...RANGE,
      ['--open', 'only those that are not over'],
      ['--check <check>', 'disk-space, disk-fill, inodes, cpu, memory, agent-silent …'],
      ['--level <level>', 'warn or crit'],
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--site <name>', 'id or name'],
      ...PAGE,
    ],
    load: async () => (await import('./alert-list.ts')).alertList,
  },
  {
    path: 'alert ack',
    args: ['<id>'],
    about: 'say that you have seen an alert; it stays open until it is over',
    example: 'tilsyn alert ack 4f1c…e0',
    options: DRY,
    load: async () => (await import('./alert-ack.ts')).alertAck,
  },
];
