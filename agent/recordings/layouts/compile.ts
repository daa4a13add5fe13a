/**
 * From a layout's declaration to the layout: patterns are split at their last slash, so that a folder's fields are
 * read once and only names are looked at for each file.
 *
 * R4  Only what matches a declared pattern whole is a recording; everything else is unknown, whatever it ends in.
 */
import { HOUR_MS, type UtcMs } from '../../../protocol/time.ts';
import { zoneOffsetMs } from '../../../protocol/zone.ts';
import type { ByteName, FolderReading, FolderSays, Layout, LayoutZone, PathSays } from '../types.ts';
import { expressionOf, type Fields, fieldsOf, type Piece, piecesOf } from './tokens.ts';
import { whenOf } from './when.ts';

/** A layout as data. Patterns are paths below the root; see `tokens.ts`. */
export interface LayoutSpec {
  name: string;
  title: string;
  zone: LayoutZone;
  longestSegmentMs: number;
  erasable: boolean;
  /** Recordings; the first that fits counts. */
  recordings: readonly string[];
  /** Recordings whose path states no time. */
  untimed?: readonly string[];
  inFlight?: readonly string[];
  /** What the recorder needs, and beside-files that go and come with its own rules. */
  recorder?: readonly string[];
  /** Copies and derivatives with no retention here. */
  stray?: readonly string[];
  examples: readonly string[];
}

/** As `root.ts` writes it. */
const MARKER = '.tilsyn-source';

const KINDS = ['recorder', 'inFlight', 'recordings', 'untimed', 'stray'] as const;
type Kind = (typeof KINDS)[number];

interface Pattern {
  kind: Kind;
  /** For each part of the folder: its name, or that of one above it, states a time. */
  dated: boolean[];
  /** Expressions for the first n parts of the folder, n from 1; the last one is for the whole folder. */
  steps: RegExp[];
  folder: Piece[];
  whole: RegExp;
  name: RegExp;
  /** Fields that the name states. */
  named: readonly string[];
  /** Folder parts vary in number: a camera's name with slashes. */
  open: boolean;
}

/** @param site zone that local paths are read in @throws Error where a pattern holds an unknown token */
export function compileLayout(spec: LayoutSpec, site: string): Layout {
  const patterns = KINDS.flatMap((kind) => (spec[kind] ?? []).map((text) => compile(kind, text)));
  const { name, title, zone, longestSegmentMs, erasable, examples } = spec;
  const context = { zone, site };
  return {
    ...{ name, title, zone, longestSegmentMs, erasable, examples },
    folder: (path) => readFolder(patterns, path, context),
    hot: (from, to, cameras) => hotFolders(patterns, from, to, cameras, context),
  };
}

function compile(kind: Kind, text: string): Pattern {
  const cut = splitAt(text);
  const folder = piecesOf(cut.folder);
  const parts = partsOf(cut.folder).map(piecesOf);
  const steps = parts.map((_, at) => expressionOf(parts.slice(0, at + 1).flatMap(joined)));
  const name = piecesOf(cut.name);
  return {
    kind,
    dated: parts.map((_, at) =>
      [...fieldsOf(parts.slice(0, at + 1).flat())].some((field) => DATED.has(field)),
    ),
    steps,
    folder,
    whole: expressionOf(folder),
    name: expressionOf(name),
    named: [...fieldsOf(name)],
    open: cut.folder.includes('{camera/}'),
  };
}

const SLASH_IN_TOKEN = '{camera/}';

/** A slash inside a token is none. */
function splitAt(text: string): { folder: string; name: string } {
  const masked = text.replaceAll(SLASH_IN_TOKEN, '{camera_}');
  const at = masked.lastIndexOf('/');
  const whole = (part: string) => part.replaceAll('{camera_}', SLASH_IN_TOKEN);
  return { folder: whole(masked.slice(0, Math.max(0, at))), name: whole(masked.slice(at + 1)) };
}

function partsOf(folder: string): string[] {
  if (folder === '') return [];
  const parts = folder.replaceAll(SLASH_IN_TOKEN, '{camera_}').split('/');
  return parts.map((part) => part.replaceAll('{camera_}', SLASH_IN_TOKEN));
}

function joined(pieces: Piece[], at: number): Piece[] {
  return at === 0 ? pieces : [{ text: '/' }, ...pieces];
}

interface ReadContext {
  zone: LayoutZone;
  site: string;
}

interface Fit {
  pattern: Pattern;
  fields: Fields;
}

const SAYS: Readonly<Record<Kind, FolderSays>> = {
  recordings: 'recordings',
  untimed: 'recordings',
  inFlight: 'recordings',
  recorder: 'recorder',
  stray: 'stray',
};

function readFolder(
  patterns: readonly Pattern[],
  path: readonly ByteName[],
  context: ReadContext,
): FolderReading {
  const joinedPath = path.join('/');
  const fits = patterns.flatMap((pattern): Fit[] => {
    const found = pattern.whole.exec(joinedPath);
    // A plain object: it is copied for each file.
    return found === null ? [] : [{ pattern, fields: { ...found.groups } }];
  });
  const kinds = new Set(fits.map(({ pattern }) => SAYS[pattern.kind]));
  const above = patterns.some((pattern) => leadsTo(pattern, path));
  return {
    is: folderSays(kinds, above || path.length === 0),
    dated: patterns.some((pattern) => isDated(pattern, path)),
    // Our own marker lies in each root.
    file: (name) =>
      path.length === 0 && name === MARKER ? { is: 'recorder' } : readFile(fits, name, context),
  };
}

