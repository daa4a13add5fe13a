/**
 * `collector.json` in the state directory: what `collector init` decided. Strict: an unknown key is an error that
 * names the nearest known one.
 */
import { isIP } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import { readPeriod } from '../protocol/period.ts';
import { isZone } from '../protocol/zone.ts';
import type { BackupsKept } from './erasing/certificate.ts';
import { readText, writeAtomic } from './files.ts';

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/);
const CONFIG_NAME = 'collector.json';

/** Which sessions people are told of. The two that judge staff are off unless they stand here. */
const sessionRules = z.strictObject({
  /** Somebody whom no `person id add` knows. Absent: true where anything of a roster is known. */
  unknown: z.boolean().optional(),
  /** Told of where a host has denied more attempts than this within an hour; null: never. Absent: 4. */
  deniedMoreThan: z.int().min(0).max(1_000_000).nullable().optional(),
  /** Sessions that begin outside of these hours are told of; absent: off. Judges staff: tell them first. */
  workingHours: z
    .strictObject({
      /** 1 Monday … 7 Sunday. */
      days: z.array(z.int().min(1).max(7)).min(1).max(7),
      /** Local time of `zone`, `07:00`; `to` is the first minute that is outside. */
      from: clockTime,
      to: clockTime,
      zone: z.string().max(64).refine(isZone, 'no time zone'),
    })
    .refine(({ from, to }) => from < to, { message: 'from is not before to', path: ['to'] })
    .optional(),
  /** Sessions that run for longer than this are told of; absent: off. Judges staff: tell them first. */
  longerThanHours: z.int().min(1).max(720).optional(),
});
const sessionAlerts = sessionRules.extend({
  /** Instead of the above, by id of a customer (`agreement list -o json`). */
  customers: z.record(z.string().regex(/^[0-9a-f]{32}$/), sessionRules).optional(),
});
export type SessionRules = z.infer<typeof sessionRules>;
export type SessionAlerts = z.infer<typeof sessionAlerts>;

const shape = {
  v: z.literal(1),
  /** Origin: part of every proof and, later, of every checkpoint. Never changed. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/),
  /** `wss://host:port` that enrolment tokens carry. */
  url: z.string().max(512),
  /** Policy pack by name; decides the spans of key groups. */
  policy: z.string().max(64),
  /** Folder of the second copy of `keys.slots`, on another device; null: none, a standing warning. */
  keys2: z.string().nullable(),
  /** Null: own CA. Otherwise the operator's files, read at each start. */
  tls: z.strictObject({ cert: z.string(), key: z.string() }).nullable(),
  /** True: who has no date of a non-disclosure agreement is shown no personal data (`person add --nda`). */
  requireNda: z.boolean().optional(),
  /**
   * How long backups and images of this machine are kept (VM snapshots, disk images): `P30D` and the like, or `none`
   * where none are made; absent: nobody has said, and every certificate of an erasure says that.
   */
  backupsKeptFor: z
    .string()
    .max(64)
    .refine((text) => text === 'none' || readPeriod(text) !== null, {
      error: 'not an ISO 8601 period (P30D), and not none',
    })
    .optional(),
  /** Events that the agents of one customer may send in a day at full speed; absent: `EVENTS_PER_DAY` of `quotas.ts`. */
  customerEventsPerDay: z.int().min(1_000).optional(),
  /** Alerts from sessions; absent: those that judge no staff, once there is a roster (`session-alerts-rules.ts`). */
  sessionAlerts: sessionAlerts.optional(),
};
const schema = z.strictObject(shape);
/** As a backup carries it; a later version may add to it. */
export const configShape = schema;
export type CollectorConfig = z.infer<typeof schema>;

export function backupsKeptOf({ backupsKeptFor }: Pick<CollectorConfig, 'backupsKeptFor'>): BackupsKept {
  if (backupsKeptFor === undefined || backupsKeptFor === 'none') return backupsKeptFor ?? null;
  return readPeriod(backupsKeptFor);
}

