/**
 * Every command of this version. A command's code is loaded when it runs, so that `version` loads almost nothing and
 * an agent never loads the collector's libraries.
 */
import { ALERT_TABLE } from './table-alerts.ts';
import { AUDIT_TABLE } from './table-audits.ts';
import { CAMERA_TABLE } from './table-cameras.ts';
import {
  CONFIG,
  CONSENT,
  DRY,
  type Entry,
  METRICS,
  type Options,
  PAGE,
  RANGE,
  STATE,
} from './table-entry.ts';
import { ERASING_TABLE } from './table-erasing.ts';
import { HOLD_TABLE } from './table-holds.ts';
import { PEOPLE_TABLE } from './table-people.ts';
import { RECORDING_TABLE } from './table-recordings.ts';
import { RETENTION_TABLE } from './table-retention.ts';
import { SESSION_TABLE } from './table-sessions.ts';

export type { Entry } from './table-entry.ts';

const LAYOUT: Options = [
  ['--layout <name>', 'a layout by name, or a pattern; without it, the one that fits best'],
  ['--zone <zone>', 'of times in file names (default: UTC)'],
];

export const TABLE: readonly Entry[] = [
  {
    path: 'collector init',
    about: 'make a collector in an empty state directory',
    example:
      'tilsyn collector init --state /var/lib/tilsyn-collector --policy dk-msp --url wss://audit.example:8443',
    options: [
      ...STATE,
      ['--policy <pack>', 'retention policy pack, or none; has to be said'],
      ['--name <name>', 'name (origin) of this collector'],
      ['--url <url>', 'address that agents and people use, wss://host:port'],
      ['--keys2 <dir>', 'folder on another device for the second copy of the keys'],
      ['--tls-cert <file>', 'certificate of your own; needs --tls-key'],
      ['--tls-key <file>', 'its key'],
      ...DRY,
    ],
    load: async () => (await import('./collector-init.ts')).collectorInit,
  },
  {
    path: 'collector run',
    about: 'run the collector of a state directory',
    example: 'tilsyn collector run --state /var/lib/tilsyn-collector --listen 0.0.0.0:8443',
    options: [...STATE, ['--listen <address>', 'address:port (default: 127.0.0.1:8443)'], ...METRICS],
    load: async () => (await import('./collector-run.ts')).collectorRun,
  },
  {
    path: 'collector backup',
    args: ['<file>'],
    about:
      'copy the collector’s database, running or not, without its keys; with --keys-to an escrow beside it',
    example: 'tilsyn collector backup /backup/monday.tilsyn --state /var/lib/tilsyn-collector',
    options: [
      ...STATE,
      [
        '--keys-to <recipient>',
        'age recipient (age1…): also write FILE.keys.age, which only its owner can open',
      ],
      ['--keys-kept-for <duration>', 'how long that file will be kept, for example 90d; not said: for ever'],
      ...DRY,
    ],
    load: async () => (await import('./collector-backup.ts')).collectorBackup,
  },
  {
    path: 'collector restore',
    args: ['[file]'],
    about: 'put a collector back from a backup; without FILE: only its keys, beside a database that lives',
    example: 'tilsyn collector restore /backup/monday.tilsyn --state /var/lib/tilsyn-collector',
    options: [
      ...STATE,
      ['--keys <file>', 'escrow that the backup wrote beside it: FILE.keys.age'],
      ['--identity-file <file>', 'private half of the recipient that the escrow was made for'],
      ['--without-keys', 'go on without keys that are lost: what was sealed then stays closed for ever'],
      ['--keys2 <dir>', 'folder on another device for the second copy of the keys'],
      ...DRY,
    ],
    load: async () => (await import('./collector-restore.ts')).collectorRestore,
  },
  {
    path: 'collector keys2',
    about: 'give the keys another second copy, where a disk died or is changed; the collector is stopped',
    example: 'tilsyn collector keys2 --state /var/lib/tilsyn-collector --path /mnt/new-disk/tilsyn',
    options: [
      ...STATE,
      ['--path <dir>', 'folder on another device for the second copy'],
      ['--old-destroyed', 'the old disk is gone for good; without it, the keys on it count for ever'],
      ...DRY,
    ],
    load: async () => (await import('./collector-keys2.ts')).collectorKeys2,
  },
  {
    path: 'token create',
    about: 'make an enrolment token; it is shown once',
    example: 'tilsyn token create --customer Acme --site Albertslund > token.txt',
    options: [
      ['--customer <name>', 'name or id; made where it is new'],
      ['--site <name>', 'name or id; made where it is new'],
      ['--agreement <id>', 'default: the customer’s open default agreement'],
      ['--mode <mode>', 'managed or one-off (default: the agreement’s, else managed)'],
      ['--ttl <duration>', 'how long it can be used (default: 30m)'],
      ['--uses <n>', 'how often it can be used (default: 1)'],
      ['--cidr <range>', 'only from these addresses'],
      ['--require-approval', 'hosts wait for `tilsyn host approve`'],
      ...DRY,
    ],
    load: async () => (await import('./token-create.ts')).tokenCreate,
  },
  {
    path: 'token list',
    about: 'list enrolment tokens, without their secrets',
    example: 'tilsyn token list',
    options: PAGE,
    load: async () => (await import('./token-list.ts')).tokenList,
  },
  {
    path: 'token revoke',
    args: ['<id>'],
    about: 'make an enrolment token useless',
    example: 'tilsyn token revoke 4f1c…e0 --yes --reason "roll-out is over"',
    options: CONSENT,
    load: async () => (await import('./token-revoke.ts')).tokenRevoke,
  },
  {
    path: 'agent enrol',
    alias: 'enroll',
    about: 'enrol this machine with a token',
    example: 'tilsyn agent enrol --state /var/lib/tilsyn-agent --token-file token.txt',
    options: [
      ...STATE,
      ['--token-file <file>', 'file that holds the token'],
      ['--token <->', 'only "-": read the token from standard input'],
      ['--proxy <url>', 'http://host:port of a proxy'],
      ...DRY,
    ],
    load: async () => (await import('./agent-enrol.ts')).agentEnrol,
  },
  {
    path: 'agent run',
    about: 'run the agent of a state directory',
    example: 'tilsyn agent run --state /var/lib/tilsyn-agent --config /etc/tilsyn/agent.yaml',
    options: [...STATE, ...CONFIG, ...METRICS],
    load: async () => (await import('./agent-run.ts')).agentRun,
  },
  {
    path: 'agent status',
    about: 'what the agent reads, what it does not and why, and how the line is',
    example: 'tilsyn agent status --state /var/lib/tilsyn-agent',
    options: STATE,
    load: async () => (await import('./agent-status.ts')).agentStatus,
  },
  {
    path: 'agent check',
    about: 'check the agent’s state directory',
    example: 'tilsyn agent check --state /var/lib/tilsyn-agent -o json',
    options: [...STATE, ['--config <file>', 'agent.yaml, where no agent runs: it is checked too']],
    load: async () => (await import('./agent-check.ts')).agentCheck,
  },
  {
    path: 'source detect',
    about: 'look for remote tools on this machine, or for the layout of a recorder’s folder',
    example: 'tilsyn source detect --root /srv/nvr/recordings --zone Europe/Copenhagen',
    options: [
      ...CONFIG,
      ['--root <dir>', 'a recorder’s folder: which layout it has, with ten paths as they are read'],
      ...LAYOUT,
    ],
    load: async () => (await import('./source-detect.ts')).sourceDetect,
  },
  {
    path: 'source add',
    about: 'name a recorder’s folder in agent.yaml and write its marker, after ten paths were shown',
    example: 'tilsyn source add --root /srv/nvr/recordings --mode report --config agent.yaml',
    options: [
      ['--root <dir>', 'the folder that the recorder writes to'],
      ['--mode <mode>', 'report: nothing is erased (default); erase: what has expired and is not held is'],
      ['--config <file>', 'agent.yaml'],
      ...LAYOUT,
      ...DRY,
      ['--yes', 'do not ask'],
    ],
    load: async () => (await import('./source-root.ts')).sourceAdd,
  },
  {
    path: 'source list',
    about: 'sources that the agent reads, and those that it could read',
    example: 'tilsyn source list --state /var/lib/tilsyn-agent',
    options: [...STATE, ...CONFIG],
    load: async () => (await import('./source-list.ts')).sourceList,
  },
  {
    path: 'source test',
    args: ['<file>'],
    about: 'read a file as the agent would, and say what it makes of it; nothing is stored or sent',
    example: 'tilsyn source test Connections_incoming.txt --type teamviewer',
    options: [
      [
        '--type <type>',
        'teamviewer, teamviewer-log, teamviewer-outgoing, sshd, anydesk, rustdesk, rdp, declared or csv',
      ],
      ['--spec <file>', 'of declared and csv: the declaration, or the name of one that comes with Tilsyn'],
      ['--rows <n>', 'rows to show (default: 10)'],
      ['--config <file>', 'agent.yaml: says so where its sources of this type record nobody'],
    ],
    load: async () => (await import('./source-test.ts')).sourceTest,
  },
  ...RECORDING_TABLE,
  ...HOLD_TABLE,
  ...CAMERA_TABLE,
  ...PEOPLE_TABLE,
  {
    path: 'host list',
    about: 'list enrolled machines, how they are and what is read on them',
    example: 'tilsyn host list --state offline',
    options: [
      ['--customer <name>', 'of this customer, by name or id'],
      ['--site <name>', 'of this site, by name or id'],
      [
        '--state <state>',
        'online, late, offline, never-connected, unconfirmed, waiting, conflict or revoked',
      ],
      ...PAGE,
    ],
    load: async () => (await import('./host-list.ts')).hostList,
  },
  {
    path: 'host show',
    args: ['<host>'],
    about: 'show one machine, by id or name',
    example: 'tilsyn host show srv-01',
    load: async () => (await import('./host-show.ts')).hostShow,
  },
  {
    path: 'host approve',
    args: ['<host>'],
    about: 'let a waiting machine in',
    example: 'tilsyn host approve srv-01',
    options: DRY,
    load: async () => (await import('./host-act.ts')).hostApprove,
  },
  {
    path: 'host resolve',
    args: ['<host>'],
    about: 'end an identity conflict, after one of the two was stopped',
    example: 'tilsyn host resolve srv-01',
    options: DRY,
    load: async () => (await import('./host-act.ts')).hostResolve,
  },
  {
    path: 'host revoke',
    args: ['<host>'],
    about: 'refuse a machine from now on; its history is kept',
    example: 'tilsyn host revoke srv-01 --yes --reason "sold"',
    options: CONSENT,
    load: async () => (await import('./host-act.ts')).hostRevoke,
  },
  {
    path: 'telemetry show',
    args: ['<host>'],
    about: 'processor, memory and disks of one machine, as a chart in the terminal',
    example: 'tilsyn telemetry show srv-01 --since 7d',
    options: [...RANGE, ...PAGE],
    load: async () => (await import('./telemetry-show.ts')).telemetryShow,
  },
  {
    path: 'agreement create',
    about: 'make an agreement with a customer',
    example: 'tilsyn agreement create --customer Acme --mode managed',
    options: [
      ['--customer <name>', 'name or id'],
      ['--mode <mode>', 'managed or one-off (default: managed)'],
      ['--starts <time>', 'default: now'],
      ...DRY,
    ],
    load: async () => (await import('./agreement-create.ts')).agreementCreate,
  },
  {
    path: 'agreement list',
    about: 'list agreements',
    example: 'tilsyn agreement list',
    options: PAGE,
    load: async () => (await import('./agreement-list.ts')).agreementList,
  },
  ...ERASING_TABLE,
  ...SESSION_TABLE,
  {
    path: 'event list',
    about: 'the log itself: events as stored, without personal data',
    example: 'tilsyn event list --type session.started --since 24h',
    options: [
      ...RANGE,
      ['--type <type...>', 'only these types'],
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--personal', 'open the personal parts too; the reading is recorded'],
      ...PAGE,
    ],
    load: async () => (await import('./event-list.ts')).eventList,
  },
  {
    path: 'event tail',
    about: 'events as they are committed',
    example: 'tilsyn event tail --after 0 -o jsonl',
    options: [
      ['--type <type...>', 'only these types'],
      ['--host <host>', 'id or name'],
      ['--customer <name>', 'id or name'],
      ['--after <pos>', 'go on after this `pos`; 0: from the first'],
    ],
    load: async () => (await import('./event-tail.ts')).eventTail,
  },
  ...ALERT_TABLE,
  ...AUDIT_TABLE,
  ...RETENTION_TABLE,
  {
    path: 'coverage',
    args: ['[host]'],
    about: 'what was watched, from when to when, and every gap; a gap or an unreadable row exits 6',
    example: 'tilsyn coverage srv-01 --since 30d',
    options: [...RANGE, ['--customer <name>', 'id or name'], ['--site <name>', 'id or name']],
    load: async () => (await import('./coverage.ts')).coverage,
  },
  {
    path: 'quickstart',
    about: 'a collector, an agent and a sample site on this machine, to look around in',
    example: 'tilsyn quickstart --dir ./try-tilsyn',
    options: [['--dir <dir>', 'folder for all of it']],
    load: async () => (await import('./quickstart-run.ts')).quickstartRun,
  },
  {
    path: 'version',
    about: 'print the version',
    example: 'tilsyn version -o json',
    load: async () => (await import('./version.ts')).versionCommand,
  },
];
