/**
 * Whatever tools, rotations, a full disk, crashes and successor logs do: each session is told once, in order, under one
 * id, and ended when its log or its row ends it. Real files, a real journal; what a successor log has lost counts for
 * nothing, as at the collector.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import type { PumpJournal } from '../../agent/pump.ts';
import type { PumpChain } from '../../agent/pump-chain.ts';
import { chainOf, type Tool } from '../../agent/sessions/chains.ts';
import { makeSshdReader } from '../../agent/sources/sshd.ts';
import { makeTeamviewerLogReader } from '../../agent/sources/teamviewer-log.ts';
import { TilsynError } from '../../protocol/errors.ts';
import type { LogId } from '../../protocol/ids.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { login, logout, noise } from '../agent/sessions/sshd-world.ts';
import { group, LIMITS, type World, world } from '../agent/support.ts';
import { records, row, tvTime } from '../fixtures/teamviewer.ts';
import { header, incoming, restamped, stamp, timeOf } from '../fixtures/teamviewer-log.ts';

type Act = { do: (typeof ACTS)[number]; n: number };
const ACTS = [
  'begin',
  'end',
  'row',
  'turn',
  'turns',
  'rotate',
  'copytruncate',
  'kill',
  'full',
  'lost-answer',
  'successor',
  'noise',
  'wait',
] as const;
const WEIGHTS: Partial<Record<(typeof ACTS)[number], number>> = {
  begin: 4,
  end: 4,
  row: 4,
  turn: 6,
  turns: 3,
  kill: 3,
};

const act: fc.Arbitrary<Act> = fc.record({
  do: fc.oneof(
    ...ACTS.map((arbitrary) => ({ weight: WEIGHTS[arbitrary] ?? 1, arbitrary: fc.constant(arbitrary) })),
  ),
  n: fc.nat(5),
});

/** Stands in what is written, and may stand in no reading position. */
const CANARIES = ['Morgan Hale', 'canary-account', '203.0.113.77', '1555000222'];
const PEER = '1555000222';

/** How a tool writes of its sessions. */
interface Teller {
  file: string;
  head(at: UtcMs): string;
  noise(at: UtcMs): string;
  /** Also says when it will be told to have begun. */
  begin(n: number, at: UtcMs): { text: string; startedAt: number };
  end(n: number, at: UtcMs): string;
  tool(w: World, dir: string): Pick<Tool, 'type' | 'logs' | 'rows'>;
}

const sshd: Teller = {
  file: 'auth.log',
  head: (at) => noise(at),
  noise,
  begin: (n, at) => ({ text: login(at, 1000 + n, 'canary-account', '203.0.113.77'), startedAt: at }),
  end: (n, at) => logout(at, 1000 + n, 'canary-account'),
  tool: ({ journal }, dir) => {
    const path = join(dir, 'auth.log');
    const log = { source: journal.sourceId(`sshd\0${path}`), path, word: 'logfile', reader: makeSshdReader };
    return { type: 'sshd', logs: [log], rows: [] };
  },
};

const ROWS = 'Connections_incoming.txt';
const call = (n: number) =>
  incoming({ peer: PEER, session: String(500_000 + n), number: String(-70_000 - n), gate: 2 + n });
const overAt = (lines: readonly string[]) => lines.findIndex((line) => line.includes('::RemoveParticipant:'));

