/**
 * All audit-event types: the closed schema of `data` and the allow-list of the sealed part P. A schema here is
 * the record of what is collected. The table is repeated for readers in `docs/design/events.md`; a test holds
 * the two together.
 *
 * E1  `data` holds enums, integers, random ids and times; nothing personal, no free text. One word is its author's: the
 *     name of a policy of one's own, which an erasure has to name (D5, Y20).
 * E2  What is personal is named in P's allow-list and lies in a sealed part only.
 * E3  A sealed part that is not as its allow-list says is flagged as it comes in, and is never opened into an answer.
 */
import { z } from 'zod';
import { AUDIT_EVENTS } from './event-audit.ts';
import { HOLD_EVENTS } from './event-holds.ts';
import { agent, both, collector, type EventDefinition } from './event-kinds.ts';
import { RECORDING_EVENTS } from './event-recordings.ts';
import { SESSION_EVENTS } from './event-sessions.ts';
import {
  account,
  address,
  agentAtCollector,
  agentData,
  alert,
  approval,
  count,
  devicePersonal,
  erasure,
  GAP_REASONS,
  hash,
  hostPersonal,
  IDENTITY_KINDS,
  logAt,
  MODES,
  none,
  personData,
  policyName,
  ROLES,
  reasonGiven,
  sealedAt,
  seq,
  signin,
  sourceData,
  text,
  tokenData,
  verbOfCommand,
  verbOfReading,
  webhook,
  word,
} from './event-shapes.ts';
import { VAULT_EVENTS } from './event-vault.ts';
import { id, iso } from './group.ts';
import { OFFENCES } from './words.ts';

export {
  AUTH_METHODS,
  DIRECTIONS,
  FINDINGS,
  FOUND_TOOLS,
  GAP_REASONS,
  IDENTITY_KINDS,
  MAX_DEVICE_IDS,
  MODES,
  REJECTIONS,
  ROLES,
  SESSION_KINDS,
  TIME_BASES,
  TOOLS,
} from './event-shapes.ts';