/** On the way to a recording: what else the folder is does not close the way. */
function folderSays(kinds: ReadonlySet<FolderSays>, above: boolean): FolderSays {
  if (kinds.has('recordings')) return 'recordings';
  if (above) return 'above';
  return kinds.has('stray') ? 'stray' : kinds.has('recorder') ? 'recorder' : 'unknown';
}

const DATED = new Set(['year', 'shortYear', 'month', 'day', 'hour', 'minute', 'second']);

/** Whether this path states a time, in a pattern that it fits or leads to. */
function isDated({ kind, steps, dated, open }: Pattern, path: readonly ByteName[]): boolean {
  const at = path.length - 1;
  return kind === 'recordings' && !open && dated[at] === true && steps[at]?.test(path.join('/')) === true;
}

/** Whether folders below `path` can match. */
function leadsTo({ steps, open, whole }: Pattern, path: readonly ByteName[]): boolean {
  if (open) return !whole.test(path.join('/')) || path.length < 8;
  const step = path.length < steps.length ? steps[path.length - 1] : undefined;
  return step?.test(path.join('/')) === true;
}

function readFile(fits: readonly Fit[], name: ByteName, context: ReadContext): PathSays {
  for (const { pattern, fields } of fits) {
    const found = pattern.name.exec(name);
    if (found === null) continue;
    const all = together(fields, pattern.named, found.groups);
    if (all === null) continue;
    const says = saysOf(pattern.kind, all, context);
    if (says !== null) return says;
  }
  return { is: 'unknown' };
}

/** All that folder and name say; null: a field that stands in both says something else in each. Runs for each file. */
function together(
  folder: Fields,
  named: readonly string[],
  name: Record<string, string> | undefined,
): Fields | null {
  if (name === undefined) return folder;
  const all: Record<string, string | undefined> = { ...folder };
  for (const field of named) {
    const text = name[field];
    if ((folder[field] ?? text) !== text) return null;
    all[field] = text;
  }
  return all;
}

function saysOf(kind: Kind, fields: Fields, { zone, site }: ReadContext): PathSays | null {
  if (kind === 'recorder') return { is: 'recorder' };
  if (kind === 'inFlight') return { is: 'in-flight' };
  if (kind === 'stray') return { is: 'stray' };
  const camera = cameraOf(fields);
  if (kind === 'untimed') return { is: 'untimed', camera };
  const when = whenOf(fields, zone, site);
  return when === null ? null : { is: 'recording', camera, ...when };
}

function cameraOf({ device, camera }: Fields): ByteName {
  if (device === undefined) return camera ?? '';
  return camera === undefined ? device : `${device}/${camera}`;
}

/** Most steps of an hour that hot folders are told for. */
const MAX_HOURS = 72;
/** A path of the folder can be written from a time and a camera alone. */
const WRITABLE = new Set(['year', 'shortYear', 'month', 'day', 'hour', 'camera']);

function hotFolders(
  patterns: readonly Pattern[],
  from: UtcMs,
  to: UtcMs,
  cameras: readonly ByteName[],
  { zone, site }: ReadContext,
): ByteName[] | null {
  const able = patterns.filter(({ kind, folder }) => kind === 'recordings' && isWritable(folder));
  const wanted = patterns.filter(({ kind }) => kind === 'recordings');
  if (able.length < wanted.length || wanted.length === 0) return null;
  const folders = new Set<ByteName>();
  const hours = Math.min(MAX_HOURS, Math.ceil((to - from) / HOUR_MS) + 1);
  for (let hour = 0; hour <= hours; hour++) {
    const at = Math.min(to, from + hour * HOUR_MS);
    const wall = zone === 'site' ? at + zoneOffsetMs(at, site) : at;
    for (const { folder } of able) {
      const named = fieldsOf(folder).has('camera') ? cameras : [''];
      for (const camera of named) folders.add(writeFolder(folder, wall, camera));
    }
  }
  return [...folders];
}

function isWritable(folder: readonly Piece[]): boolean {
  const able = folder.every((piece) => {
    if ('text' in piece) return true;
    return 'name' in piece ? piece.name.startsWith('camera') : piece.time !== 'v' && piece.time !== 'q';
  });
  return able && [...fieldsOf(folder)].every((field) => WRITABLE.has(field));
}

function writeFolder(folder: readonly Piece[], wall: number, camera: ByteName): ByteName {
  const [date = '', time = ''] = new Date(wall).toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  const written: Record<string, string> = {
    ...{ Y: year, y: year.slice(2), m: month, d: day, H: time.slice(0, 2), '%': '%' },
  };
  return folder
    .map((piece) => ('text' in piece ? piece.text : 'name' in piece ? camera : (written[piece.time] ?? '')))
    .join('');
}
