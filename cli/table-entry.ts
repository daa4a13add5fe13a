/** What an entry of the table is, and the options that many commands share. */
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

export type Options = NonNullable<Entry['options']>;

export const STATE: Options = [['--state <dir>', 'state directory (or TILSYN_STATE)']];
export const CONFIG: Options = [['--config <file>', 'agent.yaml; without it, sources are detected']];
export const PAGE: Options = [
  ['--limit <rows>', 'rows at most (default: 1000)'],
  ['--after <next>', 'go on after the page that said this'],
];
export const RANGE: Options = [
  ['--since <time>', 'from then on: 24h, 2026-11-22, 2026-11-22T06:12:00Z (default: each host’s enrolment)'],
  ['--until <time>', 'before then (default: now)'],
];
export const DRY: Options = [['--dry-run', 'show what would happen, change nothing']];
export const METRICS: Options = [
  ['--metrics <address>', 'tell /metrics and /health on 127.0.0.1:9464 or another port of loopback'],
];
export const CONSENT: Options = [
  ...DRY,
  ['--yes', 'do not ask'],
  ['--reason <text>', 'why; is recorded, sealed'],
];
export const ALONE: Options[number] = [
  '--alone',
  'where nobody else could approve: waits 72 hours, needs --reason',
];
