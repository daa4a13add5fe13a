/** A state directory, a settable clock, signed groups and their private halves: what the agent's tests stand on. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, type TestContext } from 'vitest';
import { ensureStateDir } from '../../agent/files.ts';
import type { HoldBook } from '../../agent/holds/book.ts';
import type { CoverCount } from '../../agent/holds/cover.ts';
import type { AgentJournal } from '../../agent/journal.ts';
import { type OpenOptions, openJournal } from '../../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../../agent/keys.ts';
import type { Catalogue } from '../../agent/recordings/catalogue.ts';
import type { SweepStore } from '../../agent/recordings/sweep-store.ts';
import type { AuditStore } from '../../agent/self-audit/store.ts';
import type { TelemetryStore } from '../../agent/telemetry/store.ts';
import type { AgentIdentity, Draft, Outgoing } from '../../agent/types.ts';
import type { VaultStore } from '../../agent/vault/store.ts';
import type { DataClass, GroupKind, SignedGroup } from '../../protocol/group.ts';
import { signGroup, spanOf } from '../../protocol/group.ts';
import { type AgreementId, type GroupId, newId, type SessionId, type SourceId } from '../../protocol/ids.ts';
import { openPart, openWrap, type Wrap, x25519Private } from '../../protocol/seal.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { type Clock, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

export class TestClock implements Clock {
  wall = Date.UTC(2026, 10, 22, 8, 0, 0);
  ticks = 1_000;
  readonly #waiting = new Set<{ at: number; fn: () => void }>();
  now(): UtcMs {
    return utcMs(this.wall);
  }
  mono(): number {
    return this.ticks;
  }
  after(ms: number, fn: () => void): () => void {
    const entry = { at: this.ticks + ms, fn };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }
  /** Both clocks move; what is due runs. */
  advance(ms: number): void {
    this.wall += ms;
    this.ticks += ms;
    for (const entry of [...this.#waiting]) {
      if (entry.at > this.ticks) continue;
      this.#waiting.delete(entry);
      entry.fn();
    }
  }
}

const made: string[] = [];
const mounted: string[] = [];
const opened: AgentJournal[] = [];
afterEach(() => {
  for (const journal of opened.splice(0)) {
    try {
      journal.close();
    } catch {
      // Closed by the test itself.
    }
  }
  for (const dir of mounted.splice(0)) spawnSync('umount', ['-l', dir]);
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

export function stateDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-agent-'));
  made.push(dir);
  return join(dir, 'state');
}

/**
 * A file system of its own at `dir`; unmounted after the test. Where this user may not mount, the test is skipped
 * and says so.
 */
export function mountTmpfs(context: TestContext, dir: string, options: string): void {
  mkdirSync(dir, { recursive: true });
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir], { encoding: 'utf8' });
  if (done.status !== 0) {
    console.error(`NOT TESTED: no tmpfs could be mounted (${done.stderr ?? done.error})`);
    context.skip('no tmpfs could be mounted');
  }
  mounted.push(dir);
}

export function identity(mode: 'managed' | 'one-off' = 'managed'): AgentIdentity {
  return {
    agent: newId(randomBytes),
    agreement: newId(randomBytes),
    site: newId(randomBytes),
    mode,
    url: 'wss://127.0.0.1:8443',
    collectorName: 'test.example',
    identity: publicText(newSigningKey()),
    ca: null,
    enrolledAt: '2026-11-22T08:00:00.000Z',
  };
}

export interface TestGroup {
  signed: SignedGroup;
  id: GroupId;
  secret: Buffer;
}

export function group(
  kind: GroupKind,
  cls: DataClass = 'session',
  at: UtcMs = utcMs(Date.UTC(2026, 10, 22)),
): TestGroup {
  const secret = randomBytes(32);
  const id = newId<'group'>(randomBytes);
  const span = kind === 'span' ? spanOf(at, 'month') : { from: null, to: null };
  const key = kind === 'oneoff' ? null : publicText(x25519Private(secret));
  const agreement = newId<'agreement'>(randomBytes) as AgreementId;
  const signed = signGroup(newSigningKey(), { group: id, kind, agreement, class: cls, ...span, key });
  return { signed, id, secret };
}

