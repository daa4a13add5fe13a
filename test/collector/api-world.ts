/**
 * A collector's inside with the real store, keyring and ingest, behind a real https server; a settable clock.
 * Hosts write real sealed leaves.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance, type RouteOptions } from 'fastify';
import pino from 'pino';
import { defaultAgreement } from '../../collector/agreements.ts';
import { registerApi } from '../../collector/api/index.ts';
import { Counters } from '../../collector/counters.ts';
import { findOrCreateCustomerSite } from '../../collector/customers.ts';
import { webhookFiles } from '../../collector/deliver/files.ts';
import { createGroups } from '../../collector/groups.ts';
import { Ingest } from '../../collector/ingest/ingest.ts';
import { supply } from '../../collector/ingest/supply.ts';
import { type CollectorLog, createOwnLog } from '../../collector/journal.ts';
import { Keyring } from '../../collector/keyring.ts';
import { createOpener, type KeyOpener } from '../../collector/opener.ts';
import { addPerson } from '../../collector/people.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import { openTelemetry } from '../../collector/store/telemetry.ts';
import type { AgentRow, PersonRow, Store } from '../../collector/store/types.ts';
import type { Context } from '../../collector/types.ts';
import { type Birth, birthHash, signBirth } from '../../protocol/birth.ts';
import type { EventData, EventPersonal, EventType } from '../../protocol/event.ts';
import { eventDefinition } from '../../protocol/event.ts';
import type { AgreementId, CustomerId, GroupId, Id, LogId, SessionId, SourceId } from '../../protocol/ids.ts';
import { newId, toB64 } from '../../protocol/ids.ts';
import { makeLeaf } from '../../protocol/leaf.ts';
import { packNamed } from '../../protocol/packs.ts';
import { makeWrap, type Personal, sealPart } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { type Clock, fromIso, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { makeCa } from '../support/certificates.ts';

export const START = fromIso('2026-11-22T12:00:00.000Z') as UtcMs;

export class TestClock implements Clock {
  #now: number = START;
  readonly #timers = new Set<{ at: number; fn: () => void }>();
  now(): UtcMs {
    return utcMs(this.#now);
  }
  mono(): number {
    return this.#now - START;
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].filter((t) => t.at <= this.#now)) {
      this.#timers.delete(timer);
      timer.fn();
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Loose = any;

export interface Answer {
  status: number;
  body: Loose;
}

export interface HostOptions {
  customer?: string;
  site?: string;
  name?: string;
  mode?: 'managed' | 'one-off';
  change?: Partial<AgentRow>;
}

export interface Draft<T extends EventType = EventType> {
  type: T;
  data: EventData<T>;
  personal?: EventPersonal<T>;
}

export class ApiWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'tilsyn-api-'));
  readonly clock = new TestClock();
  readonly logged: string[] = [];
  /** Set to make every later transaction that appends to the own log fail. */
  failOwn = false;
  ctx!: Context;
  opener!: KeyOpener;
  /** The own log behind `ctx.own`. */
  journal!: CollectorLog;
  app!: FastifyInstance;
  /** What fastify says was registered. */
  readonly routes: RouteOptions[] = [];
  url = '';
  ca = '';
  /** What an erasure needs of this collector. */
  get erasing() {
    return { ...this.ctx, keyring: this.#keyring };
  }

  /** For whoever brings an agent of its own. */
  get ingest(): Ingest {
    return this.#ingest;
  }

  #keyring!: Keyring;
  #ingest!: Ingest;
  #store!: Store;

  static async make(): Promise<ApiWorld> {
    const world = new ApiWorld();
    await world.#open();
    return world;
  }

  async #open(): Promise<void> {
    const { clock } = this;
    const identity = generateKeyPairSync('ed25519').privateKey;
    const listeners = new Set<(through: number) => void>();
    const notify = (through: number) => {
      for (const fn of listeners) fn(through);
    };
    const store = await openStore(join(this.dir, 'collector.db'), { appended: notify });
    this.#store = store;
    this.#keyring = await Keyring.create({ dir: this.dir, second: null, random: randomBytes });
    const base = { store, identity, clock, random: randomBytes };
    const groups = await createGroups({ ...base, keyring: this.#keyring, spans: packNamed('none') });
    this.opener = createOpener(this.#keyring, groups);
    const own = await createOwnLog({ ...base, groups });
    this.journal = own;
    this.#keyring.onErase((group) => own.forget(group));
    this.ctx = {
      ...base,
      telemetry: openTelemetry({ dir: join(this.dir, 'telemetry') }),
      counters: new Counters(),
      own: {
        append: (tx, drafts) =>
          this.failOwn && drafts.length > 0
            ? Promise.reject(new Error('the disk is full'))
            : own.append(tx, drafts),
      },
      groups,
      opener: this.opener,
      log: pino({}, { write: (line: string) => void this.logged.push(line) }),
      faults: {},
      name: 'test.example',
      url: 'wss://127.0.0.1:1',
      caPem: null,
      generation: () => '0'.repeat(32) as Id<'generation'>,
      adoptGeneration: () => {},
      links: { isLive: () => true, send: () => false, nudge: () => {}, close: () => {}, closeAll: () => {} },
      webhooks: webhookFiles(join(this.dir, 'webhooks')),
      notify,
      bury: (ids) => this.#keyring.bury(ids),
      isBuried: (id) => this.#keyring.isBuried(id),
      onCommit: (fn) => {
        listeners.add(fn);
        return () => void listeners.delete(fn);
      },
    };
    this.#ingest = new Ingest(this.ctx);
    await this.#listen();
  }

  async #listen(): Promise<void> {
    const ca = await makeCa();
    const { key, cert } = await ca.server({ ip: ['127.0.0.1'], dns: ['localhost'] });
    this.ca = ca.ca;
    this.app = fastify({ https: { key, cert, minVersion: 'TLSv1.3' } }) as unknown as FastifyInstance;
    this.app.addHook('onRoute', (route) => void this.routes.push(route));
    registerApi(this.app, this.ctx);
    await this.app.listen({ host: '127.0.0.1', port: 0 });
    this.url = `https://127.0.0.1:${(this.app.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.#ingest.close();
    await this.ctx.telemetry.close();
    await this.#store.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Adds a person; returns their token. */
  async person(
    role: PersonRow['role'],
    customers: CustomerId[] | null = null,
    name?: string,
  ): Promise<string> {
    const added = { role, customers, createdBy: null, ...(name === undefined ? {} : { name }) };
    return (await addPerson(this.ctx, added)).token;
  }

  async host(options: HostOptions = {}): Promise<TestHost> {
    const { customer = 'Acme', site = 'Albertslund', name = 'srv-01', mode = 'managed' } = options;
    const made = await findOrCreateCustomerSite(this.ctx, customer, site);
    const { agreement } = await defaultAgreement(this.ctx, {
      customer: made.customer.customer,
      mode,
      person: null,
    });
    const key = generateKeyPairSync('ed25519').privateKey;
    const row: AgentRow = {
      agent: newId<'agent'>(randomBytes),
      key: publicText(key),
      customer: made.customer.customer,
      site: made.site.site,
      agreement: agreement.agreement,
      mode,
      state: 'approved',
      token: null,
      enrolledAt: this.clock.now(),
      revokedAt: null,
      conflictAt: null,
      firstSeenAt: this.clock.now(),
      generation: this.ctx.generation(),
      lastSeenAt: this.clock.now(),
      readThrough: this.clock.now(),
      skewMs: 0,
      backlog: 0,
      software: { version: '0.1.0', platform: 'linux', node: '26.0.0' },
      namePos: null,
      ...options.change,
    };
    await supply(this.ctx, row, this.clock.now());
    const host = new TestHost(this, this.#ingest, row, key);
    await host.enrol(name);
    return host;
  }

  async setAgent(agent: AgentRow['agent'], change: Partial<AgentRow>): Promise<void> {
    await this.#store.write(async (tx) => {
      const row = await tx.agents.get(agent);
      if (row !== null) await tx.agents.put([{ ...row, ...change }]);
    });
  }

  /** Erases a key group as a policy would. */
  async erase(group: GroupId): Promise<void> {
    const known = this.ctx.groups.byId(group);
    await this.#keyring.erase([{ group, slot: known?.slot ?? null }]);
    await this.#store.write(async (tx) => {
      const row = await tx.groups.get(group);
      if (row === null) throw new Error('no such group');
      const erased = { ...row, state: 'erased' as const, erasedAt: this.clock.now(), erasedBy: 'policy' };
      await tx.groups.put([erased]);
      await tx.dropGroups([group]);
      tx.afterCommit(() => this.ctx.groups.committed([erased]));
    });
    this.opener.forget(group);
  }

  get(path: string, token?: string): Promise<Answer> {
    return this.call('GET', path, token);
  }

  post(path: string, token: string, body: Record<string, unknown> = {}): Promise<Answer> {
    return this.call('POST', path, token, body);
  }

  call(method: string, path: string, token?: string, body?: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const outgoing = request(
        new URL(path, this.url),
        { method, ca: this.ca, headers, agent: false },
        (res) => {
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (chunk: string) => {
            text += chunk;
          });
          res.on('error', reject);
          res.on('end', () => resolve({ status: res.statusCode ?? 0, body: JSON.parse(text) }));
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Leaves of the collector's own log, of these types, oldest first, with what was sealed. */
  async own(...types: EventType[]): Promise<{ type: string; data: Loose; personal: Personal | null }[]> {
    const { read } = this.#store;
    const [log] = await read.logsOf(null);
    const leaves = await read.leaves({ logs: log === undefined ? [] : [log.log], types, limit: 10_000 });
    const opened = await this.opener.open(
      read,
      leaves.map((leaf) => leaf.pos),
    );
    return leaves.map((leaf) => ({
      type: leaf.type,
      data: JSON.parse(leaf.bytes).data,
      personal: opened.get(leaf.pos) ?? null,
    }));
  }
}

/** An agent's side: one log, one wrap per group. */
export class TestHost {
  readonly row: AgentRow;
  readonly log: LogId = newId<'log'>(randomBytes);
  readonly source: SourceId = newId<'source'>(randomBytes);
  readonly #world: ApiWorld;
  readonly #ingest: Ingest;
  readonly #key: KeyObject;
  #birth!: Birth;
  #seq = 0;
  #head!: Buffer;

  constructor(world: ApiWorld, ingest: Ingest, row: AgentRow, key: KeyObject) {
    this.#world = world;
    this.#ingest = ingest;
    this.row = row;
    this.#key = key;
  }

  get id(): string {
    return this.row.agent;
  }

  async enrol(name: string): Promise<void> {
    const { clock, ctx } = this.#world;
    this.#birth = signBirth(this.#key, {
      v: 1,
      log: this.log,
      agent: this.row.agent,
      agreement: this.row.agreement,
      site: this.row.site,
      key: this.row.key,
      predecessor: null,
      reason: 'enrolled',
      at: toIso(clock.now()),
    });
    this.#head = birthHash(this.#birth);
    await ctx.store.write(async (tx) => {
      await tx.agents.put([this.row]);
      await tx.putLogs([
        {
          log: this.log,
          agent: this.row.agent,
          birth: this.#birth,
          through: 0,
          head: this.#head,
          state: 'open',
          createdAt: clock.now(),
        },
      ]);
    });
    const source = {
      source: this.source,
      tool: 'teamviewer',
      offset: 0,
      length: 0,
      count: null,
      reason: null,
    };
    await this.send([
      { type: 'host.named', data: {}, personal: { name } },
      { type: 'source.added', data: source } as Draft,
    ]);
  }

  /** The key group that a part of this type goes under now. */
  group(type: EventType, at: UtcMs = this.#world.clock.now()): GroupId {
    const cls = eventDefinition(type)?.class ?? 'session';
    const kind = cls === 'host.name' ? 'whole' : 'span';
    const row = this.#world.ctx.groups.find(this.row.agreement as AgreementId, cls, kind, at);
    if (row === null) throw new Error(`no ${kind} group of ${cls}`);
    return row.group;
  }

  /** Sends events through ingest; resolves once they are acked. `parts` false: the sealed parts stay away. */
  async send(drafts: readonly Draft[], parts = true): Promise<void> {
    const made = drafts.map((draft) => this.#make(draft));
    const keys = Map.groupBy(
      made.flatMap((m) => m.part ?? []),
      (part) => part.wrap,
    );
    await new Promise<void>((resolve, reject) => {
      this.#ingest.submit({
        sender: {
          agent: this.row.agent,
          agreement: this.row.agreement,
          barred: false,
          acked: () => resolve(),
          end: (name, refusal) => reject(new Error(`the batch was refused: ${name} ${refusal?.code}`)),
        },
        frame: {
          t: 'batch',
          log: this.log,
          events: made.map((m) => m.text),
          parts: parts ? made.flatMap((m) => (m.part === null ? [] : [m.part.wire])) : [],
          wraps: parts ? [...keys.values()].flatMap((list) => list[0]?.wrapWire ?? []) : [],
          keys: [],
        },
        settled: () => {},
      });
    });
  }

  #make(draft: Draft) {
    this.#seq += 1;
    const { clock } = this.#world;
    const seq = this.#seq;
    const part = draft.personal === undefined ? null : this.#seal(draft, seq);
    const { text, hash } = makeLeaf({
      log: this.log,
      seq,
      prev: this.#head,
      at: clock.now(),
      boot: '0'.repeat(16),
      up: 0,
      type: draft.type,
      data: draft.data,
      pii: part === null ? [] : [{ group: part.group, c: part.c }],
    });
    this.#head = hash;
    return { text, part };
  }

  #seal(draft: Draft, seq: number) {
    const { startedAt } = draft.data as { startedAt?: string };
    const group = this.group(
      draft.type,
      startedAt === undefined ? undefined : (fromIso(startedAt) ?? undefined),
    );
    const row = this.#world.ctx.groups.byId(group);
    const key = randomBytes(32);
    const wrap = makeWrap(row?.key ?? '', this.log, group, key, randomBytes);
    const place = { log: this.log, seq, group, under: group };
    const { c, body } = sealPart(key, place, draft.personal as Personal, randomBytes);
    return {
      group,
      c,
      wrap: wrap.id,
      wire: { seq, group, wrap: wrap.id, body: toB64(body) },
      wrapWire: { id: wrap.id, group, body: toB64(wrap.body) },
    };
  }

  /** One finished session; returns its id. */
  async session(options: SessionOptions = {}): Promise<SessionId> {
    const {
      startedAt = this.#world.clock.now(),
      durationSeconds = 124,
      personal = PEER,
      parts = true,
    } = options;
    const session = options.session ?? newId<'session'>(randomBytes);
    const started: Draft<'session.started'> = {
      type: 'session.started',
      data: {
        session,
        source: this.source,
        tool: 'teamviewer',
        direction: 'incoming',
        mode: this.row.mode,
        kind: 'remote-control',
        startedAt: toIso(startedAt),
        startBasis: 'file-utc',
        occurrence: options.occurrence ?? 0,
      },
      ...(personal === null ? {} : { personal }),
    };
    const ended: Draft<'session.ended'> = {
      type: 'session.ended',
      data: {
        session,
        endedAt: toIso(utcMs(startedAt + durationSeconds * 1000)),
        endBasis: 'file-utc',
        durationSeconds,
        reason: 'completed',
      },
    };
    await this.send(options.open === true ? [started] : [started, ended], parts);
    return session;
  }
}

export interface SessionOptions {
  session?: SessionId;
  startedAt?: UtcMs;
  durationSeconds?: number;
  personal?: EventPersonal<'session.started'> | null;
  /** False: the sealed part never reaches the collector. */
  parts?: boolean;
  open?: boolean;
  occurrence?: number;
}

export const PEER: EventPersonal<'session.started'> = {
  peerId: '1660360496',
  peerNames: ['Ada Example'],
  peerIps: [{ ip: '203.0.113.7', basis: 'punch', scope: 'public' }],
  localUser: 'IEUser',
  toolSessionId: '{B1F6A}',
};
