/** The types of `source test` that have a reader: which one a file of each is for. */
import { readerOf } from './registry.ts';

/** As `readerOf` takes it. */
export interface Choice {
  type: string;
  part: string | null;
}

type Choose = (name: string) => Choice;

const only = (type: string, part: string | null = null): Choose => {
  const choice = { type, part };
  return () => choice;
};

/** By the name of the type; a tool with several kinds of files is told apart by the file's name. */
const TYPES: Readonly<Record<string, Choose>> = {
  'teamviewer-log': only('teamviewer', 'logfile'),
  sshd: only('sshd'),
  anydesk: (name) => ({
    type: 'anydesk',
    part: /^connection_trace/i.test(name) ? 'connection-trace' : 'trace',
  }),
  rustdesk: only('rustdesk'),
  rdp: only('rdp'),
  declared: only('declared'),
  csv: only('csv'),
};

/** Null: no such type. */
export function choiceOf(type: string, file: string): Choice | null {
  const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  return (Object.hasOwn(TYPES, type) ? TYPES[type]?.(name) : undefined) ?? null;
}

/** Types that this version has a reader for; those that want a declaration are among them. */
export async function knownTypes(): Promise<string[]> {
  const known: string[] = [];
  for (const type of Object.keys(TYPES)) {
    const { type: tool, part } = choiceOf(type, '') ?? { type, part: null };
    if (NEED_SPEC.includes(type) || (await readerOf(tool, part)) !== null) known.push(type);
  }
  return known;
}

/** Types whose lines are read by a declaration. */
export const NEED_SPEC: readonly string[] = ['declared', 'csv'];
