/**
 * Puts drafts into a log: leaf, commitment, sealed part and wrap, each in its table, all in the caller's
 * transaction.
 */
import type { EventType } from '../protocol/event.ts';
import type { Id, LogId, SessionId } from '../protocol/ids.ts';
import { idBytes } from '../protocol/ids.ts';
import { makeLeaf } from '../protocol/leaf.ts';
import type { Wrap } from '../protocol/seal.ts';
import type { Clock, UtcMs } from '../protocol/time.ts';
import type { Db, Statement } from './db.ts';
import type { GroupBook, HeldGroup } from './journal-groups.ts';
import type { SourceBook } from './journal-sources.ts';
import { type SealedPart, type Sealer, sessionOf } from './sealer.ts';
import type { Draft } from './types.ts';

/** Where a log stands while a transaction adds to it. */
export interface Head {
  id: number;
  log: LogId;
  next: number;
  head: Buffer;
}

export interface WriterOptions {
  db: Db;
  clock: Clock;
  /** 16 hex characters, new at each start of the process. */
  boot: string;
  sealer: Sealer;
  groups: GroupBook;
  sources: SourceBook;
}

export class LeafWriter {
  readonly #o: WriterOptions;
  readonly #started: number;
  readonly #leaf: Statement;
  readonly #part: Statement;
  readonly #wrap: Statement<unknown[], { id: number }>;

  constructor(options: WriterOptions) {
    this.#o = options;
    this.#started = options.clock.mono();
    this.#leaf = options.db.prepare(
      'INSERT INTO leaves (log, seq, bytes, hash, at, source, from_offset) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#part = options.db.prepare('INSERT INTO parts (log, seq, grp, wrap, body) VALUES (?, ?, ?, ?, ?)');
    this.#wrap = options.db.prepare<unknown[], { id: number }>(
      `INSERT INTO wraps (wrap, grp, log, first_seq, last_seq, body) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (wrap) DO UPDATE SET last_seq = excluded.last_seq RETURNING id`,
    );
  }

  /** Appends to `head`, which it moves. Inside a transaction that fails as a whole. */
  append(head: Head, drafts: readonly Draft[]): void {
    const now = this.#o.clock.now();
    const ending = endingIn(drafts);
    let dropped = 0;
    for (const draft of drafts) dropped += this.#one(head, draft, now, ending);
    this.#o.sources.count('secrets-dropped', dropped);
    this.#bindSessions(ending, now);
  }

  #one<T extends EventType>(head: Head, draft: Draft<T>, at: UtcMs, ending: ReadonlySet<SessionId>): number {
    const { clock, boot, sealer, sources } = this.#o;
    const { log, next: seq, head: prev } = head;
    const { pii, part, dropped } = sealer.seal(log, seq, draft, ending);
    const up = clock.mono() - this.#started;
    const leaf = makeLeaf({ log, seq, prev, at, boot, up, type: draft.type, data: draft.data, pii });
    const source = draft.from === undefined ? null : sources.row(draft.from.source).id;
    this.#leaf.run(head.id, seq, leaf.text, leaf.hash, at, source, draft.from?.offset ?? null);
    if (part !== null) this.#storePart(head, part);
    head.next = seq + 1;
    head.head = leaf.hash;
    return dropped;
  }

  /** The wrap first: with the first part that names it, in the same transaction (K3). */
  #storePart(head: Head, part: SealedPart): void {
    const wrap = part.wrap === null ? null : this.#storeWrap(head, part.wrap, part.group);
    this.#part.run(head.id, head.next, part.group.id, wrap, part.body);
  }

  #storeWrap(head: Head, wrap: Wrap, group: HeldGroup): number {
    const row = this.#wrap.get(idBytes(wrap.id as Id), group.id, head.id, head.next, head.next, wrap.body);
    return (row as { id: number }).id;
  }

  /** A session that goes on after this transaction remembers its group; one that ended forgets it (K2, O1). */
  #bindSessions(ending: ReadonlySet<SessionId>, now: UtcMs): void {
    const { groups, sealer } = this.#o;
    const open = sealer.bound();
    for (const session of ending) {
      open.delete(session);
      groups.endOneOff(session, now);
      groups.freeSession(session);
    }
    for (const [session, group] of open) groups.bindSession(session, group);
  }
}

function endingIn(drafts: readonly Draft[]): Set<SessionId> {
  const ended = drafts.filter(({ type }) => type === 'session.ended').map((draft) => sessionOf(draft));
  return new Set(ended.filter((session) => session !== null));
}
