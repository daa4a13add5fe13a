/** The shape of `agent.yaml`. Strict everywhere: a key that is not known here is an error. */
import { z } from 'zod';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../protocol/time.ts';
import { durationMs, isAbsolutePath, isSchedule, proxyProblem } from './config-values.ts';

export interface TeamviewerSource {
  type: 'teamviewer';
  /** Absolute paths; null = detected. */
  connectionsIncoming: string | null;
  connections: string | null;
  logfile: string | null;
  /** `now` passes over what was in the file before the source was added. */
  startFrom: 'now' | 'beginning';
}

/** A source that this version knows the name of but does not read. */
export interface NotBuilt {
  type: 'sshd' | 'recordings';
  /** Line in the file, from 1. */
  line: number;
}

export interface AgentConfig {
  /** null = detect and report. Sources that are not built yet are left out and stand in `notBuilt`. */
  sources: TeamviewerSource[] | null;
  notBuilt: NotBuilt[];
  /** null = off. */
  telemetry: { everyMs: number; notify: 'audit' | 'all' | 'none' } | null;
  neverEraseYoungerThanMs: number;
  holds: {
    /** Without word from the collector for longer than this, nothing is erased. */
    holdFreshnessMs: number;
    /** How long that may last; null = for ever. */
    deferAtMostMs: number | null;
  };
  /** Cron, five fields, in the site's time zone. */
  schedule: { sweep: string; selfAudit: string; inventory: string };
  /** `http://host:port`; null = none. */
  proxy: string | null;
}

const MAX_SOURCES = 64;

const path = z
  .string({ error: 'expected a path' })
  .refine(isAbsolutePath, { error: 'expected an absolute path' })
  .nullable()
  .default(null);

const words = <const T extends readonly string[]>(list: T) =>
  z.enum(list, { error: `expected one of: ${list.join(', ')}` });

function duration(example: string, min: number, max: number) {
  return z.string({ error: `expected a duration such as ${example}` }).transform((text, context) => {
    const ms = durationMs(text);
    if (ms !== null && ms >= min && ms <= max) return ms;
    const problem = ms === null ? 'expected a duration' : `expected ${spoken(min)} to ${spoken(max)}`;
    context.addIssue({ code: 'custom', message: `${problem}, such as ${example}` });
    return z.NEVER;
  });
}

function spoken(ms: number): string {
  if (ms % DAY_MS === 0) return `${ms / DAY_MS}d`;
  return ms % HOUR_MS === 0 ? `${ms / HOUR_MS}h` : `${ms / SECOND_MS}s`;
}

const schedule = z
  .string({ error: 'expected a schedule such as "17 * * * *"' })
  .refine(isSchedule, { error: 'expected five cron fields such as "17 * * * *"' });

const proxy = z.string({ error: 'expected http://host:port or null' }).transform((text, context) => {
  const problem = proxyProblem(text);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  return text;
});

const teamviewer = z.strictObject({
  type: z.literal('teamviewer'),
  connectionsIncoming: path,
  connections: path,
  logfile: path,
  startFrom: words(['now', 'beginning']).default('now'),
});

// Accepted so that one file serves this version and the next; the caller says that they are not read yet.
const sshd = z.strictObject({
  type: z.literal('sshd'),
  path,
  match: words(['listed', 'all']),
});

const recordings = z.strictObject({
  type: z.literal('recordings'),
  root: z.string({ error: 'expected a path' }).refine(isAbsolutePath, { error: 'expected an absolute path' }),
  layout: z.string({ error: 'expected the name of a layout or a pattern' }).min(1).max(1024),
  timeZone: z.string({ error: 'expected a time zone such as UTC' }).min(1).max(64).default('UTC'),
  mode: words(['report', 'erase']).default('report'),
});

const VARIANTS = { teamviewer, sshd, recordings };
export const SOURCE_TYPES = Object.keys(VARIANTS);

const telemetry = z.strictObject({
  every: duration('60s', 10 * SECOND_MS, DAY_MS).default(60 * SECOND_MS),
  notify: words(['audit', 'all', 'none']).default('audit'),
});

const holds = z.strictObject({
  holdFreshness: duration('24h', HOUR_MS, 30 * DAY_MS).default(24 * HOUR_MS),
  deferAtMost: z
    .literal('never')
    .transform(() => null)
    .or(duration('30d, or never', DAY_MS, 3650 * DAY_MS))
    .default(null),
});

const schedules = z.strictObject({
  sweep: schedule.default('17 * * * *'),
  selfAudit: schedule.default('0 3 * * *'),
  inventory: schedule.default('40 4 * * *'),
});

/** A section with nothing behind its colon is the section left out. */
const section = <T extends z.ZodType>(inner: T) => z.preprocess((value) => value ?? {}, inner);

export const configSchema = z.strictObject({
  sources: z
    .array(
      z.discriminatedUnion('type', [teamviewer, sshd, recordings], {
        error: `expected a source with type: ${SOURCE_TYPES.join(', ')}`,
      }),
      { error: 'expected a list of sources, or null' },
    )
    .max(MAX_SOURCES, { error: `expected at most ${MAX_SOURCES} sources` })
    .nullable()
    .default(null),
  telemetry: section(telemetry),
  neverEraseYoungerThan: duration('P3D', DAY_MS, 3650 * DAY_MS).default(3 * DAY_MS),
  holds: section(holds),
  schedule: section(schedules),
  proxy: proxy.nullable().default(null),
});

/** The keys that may stand at a place of the file; `type` is that of the source, where it is one. */
export function keysAt(place: readonly PropertyKey[], type: unknown): string[] {
  const [first] = place;
  if (first === undefined) return Object.keys(configSchema.shape);
  if (first === 'telemetry') return Object.keys(telemetry.shape);
  if (first === 'holds') return Object.keys(holds.shape);
  if (first === 'schedule') return Object.keys(schedules.shape);
  if (first !== 'sources' || typeof type !== 'string' || !Object.hasOwn(VARIANTS, type)) return [];
  return Object.keys(VARIANTS[type as keyof typeof VARIANTS].shape);
}
