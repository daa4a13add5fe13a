/** `agent.yaml`: what this machine is watched for, and how. Strict (C5). */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import { nearest } from '../protocol/nearest.ts';
import { type AgentConfig, configSchema, keysAt } from './config-schema.ts';
import { filesOf, type RecordingsSource, SOURCE_TYPES, type SourceConfig } from './config-sources.ts';
import { dotted, isRecord, type Place, type Problem, readStrict, type Strict } from './strict-yaml.ts';

export { exampleConfig } from './config-example.ts';
export type { AgentConfig } from './config-schema.ts';
export type { RecordingsSource, SourceConfig, TeamviewerSource } from './config-sources.ts';

/**
 * Reads a configuration. `file` is named in messages only.
 * @throws TilsynError `config.invalid`, whose message lists all problems
 */
export function parseConfig(text: string, file: string): AgentConfig {
  let off = false;
  const { value } = readStrict(text, file, {
    ...STRICT,
    prepare(data) {
      off = isRecord(data) && (data.telemetry === 'off' || data.telemetry === false);
      return off ? { ...(data as object), telemetry: null } : data;
    },
  });
  return configOf(value, off);
}

const STRICT: Strict<typeof configSchema> = {
  schema: configSchema,
  keysAt(place, at) {
    const type = at([...place.slice(0, 2), 'type']);
    return keysAt(place, typeof type === 'string' ? meantType(type) : type);
  },
  mend: mendTypes,
  more: ({ sources }, lineOf) => [
    ...doubledFiles(sources ?? [], lineOf),
    ...doubledRoots(sources ?? [], lineOf),
  ],
  expected: 'expected settings such as "sources:"',
  refuse: (file, said) =>
    new TilsynError('config.invalid', `reading ${file}: ${said}`, {
      exit: 'usage',
      hint: 'Mend the lines named. Without a file the agent detects its sources and only reports.',
    }),
};

/**
 * A source whose type is misspelt is read as the type that was meant, so that everything else that is wrong in it
 * is said at the same time. It stays a problem: nothing is ever run on a guess.
 */
function mendTypes(data: unknown, lineOf: (place: Place) => number): Problem[] {
  const sources = isRecord(data) && Array.isArray(data.sources) ? data.sources : [];
  return sources.flatMap((source: unknown, index) => {
    const near = isRecord(source) && typeof source.type === 'string' ? meantType(source.type) : null;
    if (!isRecord(source) || near === null || near === source.type) return [];
    source.type = near;
    const place = ['sources', index, 'type'];
    const text = `expected one of: ${SOURCE_TYPES.join(', ')}; did you mean "${near}"?`;
    return [{ line: lineOf(place), text: `${dotted(place)}: ${text}` }];
  });
}

function meantType(typed: string): string | null {
  return SOURCE_TYPES.includes(typed) ? typed : nearest(typed, SOURCE_TYPES);
}

function configOf(data: z.output<typeof configSchema>, off: boolean): AgentConfig {
  const { sources, telemetry, holds, schedule, proxy } = data;
  const recordings = (sources ?? []).filter((source) => source.type === 'recordings');
  const tools = (sources ?? []).filter((source) => source.type !== 'recordings');
  return {
    // Roots are never detected: a list of nothing else says nothing about the tools of this machine.
    sources: sources === null || (tools.length === 0 && recordings.length > 0) ? null : tools,
    recordings,
    telemetry: off ? null : { everyMs: telemetry.every, notify: telemetry.notify },
    neverEraseYoungerThanMs: data.neverEraseYoungerThan,
    holds: {
      holdFreshnessMs: holds.holdFreshness,
      deferAtMostMs: holds.deferAtMost,
      vault: {
        path: holds.vault.path,
        quotaBytes: holds.vault.quota,
        leaveHours: holds.vault.leaveHours,
        ratePerSecond: holds.vault.ratePerSecond,
      },
    },
    schedule,
    proxy,
  };
}

/** One file read by two sources would count each session twice. */
function doubledFiles(
  sources: readonly (SourceConfig | RecordingsSource)[],
  lineOf: (place: Place) => number,
): Problem[] {
  const seen = new Set<string>();
  return sources.flatMap((source, index) => {
    const files = source.type === 'recordings' ? [] : filesOf(source);
    const doubled = files.some((file) => seen.has(file));
    for (const file of files) seen.add(file);
    return doubled
      ? [{ line: lineOf(['sources', index]), text: `sources[${index}]: another source reads the same file` }]
      : [];
  });
}

/** A recording under two roots would be catalogued, held and erased by two rules. */
function doubledRoots(
  sources: readonly (SourceConfig | RecordingsSource)[],
  lineOf: (place: Place) => number,
): Problem[] {
  const roots = sources.map((source) => (source.type === 'recordings' ? `${resolve(source.root)}/` : null));
  return roots.flatMap((root, index) => {
    const inside = (other: string | null) =>
      other !== null && (root?.startsWith(other) || other.startsWith(root ?? '\0'));
    if (root === null || !roots.slice(0, index).some(inside)) return [];
    return [
      {
        line: lineOf(['sources', index]),
        text: `sources[${index}]: its root lies in, or around, another one`,
      },
    ];
  });
}

/** What an agent without a file does: detect the sources, report, erase nothing. */
export const defaultConfig: AgentConfig = parseConfig('', 'the defaults');
