/** From the files of a tool to the pumps that read them. */
import type { Random, SourceId } from '../../protocol/ids.ts';
import { type Clock, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentLog } from '../log.ts';
import { type Beside, Pump, type PumpJournal, type PumpOptions } from '../pump.ts';
import { PumpChain } from '../pump-chain.ts';
import type { Known, LineReader, MakeReader } from '../sources/change.ts';
import type { Feed } from '../sources/feed.ts';
import { Follower, type FollowState } from '../sources/follow.ts';
import type { FollowFaults } from '../sources/follow-disk.ts';
import { isCompleteRow, isTornRow, parseConnectionRow } from '../sources/teamviewer.ts';
import {
  isCompleteOutgoingRow,
  isTornOutgoingRow,
  parseOutgoingRow,
} from '../sources/teamviewer-outgoing.ts';
import type { AgentIdentity } from '../types.ts';
import { SessionBook } from './book.ts';
import type { Told } from './drafts.ts';
import { type LogFinding, LogPart } from './log-part.ts';
import type { Part } from './part.ts';
import { RowsPart } from './rows-part.ts';

/** One file of a tool. */
export interface ToolFile {
  source: SourceId;
  path: string;
  /** What events call it. */
  word: string;
}

/** A tool as it is read on this machine. */
export interface Tool {
  type: Told['tool'];
  startFrom: 'now' | 'beginning';
  /** Whose sessions are recorded; null: everybody's. */
  matches: ((known: Known) => boolean) | null;
  /** Of `match: listed`: nobody is, so nothing is recorded. */
  listsNobody?: true;
  /** Logs, each with what reads its lines; the first ones are read first. */
  logs: (ToolFile & { reader: MakeReader; feed?: (state: FollowState | null) => Feed })[];
  /** Of TeamViewer: rows about sessions that have ended, by direction. */
  rows: (ToolFile & { direction: 'incoming' | 'outgoing' })[];
}

export interface ThisMachine {
  /** IANA zone. */
  zone: string;
  /** Addresses of its adapters. */
  ownIps: readonly string[];
  /** Milliseconds since it was started. */
  uptimeMs: () => number;
}

export interface ChainDeps {
  journal: PumpJournal;
  clock: Clock;
  log: AgentLog;
  random: Random;
  mode: AgentIdentity['mode'];
  digestKey: Buffer;
  enrolledAt: UtcMs;
  /** What ended before it is not read (`bounds.ts`); absent: everything is. */
  readFrom?: (() => UtcMs | null) | undefined;
  machine: ThisMachine;
  faults?: FollowFaults | undefined;
  onCaughtUp?: (() => void) | undefined;
  /** True: nothing is read any more (M1). */
  over?: (() => boolean) | undefined;
  /** Something about a source that an auditor should know; told once. */
  found: (source: SourceId, tool: Told['tool'], finding: LogFinding) => void;
  /** What a tool calls this machine. */
  own?: ((source: SourceId, tool: Told['tool'], id: string) => void) | undefined;
}

export function chainOf(deps: ChainDeps, tool: Tool): PumpChain {
  const books = tool.logs.map((file) => bookOf(deps, tool, file));
  const logs = tool.logs.map((file, i) => {
    const book = books[i] as SessionBook;
    const reader = (): LineReader => file.reader({ ...deps.machine, near: () => deps.clock.now() });
    const part = new LogPart({
      book,
      reader,
      clock: deps.clock,
      bootedAt: () => utcMs(deps.clock.now() - deps.machine.uptimeMs()),
      found: (finding) => deps.found(file.source, tool.type, finding),
      own: (id) => deps.own?.(file.source, tool.type, id),
    });
    return pumpOf(deps, tool, file, part, file.feed === undefined ? {} : { feed: file.feed });
  });
  const [book = null] = books;
  const rows = tool.rows.map((file) =>
    pumpOf(deps, tool, file, rowsOf(deps, tool, file, book), { beside: logs }),
  );
  return new PumpChain({ clock: deps.clock, onCaughtUp: deps.onCaughtUp, over: deps.over }, [
    ...logs,
    ...rows,
  ]);
}

function bookOf(
  { random, mode, enrolledAt, readFrom = () => null }: ChainDeps,
  tool: Tool,
  { source, word }: ToolFile,
): SessionBook {
  return new SessionBook({
    ...{ source, tool: tool.type, mode, word, random, readFrom },
    matches: tool.matches ?? (() => true),
    enrolledAt: tool.startFrom === 'now' ? enrolledAt : null,
    rows: tool.rows.map(({ direction }) => direction),
  });
}

function rowsOf(
  { random, mode, enrolledAt, readFrom = () => null }: ChainDeps,
  tool: Tool,
  { source, path, direction }: Tool['rows'][number],
  book: SessionBook | null,
): RowsPart {
  const form =
    direction === 'incoming'
      ? { parse: parseConnectionRow, isComplete: isCompleteRow, isTorn: isTornRow }
      : { parse: parseOutgoingRow, isComplete: isCompleteOutgoingRow, isTorn: isTornOutgoingRow };
  return new RowsPart({
    ...form,
    ...{ source, path, mode, direction, random, book, readFrom },
    enrolledAt: tool.startFrom === 'now' ? enrolledAt : null,
  });
}

function pumpOf(
  { journal, clock, log, digestKey, enrolledAt, faults }: ChainDeps,
  tool: Tool,
  { source, path }: ToolFile,
  part: Part,
  { feed, beside = [] }: { feed?: (state: FollowState | null) => Feed; beside?: readonly Beside[] },
): Pump {
  const follow: PumpOptions['feed'] = (state) =>
    new Follower({
      ...{ path, clock, key: digestKey, state },
      isComplete: (text) => part.isComplete(text),
      isTorn: (text) => part.isTorn(text),
      ...(faults === undefined ? {} : { faults }),
    });
  return new Pump({
    ...{ journal, source, type: tool.type, part, clock, digestKey, log },
    feed: feed ?? follow,
    beside,
    start: { startFrom: tool.startFrom, enrolledAt },
  });
}
