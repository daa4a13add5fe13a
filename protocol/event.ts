/**
 * All audit-event types: the closed schema of `data` and the allow-list of the sealed part P. A schema here is
 * the record of what is collected. The table is repeated for readers in `docs/design/events.md`; a test holds
 * the two together.
 *
 * E1  `data` holds enums, integers, random ids and times; nothing personal, no free text.
 * E2  What is personal is named in P's allow-list and lies in a sealed part only.
 * E3  A sealed part that is not as its allow-list says is flagged as it comes in, and is never opened into an answer.
 */
import { z } from 'zod';
import { VERBS } from './frame.ts';
import { b64, DATA_CLASSES, type DataClass, id, iso } from './group.ts';
import { PACKS } from './packs.ts';
import { READING_VERBS, REASONS } from './words.ts';

export const TOOLS = [
  'teamviewer',
  'anydesk',
  'rustdesk',
  'screenconnect',
  'sshd',
  'rdp',
  'declared',
] as const;
export const DIRECTIONS = ['incoming', 'outgoing', 'unknown'] as const;
export const MODES = ['managed', 'one-off'] as const;
export const SESSION_KINDS = [
  'remote-control',
  'file-transfer',
  'vpn',
  'presentation',
  'shell',
  'unknown',
] as const;
/** How a time is known: stated in UTC by the file, local with the header's offset, or an assumed zone. */
export const TIME_BASES = ['file-utc', 'file-offset', 'assumed-zone', 'observed'] as const;
export const AUTH_METHODS = [
  'one-time-password',
  'fixed-password',
  'key',
  'account',
  'click',
  'none',
  'unknown',
] as const;
export const GAP_REASONS = [
  'rotated-away',
  'source-lost',
  'database-lost',
  'restored',
  'collector-restored',
  'no-longer-kept',
  'disk-full',
] as const;
export const ROLES = ['admin', 'auditor', 'technician', 'security', 'dpo'] as const;

const count = z.int().min(0);
const seq = z.int().min(1);
const hash = b64.length(43);
/** A word of the code base, from the list in `words.ts`; `makeLeaf` writes `other` for one that is not there. */
const word: z.ZodType<string> = z.enum(REASONS);
const verbOfReading: z.ZodType<string> = z.enum(READING_VERBS);
const verbOfCommand: z.ZodType<string> = z.enum([...VERBS, 'other']);
const packName: z.ZodType<string> = z.enum(Object.keys(PACKS));
const version = z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}(-(alpha|beta|rc)\.\d{1,3})?$/);
const text = (max: number) => z.string().max(max);
const none = z.strictObject({});

const sessionStart = {
  session: id,
  source: id,
  tool: z.enum(TOOLS),
  direction: z.enum(DIRECTIONS),
  mode: z.enum(MODES),
  kind: z.enum(SESSION_KINDS),
  startedAt: iso,
  startBasis: z.enum(TIME_BASES),
  /** How many equal rows stood before this one in the same file; part of the natural key. */
  occurrence: count,
  /** Which files of the tool say so. */
  confirmedBy: z.array(word).max(8).optional(),
};
const sessionPersonal = z.strictObject({
  peerId: text(64).optional(),
  peerNames: z.array(text(512)).max(16).optional(),
  peerIps: z
    .array(
      z.strictObject({
        ip: text(64),
        basis: z.enum(['punch', 'relay-login', 'socket', 'unknown']),
        scope: z.enum(['public', 'private', 'own-adapter', 'unknown']),
      }),
    )
    .max(32)
    .optional(),
  localUser: text(256).optional(),
  toolSessionId: text(128).optional(),
  technician: text(256).optional(),
});
const sourceData = z.strictObject({
  source: id,
  tool: z.enum(TOOLS),
  offset: count.nullable(),
  length: count.nullable(),
  count: count.nullable(),
  reason: word.nullable(),
});
const agentData = z.strictObject({ version, reason: word });
const agentAtCollector = z.strictObject({
  agent: id,
  token: id.nullable(),
  /** Who did it; absent or null: nobody, the collector saw it. */
  person: id.nullable().optional(),
  reason: word,
});
const address = z.strictObject({ address: text(64).optional() });
const tokenData = z.strictObject({ token: id, person: id.nullable() });
const signin = z.strictObject({
  person: id.nullable(),
  role: z.enum(ROLES).nullable(),
  reason: word,
  /** How many refusals this event stands for; absent: one. */
  count: count.optional(),
});
const account = z.strictObject({
  name: text(256).optional(),
  address: text(64).optional(),
  nda: text(10).optional(),
});
const logAt = z.strictObject({ log: id, seq });
const sealedAt = z.strictObject({
  log: id,
  /** The first event of the batch that it happened to. */
  seq,
  /** The group that the leaf names; null: several. */
  from: id.nullable(),
  to: id.nullable(),
  /** How many parts this event stands for; absent: one. */
  count: count.optional(),
});
const erasure = z.strictObject({
  group: id,
  class: z.enum(DATA_CLASSES),
  policy: packName.nullable(),
  version: count.nullable(),
  dueAt: iso.nullable(),
  count,
  /** Root of the RFC 6962 tree over what was erased. */
  listRoot: hash.nullable(),
  lateSeconds: z.int().nullable(),
  method: word,
});

