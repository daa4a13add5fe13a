/**
 * Every command of this version. A command's code is loaded when it runs, so that `version` loads almost nothing and
 * an agent never loads the collector's libraries.
 */
import type { Command } from './io.ts';

export interface Entry {
  path: string;
  alias?: string;
  args?: readonly string[];
  about: string;
  example: string;
  options?: readonly (readonly [flags: string, about: string])[];
  load(): Promise<Command>;
}

type Options = NonNullable<Entry['options']>;

const STATE: Options = [['--state <dir>', 'state directory (or TILSYN_STATE)']];
const CONFIG: Options = [['--config <file>', 'agent.yaml; without it, sources are detected']];
const PAGE: Options = [
  ['--limit <rows>', 'rows at most (default: 1000)'],
  ['--after <next>', 'go on after the page that said this'],
];
const RANGE: Options = [
  ['--since <time>', 'from then on: 24h, 2026-11-22, 2026-11-22T06:12:00Z (default: each host’s enrolment)'],
  ['--until <time>', 'before then (default: now)'],
];
const DRY: Options = [['--dry-run', 'show what would happen, change nothing']];
const CONSENT: Options = [...DRY, ['--yes', 'do not ask'], ['--reason <text>', 'why; is recorded, sealed']];

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
    options: [...STATE, ['--listen <address>', 'address:port (default: 127.0.0.1:8443)']],
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
    options: [...STATE, ...CONFIG],
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
    options: STATE,
    load: async () => (await import('./agent-check.ts')).agentCheck,
  },
  {
    path: 'source detect',
    about: 'look for sources on this machine',
    example: 'tilsyn source detect',
    load: async () => (await import('./source-detect.ts')).sourceDetect,
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
      ['--type <type>', 'type of the source: teamviewer'],
      ['--rows <n>', 'rows to show (default: 10)'],
    ],
    load: async () => (await import('./source-test.ts')).sourceTest,
  },
  {
    path: 'login',
    about: 'store which collector to ask, and who asks',
    example: 'tilsyn login --server https://audit.example:8443 --token-file me.token --ca ca.pem',
    options: [
      ['--server <url>', 'https://host:port of the collector'],
      ['--token-file <file>', 'file that holds the sign-in token; "-": standard input'],
      ['--ca <file>', 'CA of the collector (default: the system’s roots)'],
      ...DRY,
    ],
    load: async () => (await import('./login.ts')).login,
  },
  {
    path: 'logout',
    about: 'forget what login stored',
    example: 'tilsyn logout',
    options: DRY,
    load: async () => (await import('./logout.ts')).logout,
  },
  {
    path: 'whoami',
    about: 'who is signed in, and for how long',
    example: 'tilsyn whoami -o json',
    load: async () => (await import('./whoami.ts')).whoami,
  },
  {
    path: 'person add',
    about: 'add a person; their sign-in token is shown once',
    example: 'tilsyn person add --role auditor --customer Acme --name-file name.txt > auditor.token',
    options: [
      ['--role <role>', 'technician, security, auditor, dpo or admin'],
      ['--customer <name...>', 'only these customers, by name or id (default: all)'],
      ['--name-file <file>', 'file that holds their name, or "-": standard input; is sealed'],
      ['--name <name>', 'the same on the command line, where everybody on this machine can see it'],
      ['--nda <date>', 'day on which they signed their non-disclosure agreement; is sealed'],
      ['--no-reading', 'they do not see the personal data that their role shows'],
      ['--ttl <duration>', 'how long the sign-in lives (default: 90d)'],
      ...DRY,
    ],
    load: async () => (await import('./person-add.ts')).personAdd,
  },
  {
    path: 'person list',
    about: 'list people and their sign-ins',
    example: 'tilsyn person list',
    options: PAGE,
    load: async () => (await import('./person-list.ts')).personList,
  },
  {
    path: 'person change',
    args: ['<id>'],
    about: 'take reading of personal data away, give it back, or record an NDA',
    example: 'tilsyn person change 4f1c…e0 --no-reading',
    options: [
      ['--nda <date>', 'day on which they signed their non-disclosure agreement; is sealed'],
      ['--reading', 'they see the personal data that their role shows'],
      ['--no-reading', 'they do not'],
      ...DRY,
    ],
    load: async () => (await import('./person-change.ts')).personChange,
  },
  {
    path: 'person revoke',
    args: ['<id>'],
    about: 'revoke a person and all their sign-ins, at once',
    example: 'tilsyn person revoke 4f1c…e0 --yes --reason "left the company"',
    options: CONSENT,
    load: async () => (await import('./person-revoke.ts')).personRevoke,
  },
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
      ['--technician <name>', 'who connected; @file reads it from a file'],
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
