/** Commands about what is kept, and what falls due. */
import { ALONE, CONSENT, type Entry, PAGE } from './table-entry.ts';

export const RETENTION_TABLE: readonly Entry[] = [
  {
    path: 'retention rules',
    about: 'the policy in force: each class of data with its period, its span and where the rule comes from',
    example: 'tilsyn retention rules',
    options: PAGE,
    load: async () => (await import('./retention-rules.ts')).retentionRules,
  },
  {
    path: 'retention lint',
    args: ['[file]'],
    about:
      'what a policy file gets wrong; without FILE: what the policy in force leaves open; findings exit 6',
    example: 'tilsyn retention lint policy.yaml',
    options: PAGE,
    load: async () => (await import('./retention-lint.ts')).retentionLint,
  },
  {
    path: 'retention plan',
    about: 'which key groups fall due, and when; why the others do not',
    example: 'tilsyn retention plan --until 30d',
    options: [['--until <time>', 'only what falls due before then: 30d (from now), 2026-12-31'], ...PAGE],
    load: async () => (await import('./retention-plan.ts')).retentionPlan,
  },
  {
    path: 'retention set',
    args: ['<pack-or-file>'],
    about:
      'put a pack, or a policy of your own, in force; where something could go earlier, a second person approves it',
    example: 'tilsyn retention set dk-msp --yes --reason "the agreement with our customers"',
    options: [...CONSENT, ALONE],
    load: async () => (await import('./retention-set.ts')).retentionSet,
  },
];
