/** The sources that `agent.yaml` can name, each with its own keys. Null stands for: as found on this machine. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { DAY_MS, SECOND_MS } from '../protocol/time.ts';
import { isZone } from '../protocol/zone.ts';
import { durationMs, isAbsolutePath, isNetwork } from './config-values.ts';
import { layoutProblem, mayErase } from './recordings/layouts/index.ts';
import { SHIPPED_SPECS } from './sources/declared-shipped.ts';

interface From {
  /** `now` passes over what was in the file before the source was added. */
  startFrom: 'now' | 'beginning';
}

/** Whose sign-ins are told of. Has to be said: most sign-ins of a server are its owner's business. */
interface Matching {
  match: 'listed' | 'all';
  /** Null: nobody is listed here. */
  listed: Listed | null;
}

export interface Listed {
  accounts: string[];
  /** Fingerprints, `SHA256:…`. */
  keys: string[];
  /** Networks or single addresses. */
  networks: string[];
}

export interface TeamviewerSource extends From {
  type: 'teamviewer';
  /** Absolute paths. */
  connectionsIncoming: string | null;
  connections: string | null;
  logfile: string | null;
}
export interface SshdSource extends From, Matching {
  type: 'sshd';
  path: string | null;
}
export interface AnydeskSource extends From {
  type: 'anydesk';
  trace: string | null;
  connections: string | null;
}
export interface RustdeskSource extends From {
  type: 'rustdesk';
  logfile: string | null;
}
export interface RdpSource extends From, Matching {
  type: 'rdp';
}
export interface DeclaredSource extends From {
  type: 'declared';
  /** Path of a declaration, or the name of one that is shipped. */
  spec: string;
  /** Instead of the files that the declaration names. */
  path: string | null;
}
export interface CsvSource extends From {
  type: 'csv';
  spec: string;
  path: string;
}
/** A root that a recorder writes to. */
export interface RecordingsSource {
  type: 'recordings';
  root: string;
  /** Name of a layout, or a pattern. */
  layout: string;
  timeZone: string;
  /** Milliseconds; null: as the layout says. */
  longestSegment: number | null;
  mode: 'report' | 'erase';
  /** The recorder erases by itself: what a hold covers is copied to the vault. Null: where mode is report. */
  recorderDeletes?: boolean | null;
}
export type SourceConfig =
  | TeamviewerSource
  | SshdSource
  | AnydeskSource
  | RustdeskSource
  | RdpSource
  | DeclaredSource
  | CsvSource;

const MAX_LISTED = 1_000;
const MAX_SEGMENT_MS = 7 * DAY_MS;

function isSegment(text: string): boolean {
  const ms = durationMs(text);
  return ms !== null && ms >= SECOND_MS && ms <= MAX_SEGMENT_MS;
}

export const words = <const T extends readonly string[]>(list: T) =>
  z.enum(list, { error: `expected one of: ${list.join(', ')}` });

const someFile = z
  .string({ error: 'expected a path' })
  .refine(isAbsolutePath, { error: 'expected an absolute path' });
const path = someFile.nullable().default(null);
const startFrom = words(['now', 'beginning']).default('now');
const match = words(['listed', 'all']);

const list = (what: string, fits: (text: string) => boolean) =>
  z
    .array(z.string({ error: `expected ${what}` }).refine(fits, { error: `expected ${what}` }), {
      error: `expected a list: each ${what}`,
    })
    .max(MAX_LISTED, { error: `expected at most ${MAX_LISTED}` })
    .default([]);

const listedLists = z.strictObject({
  accounts: list('the name of an account', (text) => text.length > 0 && text.length <= 256),
  keys: list('a fingerprint such as SHA256:… (43 characters)', (text) =>
    /^SHA256:[A-Za-z0-9+/]{43}$/.test(text),
  ),
  networks: list(
    'an address or a network such as 198.51.100.0/24',
    (text) => isIP(text) !== 0 || isNetwork(text),
  ),
});
const listed = listedLists.nullable().default(null);

const spec = z.string({ error: 'expected the path of a declaration' }).refine(isSpec, {
  error: `expected an absolute path, or one of: ${SHIPPED_SPECS.join(', ')}`,
});

function isSpec(text: string): boolean {
  return isAbsolutePath(text) || (SHIPPED_SPECS as readonly string[]).includes(text);
}

