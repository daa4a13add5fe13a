/**
 * Laws: read from the comments that define them, written into `docs/design/invariants.md`.
 * `node test/house/write-docs.ts` brings the page up to date; `docs.test.ts` compares.
 *
 * Z5  The pages under docs/design and docs/guide say what the code says: events, laws, errors, commands.
 */
import { codeOnly, readText, type SourceFile } from './tree.ts';

export interface Law {
  number: string;
  text: string;
  /** Where it is stated. */
  file: string;
}

const FIRST = /^\s*(?:\*|\/\/)\s+([A-Z]\d(?=\s\s)|[A-Z]\d\d)\s+(\S.*?)\s*(?:\*\/)?$/;
const MORE = /^\s*(?:\*|\/\/)\s{5,}(\S.*?)\s*(?:\*\/)?$/;

/** Laws stated in comments: `* X1  text`, further lines indented below it. */
export function lawsIn(file: SourceFile): Law[] {
  const laws: Law[] = [];
  let open: Law | null = null;
  for (const line of file.text.split('\n')) {
    const [, number, text] = FIRST.exec(line) ?? [];
    if (number !== undefined && text !== undefined) {
      open = { number, text, file: file.path };
      laws.push(open);
      continue;
    }
    const more = MORE.exec(line)?.[1];
    if (open !== null && more !== undefined) open.text += ` ${more}`;
    else open = null;
  }
  return laws;
}

/** Laws that pages under docs/design define: `**D1** text`. */
export function lawsDefined(page: string): string[] {
  return [...page.matchAll(/\*\*([A-Z]\d{1,2})\*\*/g)].map(([, number]) => number ?? '');
}

const CITED = /(['"`])((?:[A-Z]\d{1,2}(?:, | and |[ ,:–]+))+)|\(([A-Z]\d{1,2}(?:, ?[A-Z]\d{1,2})*)\)/g;

/** Law numbers that a test's titles begin with, or name in brackets. */
export function citedIn(file: SourceFile): string[] {
  const found = new Set<string>();
  for (const [match] of codeOnly(file.text).matchAll(CITED))
    for (const [number] of match.matchAll(/[A-Z]\d{1,2}/g)) found.add(number);
  return [...found].sort(byNumber);
}

export function byNumber(a: string, b: string): number {
  const [x, y] = [a.charCodeAt(0) - b.charCodeAt(0), Number(a.slice(1)) - Number(b.slice(1))];
  return x === 0 ? y : x;
}

interface KnownLaw {
  number: string;
  text: string;
  files: string[];
}

/** One entry per law: the same words may stand at more than one place that keeps it. */
export function byText(laws: readonly Law[]): Map<string, KnownLaw> {
  const known = new Map<string, KnownLaw>();
  for (const { number, text, file } of [...laws].sort((a, b) => byNumber(a.number, b.number))) {
    const key = `${number} ${text}`;
    const entry = known.get(key) ?? { number, text, files: [] };
    known.set(key, { ...entry, files: [...entry.files, file].sort() });
  }
  return known;
}

/** The folder that a law's number belongs to: `collector/ingest`. */
export function roomOf(law: Law): string {
  return law.file.slice(0, law.file.lastIndexOf('/'));
}

function byRoom(laws: readonly Law[]): Map<string, Law[]> {
  const rooms = new Map<string, Law[]>();
  for (const law of laws) rooms.set(roomOf(law), [...(rooms.get(roomOf(law)) ?? []), law]);
  return rooms;
}

/** Numbers that mean two different laws inside one room: `collector/ingest M1`. */
export function doubledNumbers(laws: readonly Law[]): string[] {
  return [...byRoom(laws)].flatMap(([room, mine]) => {
    const numbers = [...byText(mine).values()].map((law) => law.number);
    const twice = numbers.filter((number, i) => numbers.indexOf(number) !== i);
    return [...new Set(twice)].map((number) => `${room} ${number}`);
  });
}

function listed(paths: readonly string[]): string {
  return paths.map((path) => `\`${path}\``).join(', ');
}

/** A test holds the laws of the room that it lies beside, and those of protocol/, which every room shares. */
function mayHold(test: string, room: string): boolean {
  if (room === 'protocol') return true;
  const [first = ''] = room.split('/');
  const beside = test.replace(/^test\//, '');
  const shared = !['protocol/', 'agent/', 'collector/', 'cli/', 'house/'].some((own) =>
    beside.startsWith(own),
  );
  return shared || beside.startsWith(`${first}/`) || first === 'installers' || first === 'test';
}

/** The tables of `docs/design/invariants.md`, one per room: number, law, where it is stated, which tests hold it. */
export function lawTables(sources: readonly SourceFile[], tests: readonly SourceFile[]): string {
  const cites = tests.map((file) => ({ path: file.path, numbers: citedIn(file) }));
  const rooms = [...byRoom(sources.flatMap(lawsIn))].sort(([a], [b]) => (a < b ? -1 : 1));
  return rooms
    .map(([room, laws]) => {
      const rows = [...byText(laws).values()].map(({ number, text, files }) => {
        const holders = cites.filter((test) => test.numbers.includes(number) && mayHold(test.path, room));
        const cells = [
          `**${number}**`,
          text.replaceAll('|', '\\|'),
          listed(files),
          listed(holders.map((t) => t.path)) || '–',
        ];
        return `| ${cells.join(' | ')} |`;
      });
      return [`## ${room}/`, '', '| no. | law | stated in | tests |', '|---|---|---|---|', ...rows].join(
        '\n',
      );
    })
    .join('\n\n');
}

const START = '<!-- from the tree: node test/house/write-docs.ts -->';
const END = '<!-- end -->';

/** The part of a page between the marks. */
export function marked(page: string): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  return from === -1 || to === -1 ? '' : page.slice(from + START.length, to).trim();
}

export function withMarked(page: string, content: string): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from === -1 || to === -1) throw new Error('the page has no marks');
  return `${page.slice(0, from + START.length)}\n\n${content}\n\n${page.slice(to)}`;
}

export function readPage(name: string): string {
  return readText(`docs/${name}`);
}