interface EventDefinition {
  data: z.ZodType;
  /** Allow-list of the sealed part; null where the type never has one. */
  personal: z.ZodType | null;
  /** Data class of the sealed part. */
  class: DataClass | null;
  from: 'agent' | 'collector' | 'both';
}

const agent = <D extends z.ZodType, P extends z.ZodType | null = null>(
  data: D,
  personal: P = null as P,
  cls: DataClass | null = null,
) => ({ data, personal, class: cls, from: 'agent' as const });
const collector = <D extends z.ZodType, P extends z.ZodType | null = null>(
  data: D,
  personal: P = null as P,
  cls: DataClass | null = null,
) => ({ data, personal, class: cls, from: 'collector' as const });

export const EVENTS = {
  'session.started': agent(z.strictObject(sessionStart), sessionPersonal, 'session'),
  'session.updated': agent(
    z.strictObject({
      session: id,
      auth: z.enum(AUTH_METHODS).nullable(),
      failedAttempts: count.nullable(),
      files: count.nullable(),
      confirmedBy: z.array(word).max(8),
    }),
    sessionPersonal,
    'session',
  ),
  'session.ended': agent(
    z.strictObject({
      session: id,
      endedAt: iso,
      endBasis: z.enum(TIME_BASES),
      durationSeconds: count,
      reason: z.enum(['completed', 'tool-stopped', 'unknown']),
    }),
  ),
  'session.merged': collector(z.strictObject({ session: id, into: id })),
  'source.added': agent(sourceData),
  'source.opened': agent(sourceData),
  'source.rotated': agent(sourceData),
  'source.skipped': agent(sourceData),
  'source.lost': agent(sourceData),
  'source.unreadable': agent(sourceData),
  'journal.gap': agent(
    z.strictObject({
      /** The source that bytes were lost from, with `from`/`to` as offsets; null: leaves, as seqs of `log`. */
      source: id.nullable(),
      log: id.nullable(),
      from: count,
      to: count,
      count: count.nullable(),
      reason: z.enum(GAP_REASONS),
      /** When the lost evidence was made, as far as known. */
      fromAt: iso.nullable(),
      toAt: iso.nullable(),
    }),
  ),
  'agent.started': agent(agentData),
  'agent.stopped': agent(agentData),
  'agent.restored': agent(agentData),
  'agent.heartbeat': agent(agentData),
  'host.named': agent(none, z.strictObject({ name: text(256), os: text(128).optional() }), 'host.name'),
  'clock.stepped': agent(z.strictObject({ byMs: z.int(), source: id.nullable() })),
  'command.applied': agent(
    z.strictObject({
      generation: id,
      n: seq,
      verb: verbOfCommand,
      outcome: z.enum(['done', 'failed', 'unsupported']),
    }),
  ),
  'sealed.invalid': collector(sealedAt),
  'sealed.dropped': collector(sealedAt),
  'sealed.regrouped': collector(sealedAt),
  'sealed.missing': collector(sealedAt),
  'erasure.started': { ...collector(erasure), from: 'both' },
  'erasure.done': { ...collector(erasure), from: 'both' },
  'agent.enrolled': collector(agentAtCollector, address, 'audit.event'),
  'agent.approved': collector(agentAtCollector, address, 'audit.event'),
  'agent.revoked': collector(agentAtCollector, address, 'audit.event'),
  'agent.identity-conflict': collector(agentAtCollector, address, 'audit.event'),
  'agent.resolved': collector(agentAtCollector, address, 'audit.event'),
  'agent.late': collector(agentAtCollector),
  'agent.offline': collector(agentAtCollector),
  'log.forked': collector(logAt),
  'log.quarantined': collector(logAt),
  'token.created': collector(
    tokenData,
    z.strictObject({
      address: text(64).optional(),
      /** Peers outside of it are refused. */ cidr: text(64).optional(),
    }),
    'audit.event',
  ),
  'token.used': collector(tokenData, address, 'audit.event'),
  'token.reused': collector(tokenData, address, 'audit.event'),
  'token.revoked': collector(tokenData, address, 'audit.event'),
  'signin.ok': collector(signin, address, 'audit.event'),
  'signin.refused': collector(signin, address, 'audit.event'),
  'person.added': collector(z.strictObject({ person: id, role: z.enum(ROLES) }), account, 'person.account'),
  'person.changed': collector(z.strictObject({ person: id, role: z.enum(ROLES) }), account, 'person.account'),
  'person.revoked': collector(
    z.strictObject({ person: id, by: id.nullable(), reason: word }),
    z.strictObject({ reason: text(512).optional() }),
    'person.account',
  ),
  'agreement.created': collector(
    z.strictObject({ agreement: id, customer: id, mode: z.enum(MODES), person: id.nullable() }),
  ),
  'customer.named': collector(
    z.strictObject({ customer: id, site: id.nullable() }),
    z.strictObject({ name: text(256) }),
    'customer.name',
  ),
  reading: collector(
    z.strictObject({ person: id, verb: verbOfReading, count }),
    z.strictObject({
      filter: z.record(z.string().max(40), z.string().max(512)),
      address: text(64).optional(),
    }),
    'audit.reading',
  ),
  'command.issued': collector(
    z.strictObject({
      agent: id,
      generation: id,
      n: seq,
      verb: verbOfCommand,
      person: id.nullable(),
    }),
  ),
  'keyring.damaged': collector(z.strictObject({ group: id.nullable(), reason: word })),
  'keyring.orphan-ended': collector(z.strictObject({ group: id, reason: word })),
  'collector.started': collector(agentData),
  'collector.stopped': collector(agentData),
  'collector.restored': collector(
    z.strictObject({
      generation: id,
      reason: word,
      /** Whose word it rests on: so much of `log` (null: commands) was said to be known here, and so much was. */
      agent: id.optional(),
      log: id.nullable().optional(),
      claimed: count.optional(),
      known: count.optional(),
    }),
  ),
} as const satisfies Record<string, EventDefinition>;

