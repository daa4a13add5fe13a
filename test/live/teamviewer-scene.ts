/**
 * TeamViewer, by a writer that appends what it would: a session is live when access is granted, over when the log says
 * so, and one with the row that follows, whenever the agent is killed in between.
 */
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { records, row, tvTime } from '../fixtures/teamviewer.ts';
import { header, incoming, restamped, stamp, timeOf } from '../fixtures/teamviewer-log.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import type { Agent, Stage } from '../identity/stage.ts';
import {
  agentWith,
  appears,
  delays,
  distribution,
  eventsOf,
  type LiveEvent,
  type LiveSession,
  NEEDS_NOTHING,
  type Scene,
  sessionsOf,
  settled,
  startLive,
} from './scene.ts';

const TIMED = 5;
/** A row begins about so long before the log's hello, and ends so long before the log says so. */
const ROW_BEFORE_MS = 1_600;
const ROW_ENDS_MS = 600;

/** One installation's files, and somebody who calls again and again. */
export class FakeTeamviewer {
  readonly logfile: string;
  readonly rows: string;
  #calls = 0;

  /** @param copied whose files are found here too */
  constructor(dir: string, copied: FakeTeamviewer | null = null) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.logfile = `${dir}/TeamViewer15_Logfile.log`;
    this.rows = `${dir}/Connections_incoming.txt`;
    if (copied !== null) {
      copyFileSync(copied.logfile, this.logfile);
      copyFileSync(copied.rows, this.rows);
      return;
    }
    const [date, time] = stamp(Date.now()).split(' ');
    const head = header({ start: `${date} ${time}`, zone: '(UTC+0:00)' });
    writeFileSync(this.logfile, `${head.join('\n')}\n`);
    writeFileSync(this.rows, '');
  }

  get source(): object {
    const { logfile, rows } = this;
    return { type: 'teamviewer', logfile, connectionsIncoming: rows, startFrom: 'beginning' };
  }

  /** @param at when its first line is written; default: now */
  call(at?: number): FakeCall {
    this.#calls += 1;
    return new FakeCall(this, this.#calls, at);
  }
}

export class FakeCall {
  readonly peer: string;
  readonly #files: FakeTeamviewer;
  readonly #lines: string[];
  readonly #at: number | undefined;
  #hello = 0;
  #end = 0;

  constructor(files: FakeTeamviewer, n: number, at: number | undefined) {
    this.#files = files;
    this.#at = at;
    this.peer = String(1_400_000_000 + n * 1_111);
    const session = String(500_000 + n);
    this.#lines = incoming({ peer: this.peer, session, number: String(-70_000 - n), gate: 2 + n });
  }

  #split(): [string[], string[]] {
    const over = this.#lines.findIndex((line) => line.includes('::RemoveParticipant:'));
    return [this.#lines.slice(0, over), this.#lines.slice(over)];
  }

