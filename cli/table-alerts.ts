/** Commands about alerts, and about who is told of them. */
import { CONSENT, DRY, type Entry, PAGE, RANGE } from './table-entry.ts';

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
  {
    path: 'webhook add',
    about: 'tell an address of alerts from now on, signed; a secret that is made is shown once',
    example: 'tilsyn webhook add --url https://alerts.example/tilsyn --make-secret > webhook.secret',
    options: [
      ['--url <url>', 'https://…; http:// for this machine only'],
      ['--customer <name>', 'alerts of this customer only, by name or id (default: of all)'],
      ['--secret-file <file>', 'file that holds the secret that the receiver has too; "-": standard input'],
      ['--make-secret', 'make one, and print it'],
      ['--ca <file>', 'CA of the receiver’s certificate (default: the system’s roots)'],
      ...DRY,
    ],
    load: async () => (await import('./webhook-add.ts')).webhookAdd,
  },
  {
    path: 'webhook list',
    about: 'who is told of alerts, whether they answer, and what waits for them',
    example: 'tilsyn webhook list',
    options: PAGE,
    load: async () => (await import('./webhook-list.ts')).webhookList,
  },
  {
    path: 'webhook remove',
    args: ['<id>'],
    about: 'tell an address no more; what was not delivered stays in the log',
    example: 'tilsyn webhook remove 4f1c…e0 --yes --reason "moved"',
    options: CONSENT,
    load: async () => (await import('./webhook-act.ts')).webhookRemove,
  },
  {
    path: 'webhook test',
    args: ['<id>'],
    about: 'send a signed test to a webhook now, and say what it answered',
    example: 'tilsyn webhook test 4f1c…e0',
    options: DRY,
    load: async () => (await import('./webhook-act.ts')).webhookTest,
  },
];
