/** Commands about recordings: of this host (`--state`), or of another through the collector (`--host`). */
import { CONSENT, DRY, type Entry, type Options, PAGE } from './table-entry.ts';

const WHICH: Options = [
  ['--camera <camera>', 'by its name or id; through the collector also HOST/CAMERA'],
  ['--from <time>', 'recordings that end after this'],
  ['--to <time>', 'recordings that begin before this'],
];

const WHERE: Options = [
  ['--state <dir>', 'of this host: the agent’s state directory (or TILSYN_STATE)'],
  ['--host <host>', 'of another, through the collector: its id or name'],
];

/** Of many hosts at once. */
const WHICH_HOSTS: Options = [
  ...WHERE,
  ['--site <site>', 'of all hosts of a site, through the collector'],
  ['--customer <customer>', 'of all hosts of a customer, through the collector'],
];

const load = async () => await import('./recordings.ts');
const sweeps = async () => await import('./sweeps.ts');

export const RECORDING_TABLE: readonly Entry[] = [
  {
    path: 'recording list',
    about: 'recordings of a host, with the time until which each is kept',
    example: 'tilsyn recording list --state /var/lib/tilsyn-agent --camera gate --from 2026-11-22T08:00:00Z',
    options: [
      ...WHICH_HOSTS,
      ...WHICH,
      ['--recording-state <state>', 'present, erasing, erased or missing'],
      ...PAGE,
    ],
    load: async () => (await load()).recordingList,
  },
  {
    path: 'recording due',
    about:
      'recordings past their time that are still there, each with its reason, and what was not looked at',
    example: 'tilsyn recording due --state /var/lib/tilsyn-agent',
    options: [...WHICH_HOSTS, ...WHICH, ...PAGE],
    load: async () => (await load()).recordingDue,
  },
  {
    path: 'recording missing',
    about: 'recordings that vanished without the agent',
    example: 'tilsyn recording missing --state /var/lib/tilsyn-agent',
    options: [...WHICH_HOSTS, ...WHICH, ...PAGE],
    load: async () => (await load()).recordingMissing,
  },
  {
    path: 'recording stats',
    about: 'for each camera: how much there is, the oldest, and how much is over its limit',
    example: 'tilsyn recording stats --state /var/lib/tilsyn-agent',
    options: WHICH_HOSTS,
    load: async () => (await import('./recording-stats.ts')).recordingStats,
  },
  {
    path: 'sweep plan',
    about: 'what a sweep of a host would erase now; erases nothing',
    example: 'tilsyn sweep plan --state /var/lib/tilsyn-agent',
    options: WHERE,
    load: async () => (await sweeps()).sweepPlan,
  },
  {
    path: 'sweep run',
    about: 'sweep now, not at the next time of the schedule',
    example: 'tilsyn sweep run --state /var/lib/tilsyn-agent',
    options: [...WHERE, ...DRY],
    load: async () => (await sweeps()).sweepRun,
  },
  {
    path: 'sweep approve',
    args: ['[plan]'],
    about: 'approve the plan of a sweep that waits for a person, or with --clock the host’s clock',
    example: 'tilsyn sweep approve 4f1c…e0 --state /var/lib/tilsyn-agent --yes --reason "seen"',
    options: [...WHERE, ['--clock', 'the host’s clock is right'], ...CONSENT],
    load: async () => (await sweeps()).sweepApprove,
  },
  {
    path: 'sweep status',
    about: 'whether each root is swept, or why it waits',
    example: 'tilsyn sweep status --state /var/lib/tilsyn-agent',
    options: WHERE,
    load: async () => (await sweeps()).sweepStatus,
  },
  {
    path: 'source accept-root',
    args: ['<root>'],
    about: 'another disk lies under a root, and is meant',
    example: 'tilsyn source accept-root /srv/nvr/recordings --state /var/lib/tilsyn-agent',
    options: [...WHERE, ...CONSENT],
    load: async () => (await sweeps()).sourceAcceptRoot,
  },
  {
    path: 'source retire',
    args: ['<root>'],
    about: 'give up a root: nothing in it is watched or erased any more',
    example: 'tilsyn source retire /srv/nvr/recordings --disposition stored --state /var/lib/tilsyn-agent',
    options: [...WHERE, ['--disposition <what>', 'destroyed, stored or returned'], ...CONSENT],
    load: async () => (await sweeps()).sourceRetire,
  },
];
