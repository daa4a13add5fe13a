/** The shape of `agent.yaml`. Strict everywhere: a key that is not known here is an error. */
import { z } from 'zod';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../protocol/time.ts';
import {
  type RecordingsSource,
  SOURCE_TYPES,
  type SourceConfig,
  sourceKeys,
  VARIANTS,
  words,
} from './config-sources.ts';
import { durationMs, isAbsolutePath, isSchedule, proxyProblem, sizeBytes } from './config-values.ts';

export interface AgentConfig {
  /** Remote tools; null = detect and report. */
  sources: SourceConfig[] | null;
  /** Roots of recordings. Never detected: a person names each. */
  recordings: RecordingsSource[];
  /** null = off. */
  telemetry: { everyMs: number; notify: 'audit' | 'all' | 'none' } | null;
  neverEraseYoungerThanMs: number;
  holds: {
    /** Without word from the collector for longer than this, nothing is erased. */
    holdFreshnessMs: number;
    /** How long that may last; null = for ever. */
    deferAtMostMs: number | null;
    /** Copies of held recordings whose recorder deletes by itself. */
    vault: VaultConfig;
  };
  /** Cron, five fields, in the site's time zone. */
  schedule: { sweep: string; selfAudit: string; inventory: string };
  /** `http://host:port`; null = none. */
  proxy: string | null;
}

export interface VaultConfig {
  /** Null: `vault` in the state directory. */
  path: string | null;
  /** Most bytes in it; null: as long as the volume keeps what `leaveHours` asks for. */
  quotaBytes: number | null;
  /** Hours of recording that copying leaves free on its volume. */
  leaveHours: number;
  /** Bytes read a second. */
  ratePerSecond: number;
}

const MAX_SOURCES = 64;
const MAX_LEAVE_HOURS = 8760;

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

const telemetry = z.strictObject({
  every: duration('60s', 10 * SECOND_MS, DAY_MS).default(60 * SECOND_MS),
  notify: words(['audit', 'all', 'none']).default('audit'),
});

function size(example: string, min: number) {
  return z.string({ error: `expected a size such as ${example}` }).transform((text, context) => {
    const bytes = sizeBytes(text);
    if (bytes !== null && bytes >= min) return bytes;
    const least = `expected at least ${min / 1e6} MB, such as ${example}`;
    context.addIssue({
      code: 'custom',
      message: bytes === null ? `expected a size such as ${example}` : least,
    });
    return z.NEVER;
  });
}

const vault = z.strictObject({
  path: z
    .string({ error: 'expected a path or null' })
    .refine(isAbsolutePath, { error: 'expected an absolute path' })
    .nullable()
    .default(null),
  quota: size('500 GB', 1e6).nullable().default(null),
  leaveHours: z
    .int({ error: 'expected whole hours' })
    .min(0, { error: 'expected 0 or more' })
    .max(MAX_LEAVE_HOURS, { error: `expected at most ${MAX_LEAVE_HOURS}` })
    .default(6),
  ratePerSecond: size('20 MB', 1e6).default(20e6),
});

const holds = z.strictObject({
  holdFreshness: duration('24h', HOUR_MS, 30 * DAY_MS).default(24 * HOUR_MS),
  deferAtMost: z
    .literal('never')
    .transform(() => null)
    .or(duration('30d, or never', DAY_MS, 3650 * DAY_MS))
    .default(null),
  vault: z.preprocess((value) => value ?? {}, vault),
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
      z.discriminatedUnion(
        'type',
        [
          VARIANTS.teamviewer,
          VARIANTS.sshd,
          VARIANTS.anydesk,
          VARIANTS.rustdesk,
          VARIANTS.rdp,
          VARIANTS.declared,
          VARIANTS.csv,
          VARIANTS.recordings,
        ],
        { error: `expected a source with type: ${SOURCE_TYPES.join(', ')}` },
      ),
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
  if (first === 'holds') return Object.keys(place[1] === 'vault' ? vault.shape : holds.shape);
  if (first === 'schedule') return Object.keys(schedules.shape);
  return first === 'sources' ? sourceKeys(place.slice(1), type) : [];
}
