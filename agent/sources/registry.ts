/** Readers by the type of their source; each is loaded when it is needed. */
import type { MakeReader } from './change.ts';
import type { DeclaredSpec } from './declared-spec.ts';

/** What a reader is chosen by. */
export interface ReaderChoice {
  /** Type of the source, as in `agent.yaml`. */
  type: string;
  /** Which of the tool's files; null where there is one kind of them. */
  part: string | null;
  /** For `declared` and `csv`. */
  spec: DeclaredSpec | null;
}

type Load = (choice: ReaderChoice) => Promise<MakeReader | null>;

/** By `type`, or `type/part`. */
const READERS: Readonly<Record<string, Load>> = {
  'teamviewer/logfile': async () => (await import('./teamviewer-log.ts')).makeTeamviewerLogReader,
  sshd: async () => (await import('./sshd.ts')).makeSshdReader,
  'anydesk/trace': async () => (await import('./anydesk.ts')).makeAnydeskTraceReader,
  'anydesk/connection-trace': async () => (await import('./anydesk-rows.ts')).makeAnydeskConnectionReader,
  rustdesk: async () => (await import('./rustdesk.ts')).makeRustdeskReader,
  rdp: async () => (await import('./rdp.ts')).makeRdpReader,
  declared: async ({ spec }) =>
    spec?.format === 'lines' ? (await import('./declared.ts')).makeDeclaredReader(spec) : null,
  csv: async ({ spec }) =>
    spec?.format === 'csv' ? (await import('./csv-report.ts')).makeCsvReader(spec) : null,
};

/** Null where this version has no such reader. */
export async function readerOf(
  type: string,
  part: string | null,
  spec: DeclaredSpec | null = null,
): Promise<MakeReader | null> {
  const name = part === null ? type : `${type}/${part}`;
  const load = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  return (await load?.({ type, part, spec })) ?? null;
}
