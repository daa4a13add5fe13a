/** Rows for the contract suite. */
import { randomBytes } from 'node:crypto';
import type {
  GroupRow,
  LogRow,
  NewLeaf,
  PartRow,
  SessionRow,
  Store,
  WrapRow,
} from '../../collector/store/types.ts';
import type { AgentId, CustomerId, GroupId, Id, LogId, SessionId } from '../../protocol/ids.ts';
import { utcMs } from '../../protocol/time.ts';

const hex = () => randomBytes(16).toString('hex');
/** Fresh ids. */
export const NEW = {
  log: () => hex() as LogId,
  group: () => hex() as GroupId,
  agent: () => hex() as AgentId,
  session: () => hex() as SessionId,
  customer: () => hex() as CustomerId,
  wrap: () => hex() as Id<'wrap'>,
};

export const log = NEW.log();
export const group = NEW.group();
const wrapId = NEW.wrap();
export const at = (n: number) => utcMs(1_790_000_000_000 + n);

export function logRow(over: Partial<LogRow> = {}): LogRow {
  const birth = { v: 1, log: over.log ?? log, reason: 'enrolled' } as unknown as LogRow['birth'];
  return {
    log,
    agent: null,
    birth,
    through: 0,
    head: Buffer.alloc(32),
    state: 'open',
    createdAt: at(0),
    ...over,
  };
}

export function leaf(seq: number, of: LogId = log): NewLeaf {
  const type = seq % 2 === 0 ? 'session.ended' : 'session.started';
  const bytes = `{"seq":${seq},"text":"ærø \\u0000 ${of}"}`;
  const hash = Buffer.alloc(32, seq);
  return { log: of, seq, bytes, hash, type, at: at(seq), receivedAt: at(seq + 100) };
}

export function groupRow(id: GroupId): GroupRow {
  return {
    group: id,
    kind: 'span',
    agreement: null,
    class: 'session',
    subject: null,
    from: at(0),
    to: at(9),
    key: 'key',
    record: {
      group: id,
      kind: 'span',
      agreement: null,
      class: 'session',
      from: null,
      to: null,
      key: 'key',
      sig: 's',
    },
    slot: 1,
    state: 'live',
    dueAt: null,
    erasedAt: null,
    erasedBy: null,
    createdAt: at(0),
  };
}

export function wrap(): WrapRow {
  return { wrap: wrapId, log, group, body: Buffer.alloc(92, 5) };
}

export function part(pos: number, over: Partial<PartRow> = {}): PartRow {
  return { pos, group, under: group, wrap: wrapId, body: Buffer.alloc(284, pos), ...over };
}

export function session(over: Partial<SessionRow> = {}): SessionRow {
  return {
    session: NEW.session(),
    agent: NEW.agent(),
    customer: NEW.customer(),
    site: hex() as SessionRow['site'],
    agreement: hex() as SessionRow['agreement'],
    source: hex() as SessionRow['source'],
    tool: 'teamviewer',
    direction: 'incoming',
    kind: 'remote-control',
    mode: 'managed',
    state: 'ended',
    startedAt: at(10),
    startBasis: 'file-utc',
    occurrence: 0,
    endedAt: at(20),
    endBasis: 'file-utc',
    endReason: 'completed',
    durationSeconds: 1,
    auth: null,
    failedAttempts: null,
    files: null,
    confirmedBy: ['connections'],
    log,
    firstSeq: 1,
    lastSeq: 2,
    startedPos: 1,
    partPos: [1, 2],
    mergedInto: null,
    explainedPos: null,
    connection: null,
    connectionAt: null,
    ...over,
  };
}

/** The usual log and groups, with leaves of these seqs. */
export function put(
  store: Store,
  seqs: readonly number[],
  groups: readonly GroupId[] = [],
): Promise<number[]> {
  return store.write(async (tx) => {
    await tx.putLogs([logRow()]);
    await tx.groups.put(groups.map(groupRow));
    return tx.appendLeaves(seqs.map((seq) => leaf(seq)));
  });
}
