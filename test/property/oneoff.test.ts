/**
 * The life of one-off groups as a model: an agent's real journal, the collector's real rooms and files, frames
 * between them that are lost, late or sent again, and both killed at the named points. Whatever happens: no key is on
 * a disk, nothing lies under a dead group, and when both have spoken again what is over is erased and what lives is
 * read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { Draft, Outgoing } from '../../agent/types.ts';
import { openParts } from '../../collector/api/parts.ts';
import { Counters } from '../../collector/counters.ts';
import { Ingest } from '../../collector/ingest/ingest.ts';
import { OneoffCare } from '../../collector/oneoff/care.ts';
import { endForgotten, endGroups } from '../../collector/oneoff/end.ts';
import { takeKeys } from '../../collector/oneoff/keys.ts';
import type { AgentRow } from '../../collector/store/types.ts';
import type { Context } from '../../collector/types.ts';
import { birthHash } from '../../protocol/birth.ts';
import { type GroupId, type Id, newId, type SessionId } from '../../protocol/ids.ts';
import { HOUR_MS } from '../../protocol/time.ts';
import { ended, identity, LIMITS, started, type World, world } from '../agent/support.ts';
import { type House, openHouse, random, scratch, TestClock } from '../collector/house.ts';

class Crash extends Error {}

/** What lies under dead groups, on either side. */
const DEAD = [
  [
    'collector.db',
    "SELECT count(*) AS n FROM sealed s JOIN key_groups g ON g.id = s.grp WHERE g.state <> 'live'",
  ],
  ['agent.db', "SELECT count(*) AS n FROM parts p JOIN groups g ON g.id = p.grp WHERE g.state <> 'live'"],
] as const;

function count(path: string, sql: string): number {
  const db = new Sqlite(path, { readonly: true });
  const { n } = db.prepare(sql).get() as { n: number };
  db.close();
  return n;
}

/** Points of the collector at which it may die; of the agent, in an append. */
const COLLECTOR = [
  'collector.oneoff.registered',
  'collector.erase.before',
  'store.commit',
  'store.committed',
  'collector.erase.committed',
  'collector.ingest.before-commit',
  'collector.ingest.after-commit',
] as const;
const AGENT = ['agent.append.before-commit', 'agent.append.after-commit', 'agent.append.tidied'] as const;

type Step =
  | { do: 'start' | 'update' | 'end'; pick: number; crash: (typeof AGENT)[number] | null }
  | { do: 'connect' | 'lane'; answered: boolean; crash: (typeof COLLECTOR)[number] | null }
  /** `late`: it waits on the way, and comes when `again` picks it. */
  | { do: 'batch'; events: number; acked: boolean; late: boolean; crash: (typeof COLLECTOR)[number] | null }
  | { do: 'again'; pick: number }
  | { do: 'agent-dies' | 'collector-dies' | 'half-day' };

const rarely = <T>(of: readonly T[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...of) });
const pick = fc.nat(9);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('start' as const, 'update' as const, 'end' as const),
      pick,
      crash: rarely(AGENT),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('connect' as const, 'lane' as const),
      answered: fc.boolean(),
      crash: rarely(COLLECTOR),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      events: fc.integer({ min: 1, max: 4 }),
      acked: fc.boolean(),
      late: fc.boolean(),
      crash: rarely(COLLECTOR),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('again' as const), pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('agent-dies' as const, 'collector-dies' as const, 'half-day' as const),
    }),
  },
);

interface Known {
  session: SessionId;
  peerId: string;
  group: GroupId | null;
  /** Its process lives, and no end was stored. */
  lives: boolean;
}

class Model {
  w!: World;
  house!: House;
  ctx!: Context;
  ingest!: Ingest;
  readonly dir = scratch();
  readonly clock = new TestClock();
  readonly who = identity('one-off');
  instance = newId<'instance'>(random);
  linked = false;
  armed: string | null = null;
  /** The point at which one of them died in this step. */
  died: string | null = null;
  readonly sessions: Known[] = [];
  readonly frames: Outgoing[] = [];
  readonly keys: Buffer[] = [];
  acked = 0;