const teamviewer: Teller = {
  file: 'TeamViewer15_Logfile.log',
  head: (at) => `${header({ start: stamp(at).slice(0, 23), zone: '(UTC+0:00)' }).join('\n')}\n`,
  noise: (at) => `${stamp(at)}  2216       2492 S0   Activating Router carrier\n`,
  begin(n, at) {
    const lines = call(n);
    const told = restamped(lines.slice(0, overAt(lines)), at);
    const hello = told.find((line) => line.includes('client hello received')) ?? '';
    return { text: `${told.join('\n')}\n`, startedAt: timeOf(hello) };
  },
  end(n, at) {
    const lines = call(n);
    return `${restamped(lines.slice(overAt(lines)), at).join('\n')}\n`;
  },
  tool: ({ journal }, dir) => {
    const [path, rows] = [join(dir, 'TeamViewer15_Logfile.log'), join(dir, ROWS)];
    const log = { source: journal.sourceId(`log\0${path}`), path, word: 'logfile' };
    const incomingRows = { source: journal.sourceId(`rows\0${rows}`), path: rows, word: 'connections' };
    return {
      type: 'teamviewer',
      logs: [{ ...log, reader: makeTeamviewerLogReader }],
      rows: [{ ...incomingRows, direction: 'incoming' }],
    };
  },
};

interface Leaf {
  log: LogId;
  seq: number;
  type: string;
  data: Record<string, unknown>;
}

interface Session {
  n: number;
  startedAt: number;
  /** By the log. */
  endedAt: number | null;
  rowAt: number | null;
}

class Story {
  readonly #teller: Teller;
  #w = world();
  readonly #dir: string;
  #chain: PumpChain;
  readonly sessions: Session[] = [];
  /** What a collector has, and what it will get. */
  leaves: Leaf[] = [];
  /** Where each transaction of the open log ended. */
  #ends: number[] = [];
  #fault: 'full' | 'lost-answer' | null = null;
  #rotations = 0;
  found = 0;

