/**
 * The shapes that `data` and sealed parts of events are put together from. What may be written is said here, field by
 * field; which type holds what is said in `event.ts`.
 */
import { z } from 'zod';
import { ALERT_CHECKS, ALERT_LEVELS, NOTIFY } from './alert.ts';
import { VERBS } from './frame.ts';
import { b64, DATA_CLASSES, id, iso } from './group.ts';
import { POLICY_NAME } from './policy.ts';
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
/** Why somebody who knocked did not get in. */
export const REJECTIONS = [
  'wrong-password',
  'unknown-account',
  'not-allowed',
  'cancelled',
  'version',
  'unknown',
] as const;
/** What a look at a machine's own sources found wrong; from `row-without-file` on: what a self-audit found. */
export const FINDINGS = [
  'logging-off',
  'tool-without-source',
  'nobody-listed',
  'not-replayed',
  'row-without-file',
  'row-differs',
  'file-without-row',
  'erased-present',
  'expired-present',
  'recorder-late',
  'sweep-late',
  'group-present',
  'copy-overdue',
  'canary-kept',
  'canary-erased',
  'canary-untold',
  'canary-readable',
  'chain-broken',
  'source-unread',
  'source-gap',
  'check-failed',
  'missed-run',
] as const;
/** Remote tools that can be found on a machine, whether this version reads their logs or not. */
export const FOUND_TOOLS = [
  ...TOOLS,
  'splashtop',
  'supremo',
  'ultraviewer',
  'x11vnc',
  'realvnc',
  'tightvnc',
  'logmein',
  'radmin',
  'remote-utilities',
  'zoho-assist',
  'atera',
  'kaseya',
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
/** What a tool may know a person by: an id, a key's fingerprint, an account, or where they come from. */
export const IDENTITY_KINDS = ['teamviewer', 'anydesk', 'rustdesk', 'ssh-key', 'account', 'network'] as const;
export const ROLES = ['admin', 'auditor', 'technician', 'security', 'dpo'] as const;

export const count = z.int().min(0);
export const seq = z.int().min(1);
export const hash = b64.length(43);
/** A word of the code base, from the list in `words.ts`; `makeLeaf` writes `other` for one that is not there. */
export const word: z.ZodType<string> = z.enum(REASONS);
export const verbOfReading: z.ZodType<string> = z.enum(READING_VERBS);
export const verbOfCommand: z.ZodType<string> = z.enum([...VERBS, 'other']);
/** Of a pack, or of a policy of one's own: checked when it is put in force, so that it holds a plain word only (E1). */
export const policyName: z.ZodType<string> = z.string().regex(POLICY_NAME);
export const version = z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}(-(alpha|beta|rc)\.\d{1,3})?$/);
export const text = (max: number) => z.string().max(max);
export const none = z.strictObject({});

export const sessionStart = {
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
export const sessionPersonal = z.strictObject({
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
/** Why somebody was there: a reference of the ticket system, and in a few words what for. */
export const explanation = z.strictObject({ ticket: text(128), purpose: text(512).optional() });
export const sourceData = z.strictObject({
  source: id,
  tool: z.enum(TOOLS),
  offset: count.nullable(),
  length: count.nullable(),
  count: count.nullable(),
  reason: word.nullable(),
});
export const hostPersonal = z.strictObject({
  name: text(256),
  os: text(128).optional(),
  virtualisation: text(64).optional(),
  /** What the indexes of samples stand for. */
  disks: z
    .array(z.strictObject({ index: count, mount: text(512), label: text(128).optional() }))
    .max(64)
    .optional(),
});
/** What remote tools call a device. */
export const MAX_DEVICE_IDS = 8;
export const devicePersonal = z.strictObject({
  ids: z
    .array(z.strictObject({ tool: z.enum(TOOLS), id: text(64) }))
    .min(1)
    .max(MAX_DEVICE_IDS),
});
export const agentData = z.strictObject({ version, reason: word });
export const agentAtCollector = z.strictObject({
  agent: id,
  token: id.nullable(),
  /** Who did it; absent or null: nobody, the collector saw it. */
  person: id.nullable().optional(),
  reason: word,
});
export const address = z.strictObject({ address: text(64).optional() });
export const tokenData = z.strictObject({ token: id, person: id.nullable() });
export const signin = z.strictObject({
  person: id.nullable(),
  role: z.enum(ROLES).nullable(),
  reason: word,
  /** How many refusals this event stands for; absent: one. */
  count: count.optional(),
});
export const account = z.strictObject({
  name: text(256).optional(),
  address: text(64).optional(),
  nda: text(10).optional(),
});
/** An act that needs a second person; what is asked for stands in the collector's registry. */
export const approval = z.strictObject({
  approval: id,
  verb: verbOfReading,
  /** Who asked, gave or refused; of one that was given: null where nobody was asked any more and its time was over. */
  person: id.nullable(),
  /** SHA-256 of the canonical text of what is to be done: ids, numbers and words. */
  body: hash,
});
export const reasonGiven = z.strictObject({ reason: text(512).optional() });
export const personData = z.strictObject({
  person: id,
  role: z.enum(ROLES),
  /** Who did it; absent: `collector init`. */
  by: id.optional(),
  /** False: what the role shows of other people was taken away; absent: as it was. */
  reading: z.boolean().optional(),
});
export const logAt = z.strictObject({ log: id, seq });
export const sealedAt = z.strictObject({
  log: id,
  /** The first event of the batch that it happened to. */
  seq,
  /** The group that the leaf names; null: several. */
  from: id.nullable(),
  to: id.nullable(),
  /** How many parts this event stands for; absent: one. */
  count: count.optional(),
});
export const erasure = z.strictObject({
  group: id,
  class: z.enum(DATA_CLASSES),
  policy: policyName.nullable(),
  version: count.nullable(),
  dueAt: iso.nullable(),
  count,
  /** Root of the RFC 6962 tree over what was erased. */
  listRoot: hash.nullable(),
  lateSeconds: z.int().nullable(),
  method: word,
  /** What made it due: a policy, the end of an agreement … */
  by: word.optional(),
});

export const alert = z.strictObject({
  /** One episode, from `raised` to `cleared`. */
  alert: id,
  check: z.enum(ALERT_CHECKS),
  /** Disk that it is about, as samples number them; null: the machine. */
  index: count.nullable(),
  /** The host that the collector speaks of; null: the agent that speaks. */
  agent: id.nullable(),
  /** Reached; of `cleared`: the highest of the episode. */
  level: z.enum(ALERT_LEVELS),
  /** In the unit of the check: per mille, seconds or milliseconds; null: not known. */
  value: z.int().nullable(),
  threshold: z.int().nullable(),
  /** How long the threshold was passed when this was said. */
  forSeconds: count,
  notify: z.enum(NOTIFY),
});

export const webhook = z.strictObject({
  webhook: id,
  /** Whose alerts it is sent; null: those of all. */
  customer: id.nullable(),
  /** Who did it; null: nobody, the collector saw it. */
  person: id.nullable(),
});