export const VARIANTS = {
  teamviewer: z.strictObject({
    type: z.literal('teamviewer'),
    connectionsIncoming: path,
    connections: path,
    logfile: path,
    startFrom,
  }),
  sshd: z.strictObject({ type: z.literal('sshd'), path, match, listed, startFrom }),
  anydesk: z.strictObject({ type: z.literal('anydesk'), trace: path, connections: path, startFrom }),
  rustdesk: z.strictObject({ type: z.literal('rustdesk'), logfile: path, startFrom }),
  rdp: z.strictObject({ type: z.literal('rdp'), match, listed, startFrom }),
  declared: z.strictObject({ type: z.literal('declared'), spec, path, startFrom }),
  csv: z.strictObject({ type: z.literal('csv'), spec, path: someFile, startFrom }),
  recordings: z
    .strictObject({
      type: z.literal('recordings'),
      root: someFile,
      layout: z
        .string({ error: 'expected the name of a layout or a pattern' })
        .min(1)
        .max(1024)
        .superRefine((text, context) => {
          const problem = layoutProblem(text);
          if (problem !== null) context.addIssue({ code: 'custom', message: problem });
        }),
      timeZone: z
        .string({ error: 'expected a time zone such as UTC' })
        .max(64)
        .refine(isZone, { error: 'expected a zone of the tz database, such as UTC or Europe/Copenhagen' })
        .default('UTC'),
      longestSegment: z
        .string({ error: 'expected a duration such as 15m, or null' })
        .refine(isSegment, { error: 'expected 1s to 7d, such as 15m' })
        .transform((text) => durationMs(text))
        .nullable()
        .default(null),
      mode: words(['report', 'erase']).default('report'),
      recorderDeletes: z.boolean({ error: 'expected true, false or null' }).nullable().default(null),
    })
    .superRefine(({ layout, mode }, context) => {
      if (mode === 'report' || layoutProblem(layout) !== null || mayErase(layout)) return;
      const message = 'this recorder keeps its recordings in a ring or a database: use mode: report';
      context.addIssue({ code: 'custom', path: ['mode'], message });
    }),
};
export const SOURCE_TYPES = Object.keys(VARIANTS);

/** The keys of a source, or of the list in one; `place` is below `sources`. */
export function sourceKeys(place: readonly PropertyKey[], type: unknown): string[] {
  if (typeof type !== 'string' || !Object.hasOwn(VARIANTS, type)) return [];
  if (place[1] === 'listed') return Object.keys(listedLists.shape);
  return Object.keys(VARIANTS[type as keyof typeof VARIANTS].shape);
}

/** What is said of a source that `listsNobody`, wherever sources are shown. */
export const NOBODY_LISTED = 'match: listed, and nobody is listed: nothing is recorded';

/** R70: `match: listed` with no list, or with empty ones, records nothing at all: a slip, and never told as quiet. */
export function listsNobody(source: SourceConfig): boolean {
  if (!('match' in source) || source.match === 'all') return false;
  const { accounts, keys, networks } = source.listed ?? { accounts: [], keys: [], networks: [] };
  return accounts.length + keys.length + networks.length === 0;
}

/** The files that a source names; none: those that are found, or those of its declaration. */
export function namedFiles(source: SourceConfig): string[] {
  const given = (...files: (string | null)[]) => files.filter((file) => file !== null);
  switch (source.type) {
    case 'teamviewer':
      return given(source.connectionsIncoming, source.connections, source.logfile);
    case 'anydesk':
      return given(source.trace, source.connections);
    case 'rustdesk':
      return given(source.logfile);
    case 'rdp':
      return [];
    case 'sshd':
    case 'declared':
    case 'csv':
      return given(source.path);
  }
}

/** What a source reads, as texts that are equal where the file is the same. */
export function filesOf(source: SourceConfig): string[] {
  const files = namedFiles(source);
  if (source.type === 'declared' && files.length === 0) return [`spec:${source.spec}`];
  // Without the file of its rows, a TeamViewer source looks for it.
  const looks = source.type === 'teamviewer' ? source.connectionsIncoming === null : files.length === 0;
  return looks ? [...files, `detected:${source.type}`] : files;
}

/** By itself unless somebody said otherwise: whoever left the erasing to the recorder has one that erases (R5). */
export function recorderDeletes({
  mode,
  recorderDeletes: said,
}: Pick<RecordingsSource, 'mode' | 'recorderDeletes'>): boolean {
  return said ?? mode === 'report';
}
