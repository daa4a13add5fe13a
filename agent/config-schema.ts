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
import { durationMs, isSchedule, proxyProblem } from './config-values.ts';

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
  };
  /** Cron, five fields, in the site's time zone. */
  schedule: { sweep: string; selfAudit: string; inventory: string };
  /** `http://host:port`; null = none. */
  proxy: string | null;
}

const MAX_SOURCES = 64;

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
  if (first === 'holds') return Object.keys(holds.shape);
  if (first === 'schedule') return Object.keys(schedules.shape);
  return first === 'sources' ? sourceKeys(place.slice(1), type) : [];
}
