/** An agent's side of an `ApiWorld`: a host that writes real sealed leaves. */
import { type KeyObject, randomBytes } from 'node:crypto';
import type { Ingest } from '../../collector/ingest/ingest.ts';
import type { AgentRow } from '../../collector/store/types.ts';
import type { Context } from '../../collector/types.ts';
import { type Birth, birthHash, signBirth } from '../../protocol/birth.ts';
import type { EventData, EventPersonal, EventType } from '../../protocol/event.ts';
import { eventDefinition } from '../../protocol/event.ts';
import type { AgreementId, GroupId, LogId, SessionId, SourceId } from '../../protocol/ids.ts';
import { newId, toB64 } from '../../protocol/ids.ts';
import { makeLeaf } from '../../protocol/leaf.ts';
import { makeWrap, type Personal, sealPart } from '../../protocol/seal.ts';
import { type Clock, fromIso, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

export interface Draft<T extends EventType = EventType> {
  type: T;
  data: EventData<T>;
  personal?: EventPersonal<T>;
}

/** Of the world that it lives in. */
export interface HostWorld {
  readonly clock: Clock;
  readonly ctx: Context;
}

/** An agent's side: one log, one wrap per group. */
export class TestHost {
  readonly row: AgentRow;
  readonly log: LogId = newId<'log'>(randomBytes);
  readonly source: SourceId = newId<'source'>(randomBytes);
  readonly #world: HostWorld;
  readonly #ingest: Ingest;
  readonly #key: KeyObject;
  #birth!: Birth;
  #seq = 0;
  #head!: Buffer;

  constructor(world: HostWorld, ingest: Ingest, row: AgentRow, key: KeyObject) {
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