export interface World {
  dir: string;
  clock: TestClock;
  journal: AgentJournal;
  telemetry: TelemetryStore;
  catalogue: Catalogue;
  sweeps: SweepStore;
  book: HoldBook;
  cover: CoverCount;
  audits: AuditStore;
  vault: VaultStore;
  quarantined: number | null;
  options: OpenOptions;
  /** Closes and opens again, as a restart does. */
  reopen(more?: Partial<OpenOptions>): World;
}

export function world(more: Partial<OpenOptions> = {}): World {
  const dir = more.dir ?? stateDir();
  const clock = (more.clock as TestClock | undefined) ?? new TestClock();
  ensureStateDir(dir);
  const options: OpenOptions = {
    dir,
    clock,
    identity: identity(),
    key: ensureAgentKey(dir),
    digestKey: ensureDigestKey(dir, randomBytes),
    random: randomBytes,
    version: '0.1.0',
    ...SMALL,
    ...more,
  };
  const { journal, telemetry, catalogue, sweeps, vault, audits, book, cover, quarantined } =
    openJournal(options);
  opened.push(journal);
  const reopen = (changed: Partial<OpenOptions> = {}) => {
    journal.close();
    return world({ ...options, ...changed });
  };
  return {
    dir,
    clock,
    journal,
    telemetry,
    catalogue,
    sweeps,
    vault,
    audits,
    book,
    cover,
    quarantined,
    options,
    reopen,
  };
}

/** Small, so that the tests do not write 8 MiB each. */
const SMALL = { ballastBytes: 64 * 1024 };

export function started(source: SourceId, more: Partial<Draft<'session.started'>> = {}) {
  const at = utcMs(Date.UTC(2026, 10, 22, 7));
  const draft: Draft<'session.started'> = {
    type: 'session.started',
    data: {
      session: newId(randomBytes),
      source,
      tool: 'teamviewer',
      direction: 'incoming',
      mode: 'managed',
      kind: 'remote-control',
      startedAt: toIso(at),
      startBasis: 'file-utc',
      occurrence: 0,
    },
    personal: { peerId: '1660360496', peerNames: ['peer-marker'] },
    groupAt: at,
    ...more,
  };
  return draft;
}

export function ended(session: string): Draft<'session.ended'> {
  return {
    type: 'session.ended',
    data: {
      session: session as SessionId,
      endedAt: '2026-11-22T07:10:00.000Z',
      endBasis: 'file-utc',
      durationSeconds: 600,
      reason: 'completed',
    },
  };
}

export const beat: Draft<'agent.heartbeat'> = {
  type: 'agent.heartbeat',
  data: { version: '0.1.0', reason: 'tick' },
};

/** Opens every part of a frame with the collector's keys, as ingest does. */
export function openAll(frame: Outgoing, groups: readonly TestGroup[], known = new Map<string, Buffer>()) {
  for (const { id, group: gid, body } of frame.wraps) {
    const held = groups.find((one) => one.id === gid);
    if (held === undefined) throw new Error('a wrap of a group that nobody gave');
    const wrap: Wrap = { id, group: gid, body: Buffer.from(body, 'base64url') };
    const key = openWrap(x25519Private(held.secret), held.signed.key ?? '', frame.log, wrap);
    if (key === null) throw new Error('a wrap does not open');
    known.set(id, key);
  }
  return frame.parts.map((part) => {
    const leaf = JSON.parse(frame.events[part.seq - frame.firstSeq] ?? '{}');
    const c = leaf.pii.find((entry: { group: string }) => entry.group === part.group)?.c;
    const key = known.get(part.wrap ?? '');
    if (key === undefined) throw new Error('a part whose wrap never came');
    const place = { log: frame.log, seq: part.seq, group: part.group, under: part.group };
    const out = openPart(key, place, c, Buffer.from(part.body, 'base64url'));
    if (out === null) throw new Error('a part does not open');
    return { seq: part.seq, group: part.group, p: out.p };
  });
}

export const LIMITS = { events: 500, bytes: 256 * 1024 };
