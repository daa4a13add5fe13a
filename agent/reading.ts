/**
 * Which sources are read: those of the configuration, or what is found on this machine. Found anew every ten
 * minutes and on `source.rescan`, because tools are installed after agents are.
 */
import { TilsynError } from '../protocol/errors.ts';
import { FOUND_TOOLS } from '../protocol/event.ts';
import type { SourceId } from '../protocol/ids.ts';
import { type Clock, MINUTE_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentConfig } from './config.ts';
import { NOBODY_LISTED } from './config-sources.ts';
import type { AgentJournal } from './journal.ts';
import type { AgentLog } from './log.ts';
import { Pumps } from './pump-all.ts';
import { type ChainDeps, chainOf, type Tool } from './sessions/chains.ts';
import { chooseTools } from './sessions/tools.ts';
import type { ToolInput } from './sources/detect-tools.ts';
import type { Uncovered } from './sources/uncovered.ts';
import { type ShownSource, shownSource } from './status.ts';
import type { Draft } from './types.ts';

const LOOK_MS = 10 * MINUTE_MS;
const RETRY_MS = 10 * SECOND_MS;

export interface ReadingOptions
  extends Pick<ChainDeps, 'mode' | 'random' | 'digestKey' | 'machine' | 'own' | 'readFrom'> {
  journal: AgentJournal;
  enrolledAt: UtcMs;
  config: AgentConfig;
  clock: Clock;
  log: AgentLog;
  faults: NonNullable<ChainDeps['faults']> | undefined;
  detect: ToolInput;
  /** Everything there was has been read and is durable. */
  onCaughtUp(): void;
  /** True: nothing is read any more (M1). */
  over(): boolean;
}

export class Reading {
  readonly #o: ReadingOptions;
  #chosen: Tool[] = [];
  #uncovered: Uncovered[] = [];
  #pumps: Pumps | null = null;
  #cancel: () => void = () => {};
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: ReadingOptions) {
    this.#o = options;
  }

  /** What fails here (a disk without room for a new source's id) is tried again soon. */
  async start(): Promise<void> {
    await this.rescan();
    this.#later();
  }

  /** Looks again at once for what there is to read. What is read already is looked at once a second or more often. */
  rescan(): Promise<void> {
    const { log } = this.#o;
    this.#turn = this.#turn
      .then(() => this.#look())
      .then(
        () => log.recovered('sources'),
        (error) => log.trouble('sources', error),
      );
    return this.#turn;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#turn;
    await this.#pumps?.stop();
    this.#pumps = null;
  }

  /** Every source was read and made durable up to this time; null before that, and where there is none. */
  readThrough(): UtcMs | null {
    return this.#pumps?.readThrough() ?? null;
  }

  status(): ShownSource[] {
    const paths = new Map(filesOf(this.#chosen).map(({ source, path }) => [source, path]));
    const nobody = new Set(filesOf(this.#chosen.filter(listsNobody)).map(({ source }) => source));
    return (this.#pumps?.status() ?? []).map((one) => {
      const problem = one.problem ?? (nobody.has(one.source) ? NOBODY_LISTED : null);
      return shownSource({ ...one, problem }, paths.get(one.source) ?? null);
    });
  }

  #later(): void {
    if (this.#stopped) return;
    this.#cancel = this.#o.clock.after(this.#pumps === null ? RETRY_MS : LOOK_MS, () => {
      this.rescan().finally(() => this.#later());
    });
  }

  async #look(): Promise<void> {
    if (this.#o.over()) {
      await this.#pumps?.stop();
      this.#pumps = null;
      return;
    }
    const { config, detect, clock, journal, log } = this.#o;
    const sourceId = (label: string) => journal.sourceId(label);
    const { tools: chosen, uncovered } = await chooseTools({ config, detect, clock, sourceId });
    this.#uncovered = uncovered;
    for (const one of uncovered) this.#find(one);
    const same = this.#pumps !== null && key(chosen) === key(this.#chosen);
    if (this.#stopped || same) return;
    // Reading positions are in the journal: other pumps go on exactly where these end.
    await this.#pumps?.stop();
    for (const one of chosen) this.#say(one);
    this.#chosen = chosen;
    this.#pumps = new Pumps(
      { journal, clock, log },
      chosen.map((tool) => chainOf(this.#chainDeps(), tool)),
    );
    this.#pumps.start();
    log.info('sources.chosen', { count: filesOf(chosen).length });
  }

  #chainDeps(): ChainDeps {
    const { journal, clock, log, random, mode, digestKey, enrolledAt, readFrom, machine } = this.#o;
    const { faults, onCaughtUp, own, over } = this.#o;
    return {
      ...{ journal, clock, log, random, mode, digestKey, enrolledAt, readFrom, machine },
      ...{ faults, onCaughtUp, own, over },
      found: (source, tool, check) =>
        this.#once(`${check}\0${source}`, [
          { type: 'audit.finding', data: { check, source, tool, count: 1 } },
        ]),
    };
  }

  /** `source.added`, once for each source: the record of what was watched from when. */
  #say(tool: Tool): void {
    const { config } = this.#o;
    const reason = config.sources === null ? 'detected' : 'configured';
    for (const { source } of [...tool.logs, ...tool.rows]) {
      const data = { source, tool: tool.type, offset: null, length: null, count: null, reason };
      const draft: Draft<'source.added'> = { type: 'source.added', data };
      this.#once(`added\0${source}`, [draft]);
      if (tool.listsNobody !== true) continue;
      const check = 'nobody-listed';
      const finding = { check, source, tool: tool.type, count: 1 } as const;
      this.#once(`${check}\0${source}`, [{ type: 'audit.finding', data: finding }]);
    }
  }

  /** Tools of this machine that nobody reads, as found at the last look. */
  uncovered(): readonly Uncovered[] {
    return this.#uncovered;
  }

  /** M6: once for each tool. */
  #find({ tool }: Uncovered): void {
    const known = FOUND_TOOLS.find((one) => one === tool) ?? null;
    const data = { check: 'tool-without-source' as const, source: null, tool: known, count: 1 };
    this.#once(`tool-without-source\0${tool}`, [{ type: 'audit.finding', data }]);
  }

  /** Stores these once in the life of this state directory. */
  #once(label: string, drafts: readonly Draft[]): void {
    const { journal, log } = this.#o;
    const memory = journal.sourceId(label);
    if (journal.cursor(memory) !== null) return;
    try {
      journal.append(drafts, [{ source: memory, state: '{}' }]);
    } catch (error) {
      // On a full disk it is said at the next start; reading goes on, and waits for room by itself.
      if (!(error instanceof TilsynError) || !error.retryable) throw error;
      log.trouble('sources', error);
    }
  }
}

function filesOf(chosen: readonly Tool[]): { source: SourceId; path: string }[] {
  return chosen.flatMap(({ logs, rows }) => [...logs, ...rows]);
}

const listsNobody = (tool: Tool) => tool.listsNobody === true;

function key(chosen: readonly Tool[]): string {
  return JSON.stringify(chosen);
}
