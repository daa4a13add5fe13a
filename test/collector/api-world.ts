/**
 * A collector's inside with the real store, keyring and ingest, behind a real https server; a settable clock.
 * Hosts write real sealed leaves.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
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
import { slotsAt } from '../../collector/keyring-copies.ts';
import { createOpener, type KeyOpener } from '../../collector/opener.ts';
import { addPerson } from '../../collector/people.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import { openTelemetry } from '../../collector/store/telemetry.ts';
import type { AgentRow, PersonRow, Store } from '../../collector/store/types.ts';
import type { Context } from '../../collector/types.ts';
import type { EventType } from '../../protocol/event.ts';
import type { CustomerId, GroupId, Id } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { packNamed } from '../../protocol/packs.ts';
import type { Personal } from '../../protocol/seal.ts';
import { publicText } from '../../protocol/sign.ts';
import { type Clock, fromIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { makeCa } from '../support/certificates.ts';
import { TestHost } from './api-host.ts';

export { type Draft, PEER, type SessionOptions, TestHost } from './api-host.ts';

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

  #generation = '0'.repeat(32) as Id<'generation'>;
  readonly #identity = generateKeyPairSync('ed25519').privateKey;
  #keyring!: Keyring;
  #ingest!: Ingest;
  #store!: Store;

  static async make(): Promise<ApiWorld> {
    const world = new ApiWorld();
    await world.#open();
    return world;
  }

  /** Copies the state as it is now: nothing may be writing. */
  saveTo(dir: string): void {
    cpSync(this.dir, dir, { recursive: true });
  }

  /** The machine is put back to what `saveTo` copied, as `collector restore` leaves it: in a generation of its own. */
  async restoreFrom(dir: string): Promise<void> {
    await this.#shut();
    rmSync(this.dir, { recursive: true, force: true });
    cpSync(dir, this.dir, { recursive: true });
    this.#generation = newId<'generation'>(randomBytes);
    await this.#open();
    await this.ctx.store.write(async (tx) => {
      await this.journal.succeed(tx, 'restored');
    });
  }

  async #open(): Promise<void> {
    const { clock } = this;
    const identity = this.#identity;
    const listeners = new Set<(through: number) => void>();
    const notify = (through: number) => {
      for (const fn of listeners) fn(through);
    };
    const store = await openStore(join(this.dir, 'collector.db'), { appended: notify });
    this.#store = store;
    const keys = { dir: this.dir, second: null, random: randomBytes };
    this.#keyring = existsSync(slotsAt(this.dir)) ? await Keyring.open(keys) : await Keyring.create(keys);
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
      generation: () => this.#generation,
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

  async #shut(): Promise<void> {
    await this.app.close();
    await this.#ingest.close();
    await this.ctx.telemetry.close();
    await this.#store.close();
    await this.#keyring.close();
  }

  async close(): Promise<void> {
    await this.#shut();
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