  async open(): Promise<void> {
    this.w = world({ identity: this.who, faults: { hit: (point) => this.#hit(point) } });
    await this.startCollector(true);
    const { agent } = this.who;
    const log = this.w.journal.logs()[0]!;
    const at = this.clock.now();
    await this.house.store.write(async (tx) => {
      await tx.agents.put([this.#agentRow()]);
      const { birth } = log;
      const row = {
        log: log.log,
        agent,
        birth,
        through: 0,
        head: birthHash(birth),
        state: 'open',
        createdAt: at,
      };
      await tx.putLogs([row as never]);
    });
  }

  #agentRow(): AgentRow {
    const { agent, agreement, site } = this.who;
    const none = { token: null, revokedAt: null, conflictAt: null, generation: null, namePos: null };
    const seen = { firstSeenAt: null, readThrough: null, skewMs: null, backlog: null, software: null };
    const at = this.clock.now();
    const customer = '0'.repeat(32) as AgentRow['customer'];
    const state = 'approved' as const;
    const row = { agent, agreement, site, customer, key: '', mode: 'one-off' as const, state };
    return { ...row, ...none, ...seen, enrolledAt: at, lastSeenAt: at };
  }

  async startCollector(create = false): Promise<void> {
    const faults = { hit: (point: string) => this.#hit(point) };
    this.house = await openHouse({ dir: this.dir, clock: this.clock, faults }, create);
    const { store, groups, own, opener, clock } = this.house;
    const links = { isLive: () => this.linked };
    const rooms = { store, groups, own, opener, clock, links, faults, random };
    this.ctx = { ...rooms, counters: new Counters(), log: pino({ level: 'silent' }) } as unknown as Context;
    this.ingest = new Ingest(this.ctx);
  }

  #hit(point: string): void {
    if (point !== this.armed) return;
    this.armed = null;
    this.died = point;
    throw new Crash(point);
  }

  /** Runs an act of the collector; where it dies in it, what it knew is gone. */
  async collector(act: () => Promise<void>): Promise<void> {
    this.died = null;
    try {
      await act();
    } catch (error) {
      if (this.died === null) throw error;
    }
    this.armed = null;
    // Also where somebody caught it on the way: the process is gone.
    if (this.died !== null) await this.collectorDies();
  }

  async collectorDies(): Promise<void> {
    this.linked = false;
    await this.ingest.close();
    await this.house.close();
    await this.startCollector();
    await new OneoffCare(this.ctx).look();
  }

  agentDies(): void {
    this.linked = false;
    for (const known of this.sessions) known.lives = false;
    this.instance = newId<'instance'>(random);
    this.w = this.w.reopen();
  }

  agent(draft: Draft, crash: string | null): boolean {
    this.armed = crash;
    this.died = null;
    try {
      this.w.journal.append([draft]);
    } catch (error) {
      if (this.died === null) throw error;
      this.agentDies();
    }
    this.armed = null;
    const stored = this.died !== 'agent.append.before-commit';
    for (const { key } of this.w.journal.oneoffKeys()) this.keys.push(Buffer.from(key, 'base64url'));
    return stored;
  }

  get log() {
    return this.w.journal.logs()[0]!.log;
  }

  async connect(answered: boolean): Promise<void> {
    const { journal } = this.w;
    const groups = journal.heldGroups().map(({ group }) => group as GroupId);
    const { instance } = this;
    await endForgotten(this.ctx, this.who, { instance, groups });
    const dead = this.ctx.groups.dead(groups);
    this.linked = true;
    const at = this.clock.now();
    await this.house.store.write((tx) => tx.agents.put([{ ...this.#agentRow(), lastSeenAt: at }]));
    if (dead.length > 0) journal.deadGroups(dead);
    // A day without contact: the session goes on, and nothing more of it is kept.
    for (const known of this.sessions) if (dead.some((group) => group === known.group)) known.lives = false;
    const [row] = await this.house.store.read.logs([this.log]);
    this.acked = row?.through ?? 0;
    if (this.acked > 0) journal.acked(this.log, this.acked);
    await this.lane(answered);
    takeKeys(this.ctx, { agent: this.who.agent, instance }, journal.oneoffKeys());
  }

  async lane(answered: boolean): Promise<void> {
    const groups = this.w.journal.erasedHere();
    if (groups.length === 0) return;
    const over = await endGroups(this.ctx, this.who, groups, 'lane');
    expect(over).toEqual(groups);
    if (answered) this.w.journal.erasedConfirmed(over);
  }

  async batch(frame: Outgoing): Promise<number> {
    const { agent, agreement } = this.who;
    const instance = this.instance as Id<'instance'>;
    takeKeys(this.ctx, { agent, instance }, frame.keys);
    const { log, events, parts, wraps, keys } = frame;
    return await new Promise<number>((resolve, reject) => {
      let through = 0;
      const failed = () => reject(new Crash('ingest'));
      const sender = {
        ...{ agent, agreement, barred: false },
        acked: (_log: string, n: number) => {
          through = n;
        },
        end: failed,
      };
      const batch = { t: 'batch' as const, log, events, parts, wraps, keys };
      this.ingest.submit({ sender, frame: batch, settled: () => resolve(through) });
    });
  }

  dirOf(database: string): string {
    return database === 'agent.db' ? this.w.dir : this.dir;
  }

  /** Nothing of what must not be, anywhere, at any time. */
  async check(): Promise<void> {
    for (const row of await this.house.store.read.groups.list({ kind: 'oneoff' })) {
      if (row.state === 'live') continue;
      expect(this.house.opener.oneoff.get(row.group)).toBeNull();
    }
    for (const [path, sql] of DEAD) expect(count(join(this.dirOf(path), path), sql)).toBe(0);
    const files = [this.dir, this.w.dir].flatMap((dir) =>
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
    );
    for (const bytes of files) {
      for (const key of this.keys) {
        expect(bytes.includes(key)).toBe(false);
        expect(bytes.includes(key.toString('base64url'))).toBe(false);
      }
    }
  }

  /** Both speak again, and everything that waits is sent. */
  async settle(): Promise<void> {
    await this.connect(true);
    for (let after = this.acked; ; ) {
      const frame = this.w.journal.outgoing(this.log, after, LIMITS);
      if (frame === null) break;
      after = await this.batch(frame);
      this.w.journal.acked(this.log, after);
    }
    await this.lane(true);
    await this.check();
    for (const { session, peerId, lives } of this.sessions) {
      const [row] = await this.house.store.read.sessionsById([session]);
      expect(row?.partPos).toBeDefined();
      const [shown] = await openParts(this.ctx, [row?.partPos ?? []]);
      expect(shown?.state).toBe(lives ? 'open' : 'erased');
      expect(shown?.parts.some((part) => part.peerId === peerId)).toBe(lives);
    }
    const live = this.sessions.filter(({ lives }) => lives).length;
    expect(this.ctx.groups.oneoff(null).length).toBe(live);
    expect(this.w.journal.erasedHere()).toEqual([]);
  }
}

const ACTS: Record<Step['do'], (m: Model, s: never) => Promise<void> | void> = {
  start: (m, { crash }: { crash: string | null }) => {
    const draft = started(m.w.journal.sourceId('a source'));
    draft.data.mode = 'one-off';
    const peerId = `peer-${m.sessions.length}`;
    draft.personal = { peerId };
    const session = draft.data.session as SessionId;
    const before = new Set(m.w.journal.oneoffKeys().map(({ group }) => group));
    if (!m.agent(draft, crash)) return;
    const made = m.w.journal.oneoffKeys().find(({ group }) => !before.has(group));
    m.sessions.push({ session, peerId, group: made?.group ?? null, lives: crash === null });
  },
  update: (m, s: { pick: number; crash: string | null }) => {
    const known = chosen(m, s.pick);
    if (known === null) return;
    const data = {
      session: known.session,
      auth: null,
      failedAttempts: null,
      files: null,
      confirmedBy: ['logfile'],
    };
    m.agent({ type: 'session.updated', data, personal: { localUser: 'someone' } } as Draft, s.crash);
  },
  end: (m, s: { pick: number; crash: string | null }) => {
    const known = chosen(m, s.pick);
    if (known !== null && m.agent(ended(known.session), s.crash)) known.lives = false;
  },
  connect: async (m, { answered, crash }: { answered: boolean; crash: string | null }) => {
    m.armed = crash;
    await m.collector(() => m.connect(answered));
  },
  lane: async (m, { answered, crash }: { answered: boolean; crash: string | null }) => {
    if (!m.linked) return;
    m.armed = crash;
    await m.collector(() => m.lane(answered));
  },
  batch: async (m, s: { events: number; acked: boolean; late: boolean; crash: string | null }) => {
    if (!m.linked) return;
    const frame = m.w.journal.outgoing(m.log, m.acked, { ...LIMITS, events: s.events });
    if (frame === null) return;
    m.frames.push(frame);
    if (s.late) return;
    m.armed = s.crash;
    await m.collector(async () => {
      const through = await m.batch(frame);
      if (!s.acked) return;
      m.w.journal.acked(m.log, through);
      m.acked = through;
    });
  },
  // A frame of before, key and all, as after a lost ack; also one of a process that is gone.
  again: async (m, { pick: n }: { pick: number }) => {
    const frame = m.frames[n % Math.max(1, m.frames.length)];
    if (m.linked && frame !== undefined) await m.collector(async () => void (await m.batch(frame)));
  },
  'agent-dies': (m) => m.agentDies(),
  'collector-dies': (m) => m.collectorDies(),
  'half-day': async (m) => {
    m.linked = false;
    m.clock.advance(13 * HOUR_MS);
    await new OneoffCare(m.ctx).look();
  },
};

const calm = { pick: 0, crash: null };
const said = { answered: true, crash: null };
/** The erasure overtakes a part that waits on the way, and the part comes then as something new. */
const OVERTAKEN: Step[] = [
  { do: 'connect', ...said },
  { do: 'start', ...calm },
  { do: 'batch', events: 4, acked: true, late: false, crash: null },
  { do: 'update', ...calm },
  { do: 'batch', events: 4, acked: true, late: true, crash: null },
  { do: 'end', ...calm },
  { do: 'lane', ...said },
  { do: 'again', pick: 1 },
];
/** Nobody hears of the agent for more than a day; its session goes on all the while. */
const FORGOTTEN: Step[] = [
  { do: 'connect', ...said },
  { do: 'start', ...calm },
  { do: 'batch', events: 4, acked: true, late: false, crash: null },
  { do: 'half-day' },
  { do: 'half-day' },
  { do: 'collector-dies' },
  { do: 'update', ...calm },
];

function chosen(m: Model, n: number): Known | null {
  const live = m.sessions.filter(({ lives }) => lives);
  return live[n % Math.max(1, live.length)] ?? null;
}

it('S1 S3 S5 O1 O3 O5 O7 O8 hold over any sequence of acts, losses and deaths', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async (steps) => {
      const model = new Model();
      await model.open();
      try {
        for (const one of steps) {
          await ACTS[one.do](model, one as never);
          await model.check();
        }
        await model.settle();
      } finally {
        await model.ingest.close();
        await model.house.close();
      }
    }),
    { numRuns: 25, examples: [[OVERTAKEN], [FORGOTTEN]] },
  );
}, 240_000);