  constructor(teller: Teller) {
    this.#teller = teller;
    this.#dir = dirname(this.#w.dir);
    this.#w.journal.addGroups([group('late').signed]);
    writeFileSync(this.#path, teller.head(this.#now));
    writeFileSync(join(this.#dir, ROWS), '');
    this.#chain = this.#make();
  }

  get #path(): string {
    return join(this.#dir, this.#teller.file);
  }

  get #now(): UtcMs {
    return this.#w.clock.now();
  }

  #make(): PumpChain {
    const { clock, options } = this.#w;
    const machine = { zone: 'UTC', ownIps: [], uptimeMs: () => 1e12 };
    const tool: Tool = {
      ...{ startFrom: 'beginning', matches: null },
      ...this.#teller.tool(this.#w, this.#dir),
    };
    const deps = { clock, log: silentLog, random: randomBytes, mode: 'managed' as const, machine };
    const { digestKey } = options;
    const found = () => {
      this.found += 1;
    };
    const enrolledAt = utcMs(0);
    return chainOf({ ...deps, digestKey, enrolledAt, found, journal: this.#faulty() }, tool);
  }

  /** The journal, with a disk that is full once, and a commit whose answer is lost once. */
  #faulty(): PumpJournal {
    const { journal } = this.#w;
    return {
      append: (...args) => {
        const fault = this.#fault;
        if (fault !== null) this.#fault = null;
        if (fault === 'full') throw new TilsynError('journal.full', 'no room', { retryable: true });
        const done = journal.append(...args);
        this.#collect();
        if (fault === 'lost-answer')
          throw new TilsynError('database.failed', 'no answer', { retryable: true });
        return done;
      },
      cursor: (source) => journal.cursor(source),
      firstSight: (source) => journal.firstSight(source),
      counted: (name) => journal.counted(name),
      openLog: () => journal.openLog(),
    };
  }

  #collect(): void {
    const { journal } = this.#w;
    const log = journal.openLog();
    if (log === null) return;
    const last = () => this.leaves.findLast((leaf) => leaf.log === log)?.seq ?? 0;
    for (let out = journal.outgoing(log, last(), LIMITS); out !== null; ) {
      for (const text of out.events) this.leaves.push(JSON.parse(text) as Leaf);
      out = journal.outgoing(log, out.lastSeq, LIMITS);
    }
    this.#ends.push(last());
  }

  /** Nobody writes two things at one time, and no row comes later than its tool writes it. */
  #pass(ms: number): void {
    this.#w.clock.advance(ms);
    if (this.#teller !== teamviewer) return;
    for (const one of this.sessions) {
      if (one.endedAt !== null && one.rowAt === null && this.#now - one.endedAt > 4 * MINUTE_MS)
        this.#row(one);
    }
  }

  /** What lies beside a file before the first look is history. */
  async first(): Promise<void> {
    await this.#drain();
  }

  async play({ do: what, n }: Act): Promise<void> {
    switch (what) {
      case 'begin':
        return this.#begin();
      case 'end':
        return this.#end(this.#pick(n, ({ endedAt }) => endedAt === null));
      case 'row':
        return this.#row(this.#pick(n, ({ rowAt }) => rowAt === null));
      case 'turn':
        return void (await this.#chain.turn());
      case 'turns':
        return this.#drain();
      case 'rotate':
        return this.#rotate();
      case 'copytruncate':
        return await this.#copytruncate();
      case 'kill':
        return await this.#kill();
      case 'full':
      case 'lost-answer':
        this.#fault = what;
        return;
      case 'successor':
        return this.#succeed(n);
      case 'noise':
        this.#pass(SECOND_MS);
        return appendFileSync(this.#path, this.#teller.noise(this.#now));
      case 'wait':
        return this.#pass(MINUTE_MS);
    }
  }

  #pick(n: number, is: (one: Session) => boolean): Session | null {
    const fits = this.sessions.filter(is);
    return fits[n % Math.max(1, fits.length)] ?? null;
  }

  #begin(): void {
    this.#pass(30 * SECOND_MS);
    const n = this.sessions.length;
    const { text, startedAt } = this.#teller.begin(n, this.#now);
    appendFileSync(this.#path, text);
    this.sessions.push({ n, startedAt, endedAt: null, rowAt: null });
  }

  #end(one: Session | null): void {
    if (one === null) return;
    this.#pass(one.rowAt === null ? 30 * SECOND_MS : SECOND_MS);
    one.endedAt = this.#now;
    appendFileSync(this.#path, this.#teller.end(one.n, this.#now));
  }

  /** Perhaps before the log says the end: that follows at once. */
  #row(one: Session | null): void {
    if (one === null || this.#teller !== teamviewer) return;
    if (one.endedAt === null) this.#w.clock.advance(30 * SECOND_MS);
    one.rowAt = one.endedAt ?? this.#now;
    const [start, end] = [tvTime(one.startedAt - 1_600), tvTime(one.rowAt)];
    appendFileSync(join(this.#dir, ROWS), records([row({ peerId: PEER, guid: '', start, end })]));
  }

  async #drain(): Promise<void> {
    for (let left = 200, turn = await this.#chain.turn(); turn !== 'idle' && left > 0; left -= 1) {
      turn = await this.#chain.turn();
    }
  }

  #shift(move: (to: string) => void): void {
    if (this.#rotations === 6) return;
    for (let n = this.#rotations; n >= 1; n -= 1) renameSync(`${this.#path}.${n}`, `${this.#path}.${n + 1}`);
    this.#rotations += 1;
    move(`${this.#path}.1`);
    this.#pass(SECOND_MS);
    appendFileSync(this.#path, this.#teller.head(this.#now));
  }

  #rotate(): void {
    this.#shift((to) => renameSync(this.#path, to));
  }

  /** Only what was read may be emptied without a loss of what is behind it. */
  async #copytruncate(): Promise<void> {
    await this.#drain();
    this.#shift((to) => {
      copyFileSync(this.#path, to);
      writeFileSync(this.#path, '');
    });
  }

  async #kill(): Promise<void> {
    this.#fault = null;
    await this.#chain.stop();
    this.#w = this.#w.reopen();
    this.#chain = this.#make();
  }

  /** The collector has this log up to one of its transactions only. */
  #succeed(n: number): void {
    const { journal } = this.#w;
    const log = journal.openLog();
    const through = this.#ends.toReversed()[n];
    if (log === null || through === undefined || through < (this.#ends[0] ?? 0)) return;
    journal.acked(log, through);
    journal.succeed(log, 'restored', { size: through, head: null });
    this.leaves = this.leaves.filter((leaf) => leaf.log !== log || leaf.seq <= through);
    this.#ends = [];
    this.#collect();
  }

  /** Everything ends, and everything is read. */
  async end(): Promise<void> {
    this.#fault = null;
    for (const one of this.sessions) if (one.endedAt === null) this.#end(one);
    for (const one of this.sessions) if (one.rowAt === null) this.#row(one);
    this.#pass(5 * SECOND_MS);
    await this.#drain();
    // Quiet enough for a last row without a newline.
    this.#pass(2 * SECOND_MS);
    await this.#drain();
    await this.#kill();
    await this.#drain();
    this.#pass(HOUR_MS);
    await this.#drain();
    await this.#kill();
    await this.#drain();
    await this.#chain.stop();
  }

  cursors(): string {
    const { logs, rows } = this.#teller.tool(this.#w, this.#dir);
    return [...logs, ...rows].map(({ source }) => this.#w.journal.cursor(source) ?? '').join('\n');
  }

  get hasRows(): boolean {
    return this.#teller === teamviewer && existsSync(join(this.#dir, ROWS));
  }
}

/** Of each kind one per session, in order, under one id. */
function check(story: Story): void {
  const starts = story.leaves.filter(({ type }) => type === 'session.started');
  const startTimes = starts.map(({ data }) => String(data.startedAt));
  expect(startTimes.toSorted()).toEqual(
    story.sessions.map(({ startedAt }) => toIso(utcMs(startedAt))).toSorted(),
  );
  expect(new Set(starts.map(({ data }) => data.session)).size).toBe(starts.length);
  for (const { data } of starts) {
    const of = story.leaves.filter(
      (leaf) => leaf.data.session === data.session && leaf.type !== 'session.updated',
    );
    const types = of.map(({ type }) => type).filter((type) => type !== 'session.attempted');
    expect(types, String(data.startedAt)).toEqual(['session.started', 'session.ended']);
    expect(of.filter(({ type }) => type === 'session.attempted').length).toBeLessThanOrEqual(1);
    expect(of.at(-1)?.data.reason).toBe('completed');
    if (!story.hasRows) continue;
    const joined = story.leaves.filter(
      (leaf) => leaf.data.session === data.session && leaf.data.row !== undefined,
    );
    expect(joined.length, 'rows of one session').toBe(1);
  }
  const cursors = story.cursors();
  for (const canary of CANARIES) expect(cursors).not.toContain(canary);
  expect(story.found, 'findings about rows that did come').toBe(0);
}

const acts = (...names: (typeof ACTS)[number][]): [Act[]] => [names.map((name) => ({ do: name, n: 0 }))];

/** What was wrong once: an end told twice, twice; a file emptied while nobody looked; a row taken back without its log. */
const ONCE_WRONG: [Act[]][] = [
  acts('begin', 'turn', 'kill'),
  acts('begin', 'turns', 'row', 'turns', 'kill', 'end'),
  acts('begin', 'copytruncate', 'kill'),
  [[...acts('begin', 'turns', 'end', 'turns', 'row', 'turns')[0], { do: 'successor', n: 1 }]],
];
const RUNS = 60;

for (const [name, teller] of [
  ['a log and its rows', teamviewer],
  ['a log alone', sshd],
] as const) {
  test(`B4 B5 B9 B10 U6 U18 ${name}: each session once, in order, under one id`, {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (played) => {
        const story = new Story(teller);
        await story.first();
        for (const one of played) await story.play(one);
        await story.end();
        check(story);
      }),
      { numRuns: RUNS, examples: ONCE_WRONG },
    );
  });
}
