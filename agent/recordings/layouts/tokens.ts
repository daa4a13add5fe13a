/**
 * The tokens of a layout's pattern, and what each stands for in a path. Names are byte strings (one character per
 * byte), so that every pattern here is one of bytes.
 */

/** What a path says of time and place, as text. */
export type Fields = Readonly<Record<string, string | undefined>>;

interface Token {
  /** Source of a regular expression without named groups. */
  source: string;
  /** Name of the group; null: it is matched and forgotten. */
  field: string | null;
}

const TIME: Readonly<Record<string, Token>> = {
  Y: { source: '\\d{4}', field: 'year' },
  y: { source: '\\d{2}', field: 'shortYear' },
  m: { source: '\\d{2}', field: 'month' },
  d: { source: '\\d{2}', field: 'day' },
  H: { source: '\\d{2}', field: 'hour' },
  M: { source: '\\d{2}', field: 'minute' },
  S: { source: '\\d{2}', field: 'second' },
  f: { source: '\\d{1,9}', field: 'fraction' },
  s: { source: '\\d{9,10}', field: 'epoch' },
  Q: { source: '\\d{13}', field: 'epochMs' },
  z: { source: '[+-]\\d{4}', field: 'offset' },
  // Of motion: the number of the event, and of the shot.
  v: { source: '\\d{1,12}', field: null },
  q: { source: '\\d{1,4}', field: null },
  '%': { source: '%', field: null },
};

const NAMED: Readonly<Record<string, Token>> = {
  camera: { source: '[^/]+', field: 'camera' },
  // A camera whose name holds slashes.
  'camera/': { source: '[^/]+(?:/[^/]+){0,7}', field: 'camera' },
  // Before the camera: together they name it (a recorder and its channel).
  device: { source: '[^/]+', field: 'device' },
  any: { source: '[^/]*', field: null },
  folder: { source: '[^/]+', field: null },
  n: { source: '\\d{1,12}', field: null },
  hex8: { source: '[0-9a-f]{8}', field: null },
  'camera-hex8': { source: '[0-9a-f]{8}', field: 'camera' },
  mac: { source: '[0-9A-F]{12}_\\d{1,2}', field: 'camera' },
  video: { source: '(?:mp4|mkv|mov|avi|webm|m4v|ts|flv|h264|h265)', field: null },
  'end-H': { source: '\\d{2}', field: 'endHour' },
  'end-M': { source: '\\d{2}', field: 'endMinute' },
  'end-S': { source: '\\d{2}', field: 'endSecond' },
};

export type Piece = { text: string } | { time: string } | { name: string };

/** Tokens of any length in one part of a path: more of them would make matching a hostile name slow. */
const MAX_LOOSE = 2;
const LOOSE = new Set(['camera', 'device', 'any', 'folder']);

/** Splits a pattern into its tokens. @throws Error, in words for whoever wrote it, where it holds an unknown one */
export function piecesOf(pattern: string): Piece[] {
  const pieces = split(pattern);
  let loose = 0;
  for (const piece of pieces) {
    if ('name' in piece && LOOSE.has(piece.name)) loose += 1;
    else if ('text' in piece && piece.text.includes('/')) loose = 0;
    if (loose > MAX_LOOSE) throw new Error(`more than ${MAX_LOOSE} tokens of any length between two slashes`);
  }
  return pieces;
}

function split(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  const token = /%(.)|\{([^{}/]*\/?)\}|([^%{}]+)|(.)/gsu;
  for (const [whole, time, name, text] of pattern.matchAll(token)) {
    if (text !== undefined) pieces.push({ text });
    else if (time !== undefined && Object.hasOwn(TIME, time)) pieces.push({ time });
    else if (name !== undefined && Object.hasOwn(NAMED, name)) pieces.push({ name });
    else throw new Error(`${whole} is no token: use ${known()}`);
  }
  return pieces;
}

function known(): string {
  return [...Object.keys(TIME).map((key) => `%${key}`), ...Object.keys(NAMED).map((key) => `{${key}}`)].join(
    ' ',
  );
}

/** A regular expression for these pieces, whole; a field that stands there twice has to say the same again. */
export function expressionOf(pieces: readonly Piece[]): RegExp {
  const seen = new Set<string>();
  const source = pieces.map((piece) => {
    if ('text' in piece) return piece.text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    const { source, field } = tokenOf(piece);
    if (field === null) return `(?:${source})`;
    if (seen.has(field)) return `\\k<${field}>`;
    seen.add(field);
    return `(?<${field}>${source})`;
  });
  return new RegExp(`^${source.join('')}$`, 's');
}

export function tokenOf(piece: { time: string } | { name: string }): Token {
  const token = 'time' in piece ? TIME[piece.time] : NAMED[piece.name];
  if (token === undefined) throw new Error('no token');
  return token;
}

/** Fields that these pieces state. */
export function fieldsOf(pieces: readonly Piece[]): Set<string> {
  const fields = pieces.map((piece) => ('text' in piece ? null : tokenOf(piece).field));
  return new Set(fields.filter((field) => field !== null));
}