/** Files of a state directory, by what they are for. */
export function statePaths(dir: string) {
  const at = (name: string) => join(dir, name);
  return {
    config: at(CONFIG_NAME),
    database: at('collector.db'),
    identity: at('identity.pem'),
    ledger: at('ledger.pem'),
    caCert: at('ca.pem'),
    caKey: at('ca.key'),
    serverCert: at('server.pem'),
    serverKey: at('server.key'),
    slots: at('keys.slots'),
    adminToken: at('admin.token'),
    webhooks: at('webhooks'),
    /** Folder: a file of samples per agreement. */
    telemetry: at('telemetry'),
  };
}
export type StatePaths = ReturnType<typeof statePaths>;

/** @throws TilsynError `collector.absent`, `collector.config` */
export function readConfig(dir: string): CollectorConfig {
  const text = readText(statePaths(dir).config);
  if (text === null) {
    throw new TilsynError(
      'collector.absent',
      'opening the collector: there is none in this state directory',
      {
        hint: 'Make one with `tilsyn collector init --state DIR --policy PACK`, or look at --state.',
        exit: 'notFound',
      },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken('it is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === 'unrecognized_keys') throw broken(unknownKey(issue.keys[0] ?? '', issue.path));
  throw broken(`field ${issue?.path.join('.') || 'v'} is not as it must be`);
}

function broken(why: string): TilsynError {
  return new TilsynError('collector.config', `reading ${CONFIG_NAME}: ${why}`, {
    hint: `Mend ${CONFIG_NAME} in the state directory; \`tilsyn collector init\` wrote it.`,
    exit: 'usage',
  });
}

function unknownKey(key: string, path: readonly PropertyKey[]): string {
  const [nearest] = keysAt(path).sort((a, b) => distance(key, a) - distance(key, b));
  return `unknown key ${JSON.stringify(key.slice(0, 64))}; the nearest known one is ${nearest}`;
}

/** Known keys at a place of the file. */
function keysAt(path: readonly PropertyKey[]): string[] {
  if (path[0] !== 'sessionAlerts') return Object.keys(shape);
  if (path.at(-1) === 'workingHours') return ['days', 'from', 'to', 'zone'];
  return Object.keys(path.length === 1 ? sessionAlerts.shape : sessionRules.shape);
}

/** Edits between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Commit point of `collector init`: a state directory with this file is a whole one. */
export function writeConfig(dir: string, config: CollectorConfig): void {
  writeAtomic(statePaths(dir).config, `${JSON.stringify(schema.parse(config), null, 2)}\n`);
}

/** @throws TilsynError `collector.name` */
export function checkName(name: string): string {
  if (shape.name.safeParse(name).success) return name;
  throw new TilsynError('collector.name', 'naming the collector: use letters, digits, dots and hyphens', {
    hint: 'For example --name tilsyn.example.',
    exit: 'usage',
  });
}

/** `wss://host:port` in one form. @throws TilsynError `collector.url` */
export function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url?.username === '' && url.pathname.length <= 1 && url.search === '' && url.hash === '';
  if (url !== null && url.protocol === 'wss:' && url.hostname !== '' && plain) {
    return `wss://${url.hostname}:${url.port === '' ? '443' : url.port}`;
  }
  throw new TilsynError('collector.url', 'reading --url: it must be wss://host:port', {
    hint: 'TLS is never off, also on loopback: for example --url wss://127.0.0.1:8443.',
    exit: 'usage',
  });
}

/** Host of a URL as sockets and certificates write it: an IPv6 address without its brackets. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** `host:port`, an IPv6 address in brackets. @throws TilsynError `listen.address` */
export function readListen(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  const host = match?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  const port = Number(match?.[2]);
  if (match !== null && port <= 65_535 && (isIP(host) !== 0 || host === 'localhost')) return { host, port };
  throw new TilsynError('listen.address', 'reading --listen: it must be address:port', {
    hint: 'For example --listen 127.0.0.1:8443, or --listen 0.0.0.0:8443 for all addresses.',
    exit: 'usage',
  });
}