export type EventType = keyof typeof EVENTS;
export type EventData<T extends EventType> = z.infer<(typeof EVENTS)[T]['data']>;
export type EventPersonal<T extends EventType> = (typeof EVENTS)[T]['personal'] extends infer P
  ? P extends z.ZodType
    ? z.infer<P>
    : never
  : never;

/** The definition of a type that this version knows; undefined for any other text. */
export function eventDefinition(type: string): EventDefinition | undefined {
  return Object.hasOwn(EVENTS, type) ? EVENTS[type as EventType] : undefined;
}

/**
 * `data` as the closed schema of `type` takes it; null where it does not, with the path of the first field that is
 * wrong. A word that is on no list becomes `other`: it may hold anything, so it is not written, and an event is
 * not lost for it.
 */
export function checkData(type: string, data: unknown): { data: unknown } | { wrong: string } {
  const schema = eventDefinition(type)?.data;
  if (schema === undefined) return { wrong: 'type' };
  const first = schema.safeParse(data);
  if (first.success) return { data: first.data };
  const words = first.error.issues
    .filter((issue) => issue.code === 'invalid_value')
    .map((issue) => issue.path);
  const second = schema.safeParse(words.reduce(withOther, data));
  if (second.success) return { data: second.data };
  return { wrong: second.error.issues[0]?.path.join('.') ?? 'type' };
}

/** `data` with `other` at `path`, where a word stands there. */
function withOther(data: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined) return typeof data === 'string' ? 'other' : data;
  if (Array.isArray(data)) return data.map((item, i) => (i === key ? withOther(item, rest) : item));
  if (typeof data !== 'object' || data === null) return data;
  const record = data as Record<PropertyKey, unknown>;
  return { ...record, [key]: withOther(record[key], rest) };
}

/** True where the type is known and `data` fits its closed schema. False: `unrecognised`, stored all the same. */
export function isRecognised(type: string, data: unknown): boolean {
  return eventDefinition(type)?.data.safeParse(data).success ?? false;
}

/**
 * Whether an opened P is as the allow-list of `type` says. Null where this version does not know the type: its P
 * stays sealed, for a version that does.
 */
export function fitsPersonal(type: string, p: unknown): boolean | null {
  const definition = eventDefinition(type);
  if (definition === undefined) return null;
  return definition.personal?.safeParse(p).success ?? false;
}