  /** Up to where access is granted. Returns the instant of the hello. */
  begin(): number {
    const lines = restamped(this.#split()[0], this.#at ?? Date.now());
    this.#hello = timeOf(lines.find((line) => line.includes('client hello received')) ?? '');
    appendFileSync(this.#files.logfile, `${lines.join('\n')}\n`);
    return this.#hello;
  }

  end(): void {
    const at = this.#at === undefined ? Date.now() : this.#at + 124_000;
    this.#end = at;
    appendFileSync(this.#files.logfile, `${restamped(this.#split()[1], at).join('\n')}\n`);
  }

  /** What it writes when the session is over: perhaps before its log has said so. */
  row(): void {
    const end = (this.#end === 0 ? Date.now() : this.#end) - ROW_ENDS_MS;
    const times = { start: tvTime(this.#hello - ROW_BEFORE_MS), end: tvTime(end) };
    appendFileSync(this.#files.rows, records([row({ peerId: this.peer, guid: '', ...times })]));
  }

  get startedAt(): string {
    return new Date(Math.floor((this.#hello - ROW_BEFORE_MS) / 1000) * 1000).toISOString();
  }

  /** When the log said that it was over. */
  get endedAt(): number {
    return this.#end;
  }
}

export const teamviewer: Scene = {
  name: 'TeamViewer: live from its log, one with its row, whenever the agent is killed',
  needs: NEEDS_NOTHING,
  async play(stage, note) {
    await stage.found();
    const files = new FakeTeamviewer(stage.at('site', 'teamviewer'));
    const agent = await agentWith(stage, 'site', [files.source]);
    await startLive(stage, agent);
    await timed(stage, files, note);
    const killed = await whenKilled(stage, agent, files);
    note(`${killed} calls with kills in between`);
    await agent.stop();
  },
};

async function timed(stage: Stage, files: FakeTeamviewer, note: (text: string) => void): Promise<void> {
  const ids = new Set<string>();
  const granted: number[] = [];
  const over: number[] = [];
  for (let n = 0; n < TIMED; n += 1) {
    const call = files.call();
    call.begin();
    const written = Date.now();
    const of = ofPeer(call);
    const { id } = await appears(stage, 'a call is live', (one) => of(one) && one.state === 'active');
    ids.add(id);
    const [start] = (await eventsOf(stage, 'session.started')).filter(({ data }) => data.session === id);
    granted.push(Date.parse(start?.receivedAt ?? '') - written);
    call.end();
    await appears(stage, 'the log ends it', (one) => one.id === id && one.state === 'ended');
    call.row();
    await mustBeOne(stage, call, id);
  }
  over.push(...(await delays(stage, 'session.ended', ids)));
  note(distribution('log line to collector, start', granted, TIMED));
  note(distribution('end', over, TIMED));
}

const ofPeer =
  (call: FakeCall) =>
  ({ peer }: LiveSession) =>
    peer?.id === call.peer;

/** One session, under one id, with the row's times, and told once. */
async function mustBeOne(stage: Stage, call: FakeCall, id: string | null): Promise<void> {
  await appears(stage, 'its row is joined to it', isWhole(call), 30);
  mustBeOneOf(call, id, await sessionsOf(stage), await eventsOf(stage, ...ONCE));
}

const isWhole = (call: FakeCall | undefined) => (one: LiveSession) =>
  call !== undefined && ofPeer(call)(one) && one.confirmedBy.length === 2;

/** What is told of a session once. */
const ONCE = ['session.attempted', 'session.started', 'session.ended'];

function mustBeOneOf(
  call: FakeCall,
  id: string | null,
  all: readonly LiveSession[],
  events: readonly LiveEvent[],
): void {
  const mine = all.filter(ofPeer(call));
  const session = mine[0] as LiveSession;
  mustEqual(mine.length, 1, 'sessions of one call');
  if (id !== null) mustEqual(session.id, id, 'the id of one call');
  mustEqual(session.confirmedBy.toSorted(), ['connections', 'logfile'], 'what confirms it');
  mustEqual(session.startedAt, call.startedAt, 'its start');
  mustEqual(session.state, 'ended', 'its state');
  must(session.mergedFrom.length === 0, 'it was told as two sessions and merged');
  for (const once of ONCE) {
    const told = events.filter(({ type, data }) => type === once && data.session === session.id);
    mustEqual(told.length, 1, `${once} of one call`);
  }
}

/** Where the agent is killed: what was written last, and how long ago. */
const MOMENTS = ['begun', 'ended', 'row', 'row before the end', 'both'] as const;
const WAITS_MS = [0, 150, 400];

async function whenKilled(stage: Stage, agent: Agent, files: FakeTeamviewer): Promise<number> {
  const calls: FakeCall[] = [];
  for (const moment of MOMENTS) {
    for (const wait of WAITS_MS) {
      const call = files.call();
      calls.push(call);
      await play(call, moment, async () => {
        await sleep(wait);
        await agent.proc?.kill();
        await agent.start();
      });
    }
  }
  await agent.linked();
  await settled(stage, agent);
  await appears(stage, 'the last row is joined', (one) => isWhole(calls.at(-1))(one), 30);
  const all = await sessionsOf(stage);
  const events = await eventsOf(stage, ...ONCE);
  for (const call of calls) mustBeOneOf(call, null, all, events);
  mustEqual((await sessionsOf(stage)).length, TIMED + calls.length, 'sessions in all');
  return calls.length;
}

async function play(
  call: FakeCall,
  moment: (typeof MOMENTS)[number],
  kill: () => Promise<void>,
): Promise<void> {
  call.begin();
  if (moment === 'begun') await kill();
  // What is killed later has told of the beginning.
  else await sleep(700);
  if (moment === 'row before the end') {
    call.row();
    await kill();
    call.end();
    return;
  }
  call.end();
  if (moment === 'ended') await kill();
  if (moment === 'row') await sleep(700);
  call.row();
  if (moment === 'row' || moment === 'both') await kill();
}
