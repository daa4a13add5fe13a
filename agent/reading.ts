/**
 * Which sources are read: those of the configuration, or what is found on this machine. Found anew every ten
 * minutes and on `source.rescan`, because tools are installed after agents are.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { SourceId } from '../protocol/ids.ts';
import { type Clock, MINUTE_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentConfig, TeamviewerSource } from './config.ts';
import type { AgentJournal } from './journal.ts';
import type { AgentLog } from './log.ts';
import type { PumpOptions } from './pump.ts';
import { Pumps } from './pump-all.ts';
import { type DetectInput, detectTeamviewer } from './sources/detect.ts';
import { type ShownSource, shownSource } from './status.ts';
import type { Draft } from './types.ts';

const LOOK_MS = 10 * MINUTE_MS;
const RETRY_MS = 10 * SECOND_MS;

export interface ReadingOptions extends Pick<PumpOptions, 'mode' | 'random' | 'digestKey'> {
  journal: AgentJournal;
  enrolledAt: UtcMs;
  config: AgentConfig;
  clock: Clock;
  log: AgentLog;
  faults: NonNullable<PumpOptions['faults']> | undefined;
  detect: DetectInput;
  /** Everything there was has been read and is durable. */
  onCaughtUp(): void;
}

interface Chosen {
  source: SourceId;
  path: string;
  startFrom: TeamviewerSource['startFrom'];
}

export class Reading {
  readonly #o: ReadingOptions;
  #chosen: Chosen[] = [];
  #pumps: Pumps | null = null;
  #cancel: () => void = () => {};
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  #endsAt: UtcMs | null = null;

  constructor(options: ReadingOptions) {
    this.#o = options;
  }

  /** What fails here (a disk without room for a new source's id) is tried again soon. */
  async start(): Promise<void> {
    await this.rescan();
    this.#later();
  }

  /** Looks again at once for what there is to read. What is read already is polled three times a second. */
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

  /** From then on nothing is read (null: for ever on): the agreement ends. */
  endAt(at: UtcMs | null): Promise<void> {
    this.#endsAt = at;
    return this.rescan();
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
    const pumps = this.#pumps?.status() ?? [];
    const read = pumps.map((one) =>
      shownSource(one, this.#chosen.find(({ source }) => source === one.source)?.path ?? null),
    );
    const notBuilt = this.#o.config.notBuilt.map(({ type }) => ({
      ...NOT_BUILT,
      type,
    }));
    return [...read, ...notBuilt];
  }

  #later(): void {
    if (this.#stopped) return;
    this.#cancel = this.#o.clock.after(this.#pumps === null ? RETRY_MS : LOOK_MS, () => {
      this.rescan().finally(() => this.#later());
    });
  }

  async #look(): Promise<void> {
    if (this.#endsAt !== null && this.#endsAt <= this.#o.clock.now()) {
      await this.#pumps?.stop();
      this.#pumps = null;
      return;
    }
    const chosen = await this.#choose();
    const same = this.#pumps !== null && key(chosen) === key(this.#chosen);
    if (this.#stopped || same) return;
    // Reading positions are in the journal: other pumps go on exactly where these end.
    await this.#pumps?.stop();
    for (const one of chosen) this.#say(one);
    this.#chosen = chosen;
    this.#pumps = this.#makePumps(chosen);
    this.#pumps.start();
    this.#o.log.info('sources.chosen', { count: chosen.length });
  }

  #makePumps(chosen: readonly Chosen[]): Pumps {
    const { journal, clock, log, mode, random, digestKey, enrolledAt, faults, onCaughtUp } = this.#o;
    return new Pumps(
      { journal, clock, log },
      chosen.map(({ source, path, startFrom }) => ({
        source,
        path,
        type: 'teamviewer' as const,
        mode,
        start: { startFrom, enrolledAt },
        random,
        digestKey,
        onCaughtUp,
        ...(faults === undefined ? {} : { faults }),
      })),
    );
  }

  async #choose(): Promise<Chosen[]> {
    const { config, detect } = this.#o;
    const named = config.sources ?? [];
    const given = named.filter((one) => one.connectionsIncoming !== null);
    const wanting =
      config.sources === null ? AUTOMATIC : named.find((one) => one.connectionsIncoming === null);
    const found = wanting === undefined ? [] : (await detectTeamviewer(detect)).found;
    const paths = new Map<string, TeamviewerSource['startFrom']>();
    for (const one of given) paths.set(one.connectionsIncoming ?? '', one.startFrom);
    for (const { connectionsIncoming } of found) {
      if (connectionsIncoming !== null && !paths.has(connectionsIncoming)) {
        paths.set(connectionsIncoming, wanting?.startFrom ?? AUTOMATIC.startFrom);
      }
    }
    return [...paths].map(([path, startFrom]) => ({
      source: this.#o.journal.sourceId(`teamviewer\0${path}`),
      path,
      startFrom,
    }));
  }

  /** `source.added`, once for each source: the record of what was watched from when. */
  #say({ source }: Chosen): void {
    const { journal, config, log } = this.#o;
    const memory = journal.sourceId(`added\0${source}`);
    if (journal.cursor(memory) !== null) return;
    const reason = config.sources === null ? 'detected' : 'configured';
    const data = { source, tool: 'teamviewer' as const, offset: null, length: null, count: null, reason };
    const draft: Draft<'source.added'> = { type: 'source.added', data };
    try {
      journal.append([draft], [{ source: memory, state: '{}' }]);
    } catch (error) {
      // On a full disk it is said at the next start; reading goes on, and waits for room by itself.
      if (!(error instanceof TilsynError) || !error.retryable) throw error;
      log.trouble('sources', error);
    }
  }
}

/** Without a configuration: whatever is there, from now on. */
const AUTOMATIC: Pick<TeamviewerSource, 'startFrom'> = { startFrom: 'now' };

const NOT_BUILT: Omit<ShownSource, 'type'> = {
  source: null,
  file: null,
  state: 'not-built',
  problem: 'this version does not read it yet',
  position: null,
  behindBytes: 0,
  rows: 0,
  unreadable: 0,
  skipped: 0,
  lastRowAt: null,
};

function key(chosen: readonly Chosen[]): string {
  return JSON.stringify(chosen);
}