export const EVENTS = {
  ...SESSION_EVENTS,
  ...HOLD_EVENTS,
  ...RECORDING_EVENTS,
  ...AUDIT_EVENTS,
  ...VAULT_EVENTS,
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
  'host.named': agent(none, hostPersonal, 'host.name'),
  'device.known': agent(none, devicePersonal, 'host.name'),
  'clock.stepped': agent(z.strictObject({ byMs: z.int(), source: id.nullable() })),
  'alert.raised': both(alert),
  'alert.changed': both(alert),
  'alert.cleared': both(alert),
  'alert.acked': collector(z.strictObject({ alert: id, person: id })),
  'webhook.added': collector(webhook),
  'webhook.removed': collector(webhook),
  'webhook.failing': collector(webhook),
  'webhook.recovered': collector(webhook),
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
  'agent.offence': collector(
    z.strictObject({
      /** Null: somebody who has not proven to be one, or more agents than are told apart in a minute. */
      agent: id.nullable(),
      reason: z.enum(OFFENCES),
      /** How often since the last such event. */
      count,
    }),
  ),
  'customer.slowed': collector(z.strictObject({ customer: id, eventsPerDay: count })),
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
  'permission.refused': collector(
    z.strictObject({
      /** Null: of several people, more than are told apart. */
      person: id.nullable(),
      role: z.enum(ROLES).nullable(),
      verb: verbOfReading,
      /** How many refusals this event stands for. */
      count,
    }),
    address,
    'audit.event',
  ),
  'person.added': collector(personData, account, 'person.account'),
  'person.changed': collector(personData, account, 'person.account'),
  'person.revoked': collector(
    z.strictObject({
      person: id,
      by: id.nullable(),
      reason: word,
      /** The approval that it rests on; absent: none was needed. */
      approval: id.optional(),
    }),
    reasonGiven,
    'person.account',
  ),
  /** What tools know this person by, for a time; goes with the person's account. */
  'person.identified': collector(
    z.strictObject({
      person: id,
      identity: id,
      kind: z.enum(IDENTITY_KINDS),
      /** Half open; null: open on that side. */
      from: iso.nullable(),
      to: iso.nullable(),
      by: id,
    }),
    z.strictObject({ value: text(256) }),
    'person.account',
  ),
  'person.unidentified': collector(z.strictObject({ person: id, identity: id, by: id })),
  /** Goes with the session data of its host and month; `person` imported it. */
  'ticket.imported': collector(
    z.strictObject({ ticket: id, agent: id, person: id, from: iso, to: iso }),
    z.strictObject({
      ticket: text(128),
      purpose: text(512).optional(),
      /** Person of the roster. */
      technician: id,
    }),
    'session',
  ),
  'approval.asked': collector(approval, reasonGiven, 'audit.event'),
  'approval.alone': collector(approval, reasonGiven, 'audit.event'),
  'approval.given': collector(approval, reasonGiven, 'audit.event'),
  'approval.refused': collector(approval, reasonGiven, 'audit.event'),
  'agreement.created': collector(
    z.strictObject({ agreement: id, customer: id, mode: z.enum(MODES), person: id.nullable() }),
  ),
  'agreement.ending': collector(
    z.strictObject({
      agreement: id,
      effectiveAt: iso,
      /** Until then it can be cancelled, and nothing is erased. */
      coolingOffUntil: iso,
      /** Null: a tombstone says so, in a state that was put back. */
      person: id.nullable(),
      /** The approval that it rests on; absent: none was needed. */
      approval: id.optional(),
    }),
    reasonGiven,
    'audit.event',
  ),
  'agreement.cancelled': collector(z.strictObject({ agreement: id, person: id }), reasonGiven, 'audit.event'),
  'agreement.ended': collector(
    z.strictObject({
      agreement: id,
      effectiveAt: iso,
      coolingOffUntil: iso,
      /** Key groups that were erased, hosts that said they hold nothing, hosts that were not waited for. */
      groups: count,
      hosts: count,
      revoked: count,
      /** Key groups that are kept, as under a hold, and go when they are let go; absent: none. */
      kept: count.optional(),
    }),
  ),
  'customer.named': collector(
    z.strictObject({ customer: id, site: id.nullable() }),
    z.strictObject({ name: text(256) }),
    'customer.name',
  ),
  /** The retention policy in force from now on; person null: `collector init`. */
  'policy.set': collector(
    z.strictObject({
      policy: policyName,
      version: count,
      person: id.nullable(),
      /** SHA-256 of the canonical text of the whole policy: what that version says. Absent: by an earlier program. */
      rules: hash.optional(),
      /** The approval that it rests on; absent: none was needed. */
      approval: id.optional(),
    }),
    reasonGiven,
    'audit.event',
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
    reasonGiven,
    'audit.event',
  ),
  'keyring.damaged': collector(z.strictObject({ group: id.nullable(), reason: word })),
  'keyring.orphan-ended': collector(z.strictObject({ group: id, reason: word })),
  /** The second copy of the keys: another one from now on; `copy` is the one that was left. */
  'keyring.second-replaced': collector(z.strictObject({ copy: id.nullable(), reason: word })),
  /** Slots were put back into a state whose slot files were lost. */
  'keyring.restored': collector(z.strictObject({ reason: word, count })),
  'collector.started': collector(agentData),
  'collector.stopped': collector(agentData),
  'collector.backed-up': collector(
    z.strictObject({
      backup: id,
      /** An escrow of the keys was made with it, to be kept until then; null: nobody has said. */
      withKeys: z.boolean(),
      keptUntil: iso.nullable(),
      /** Last leaf before this event. */
      pos: count,
    }),
  ),
  'collector.restored': collector(
    z.strictObject({
      generation: id,
      reason: word,
      /** Put back on purpose: from which backup, through which leaf, and where the keys are from. */
      backup: id.optional(),
      pos: count.optional(),
      keys: z.enum(['survived', 'escrow', 'lost']).optional(),
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
