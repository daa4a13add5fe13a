/** Windows' event logs as `wevtutil` shows them: answers the queries that the feed asks, and can be broken. */
import { RDP_CHANNELS } from '../../../agent/sources/rdp-channels.ts';
import type { RunWevtutil } from '../../../agent/sources/rdp-feed.ts';
import { readWindowsEvent } from '../../../agent/sources/windows-event.ts';

interface Stored {
  record: number;
  at: string;
  xml: string;
}

export class FakeWindows {
  /** By channel name, oldest first. */
  readonly logs = new Map<string, Stored[]>(RDP_CHANNELS.map(({ name }) => [name, []]));
  readonly asked: string[][] = [];
  /** Exit codes by channel, instead of an answer. */
  readonly codes = new Map<string, number>();
  /** What happens to each output. */
  mangle: (stdout: string, args: readonly string[]) => string = (stdout) => stdout;
  /** Before each answer. */
  before: (args: readonly string[]) => void = () => undefined;
  readonly #next = new Map<string, number>();

  /** Writes an event made by a fixture: it gets the next number of its log. */
  write(make: (record: number) => string): number {
    const channel = readWhole(make(1)).channel;
    const record = this.#next.get(channel) ?? 1;
    this.#next.set(channel, record + 1);
    const xml = make(record);
    this.logs.get(channel)?.push({ record, at: new Date(readWhole(xml).at).toISOString(), xml });
    return record;
  }

  /** Windows goes on counting after a log was cleared; a new file begins at one. */
  clear(channel: string, renumber = false): void {
    this.logs.set(channel, []);
    if (renumber) this.#next.delete(channel);
  }

  /** The log is full: the oldest go. */
  rotate(channel: string, keep: number): void {
    this.logs.set(channel, (this.logs.get(channel) ?? []).slice(-keep));
  }

  readonly run: RunWevtutil = (args) => {
    this.asked.push([...args]);
    this.before(args);
    const channel = args[1] ?? '';
    const code = this.codes.get(channel) ?? 0;
    const stdout = code === 0 ? this.#answer(channel, args) : '';
    return Promise.resolve({ code, stdout: this.mangle(stdout, args) });
  };

  #answer(channel: string, args: readonly string[]): string {
    const max = Number(args.find((arg) => arg.startsWith('/c:'))?.slice(3));
    const query = args.find((arg) => arg.startsWith('/q:'));
    const log = this.logs.get(channel) ?? [];
    const ordered = args.includes('/rd:true') ? log.toReversed() : log;
    const found = query === undefined ? ordered : ordered.filter((one) => matches(one, query));
    return found
      .slice(0, max)
      .map(({ xml }) => `${xml}\r\n`)
      .join('');
  }
}

/** As much of XPath as the feed writes. */
function matches({ record, at, xml }: Stored, query: string): boolean {
  const numbers = (pattern: RegExp) => [...query.matchAll(pattern)].map((found) => Number(found[1]));
  if (numbers(/EventRecordID=(\d+)/g).includes(record)) return true;
  const [after = 0] = numbers(/EventRecordID>(\d+)/g);
  const [before = 0] = numbers(/EventRecordID<(\d+)/g);
  const since = /@SystemTime>='([^']+)'/.exec(query)?.[1];
  if (record <= after || record >= before || (since !== undefined && at < since)) return false;
  const { id, values } = readWhole(xml);
  if (!numbers(/EventID=(\d+)/g).includes(id)) return false;
  const type = values.get('LogonType');
  return type === undefined || !query.includes('LogonType') || type === '10' || type === '7';
}

function readWhole(xml: string) {
  const event = readWindowsEvent(xml);
  if (event === null || typeof event === 'string') throw new Error('a fixture that is no event');
  return event;
}
