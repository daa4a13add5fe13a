/**
 * The shape of a declaration: how the log of a tool that Tilsyn has no reader for is to be read. Written by an
 * operator, so strict, and without the power to do harm.
 *
 * M2  No pattern of a declaration can hold the agent up: patterns are matched in linear time (RE2), are of bounded
 *     size, and see lines of at most 8 KiB.
 */
import { RE2JS, RE2JSException } from 're2js';
import { z } from 'zod';
import { isAbsolutePath } from '../config-values.ts';
import { KINDS_OF_SESSION, METHODS, REASONS_OF, WAYS, WHATS } from './declared-words.ts';
import { parseTemplate, type Template } from './template.ts';
import { formatProblem, isTimeZone } from './time-format.ts';

const MAX_PATTERN_CHARS = 1_000;
/** Instructions of a compiled pattern: the time for a line is at most this times its length. */
const MAX_PATTERN_SIZE = 400;
const MAX_RULES = 64;
const MAX_TEXT = 512;

const text = (what: string) =>
  z
    .string({ error: `expected ${what}` })
    .min(1, { error: `expected ${what}` })
    .max(MAX_TEXT, {
      error: `expected at most ${MAX_TEXT} characters`,
    });

const words = <const T extends readonly string[]>(list: T) =>
  z.enum(list, { error: `expected one of: ${list.join(', ')}` });

const template = text('a text with places such as {ip}').transform((value, context): Template => {
  const parsed = parseTemplate(value);
  if (parsed !== null) return parsed;
  context.addIssue({ code: 'custom', message: 'a brace has no other half' });
  return z.NEVER;
});

const pattern = z.string({ error: 'expected a pattern' }).transform((value, context): RE2JS => {
  const made = value.length > MAX_PATTERN_CHARS ? 'is longer than 1000 characters' : compiled(value);
  if (typeof made !== 'string') return made;
  context.addIssue({ code: 'custom', message: `the pattern ${made}` });
  return z.NEVER;
});

/** The compiled pattern, or what is wrong with it. */
function compiled(value: string): RE2JS | string {
  try {
    const made = RE2JS.compile(value);
    return made.programSize() <= MAX_PATTERN_SIZE ? made : 'is too large: repeat less, or fewer times';
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    // `error parsing regexp: missing closing ): …`; what follows quotes the pattern.
    const why = error.message.split(': ')[1] ?? 'it cannot be read';
    return `is none that RE2 knows (no look-around, no references back): ${why}`;
  }
}

/** One word, or a part of the line and what its words stand for. */
function chosen<const T extends readonly string[]>(list: T) {
  const one = words(list);
  return z.union(
    [
      one,
      z.strictObject({ of: template, words: z.record(z.string().max(MAX_TEXT), one), else: one.optional() }),
    ],
    { error: `expected one of: ${list.join(', ')}; or {of: "{part}", words: {Text: word}}` },
  );
}

export const fields = z.strictObject({
  peerId: template.optional(),
  peerName: template.optional(),
  ip: template.optional(),
  localUser: template.optional(),
  technician: template.optional(),
  sessionId: template.optional(),
  kind: chosen(KINDS_OF_SESSION).optional(),
  auth: chosen(METHODS).optional(),
  direction: chosen(WAYS).optional(),
  reason: chosen(REASONS_OF.any).optional(),
  /** How often, where one line says so of several refusals. */
  count: template.optional(),
  /** Files transferred so far. */
  files: template.optional(),
});

const defaults = z.strictObject({
  direction: words(WAYS).default('incoming'),
  kind: words(KINDS_OF_SESSION).default('unknown'),
  auth: words(METHODS).nullable().default(null),
  /** Where the tool has the address of a peer from. */
  ipBasis: words(['socket', 'relay-login', 'punch', 'unknown']).default('unknown'),
});

export const time = z.strictObject({
  format: text('a preset (iso, syslog, epoch, epoch-ms) or a format such as "%Y-%m-%d %H:%M:%S"').superRefine(
    (value, context) => {
      const problem = formatProblem(value);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    },
  ),
  zone: z
    .string({ error: 'expected machine, utc or a zone such as Europe/Copenhagen' })
    .refine(isTimeZone, { error: 'expected machine, utc or a zone such as Europe/Copenhagen' }),
  /** A line that begins with no time: cannot be read, or is of the time that was read last. */
  missing: words(['unreadable', 'last']).default('unreadable'),
});

const record = {
  /** When the session ended, in the format of `time`. */
  end: template.optional(),
  /** Or how long it was: seconds, minutes, or h:mm:ss. */
  duration: template.optional(),
  durationUnit: words(['seconds', 'minutes']).default('seconds'),
};

export const rule = z.strictObject({
  /** A text that the line has to hold: looked for first, because that is fast. */
  has: text('a text').optional(),
  match: pattern,
  what: words(WHATS),
  key: template.optional(),
  fields: fields.default({}),
  ...record,
});

const common = {
  /** Name of the tool, for people. */
  tool: text('the name of a tool').max(64, { error: 'expected at most 64 characters' }),
  files: z
    .array(
      z.string({ error: 'expected a path' }).refine(isAbsolutePath, { error: 'expected an absolute path' }),
    )
    .max(16, { error: 'expected at most 16 files' })
    .default([]),
  /** Byte order marks, UTF-8 and UTF-16LE are told apart by the first bytes. */
  encoding: words(['auto']).default('auto'),
  time,
  defaults: z.preprocess((value) => value ?? {}, defaults),
};

export const lineSpec = z.strictObject({
  format: z.literal('lines'),
  ...common,
  /** What it means that a session begins under the key of one that is open. */
  sameKey: words(['replaces', 'another']).default('replaces'),
  /** The line of an end is also written where nobody got in. */
  attemptsEnd: z.boolean({ error: 'expected true or false' }).default(false),
  lines: z
    .array(rule, { error: 'expected a list of rules' })
    .min(1, { error: 'expected at least one rule' })
    .max(MAX_RULES, { error: `expected at most ${MAX_RULES} rules` }),
});

export const csvSpec = z.strictObject({
  format: z.literal('csv'),
  ...common,
  delimiter: words(['auto', ',', ';', 'tab', '|']).default('auto'),
  /** Names of the columns, in order, for a report without a line of headings. */
  columns: z.array(text('the name of a column')).max(256).optional(),
  start: template,
  ...record,
  /** Which records are meant: where a column has one of these values. */
  only: z.strictObject({ of: template, is: z.array(text('a value')).min(1).max(64) }).optional(),
  fields: fields.default({}),
});

export const declaredSchema = z.discriminatedUnion('format', [lineSpec, csvSpec], {
  error: 'expected one of: lines, csv',
});

export type LineSpec = z.output<typeof lineSpec>;
export type CsvSpec = z.output<typeof csvSpec>;
export type DeclaredSpec = z.output<typeof declaredSchema>;
export type Rule = z.output<typeof rule>;
export type Fields = z.output<typeof fields>;
export type Defaults = z.output<typeof defaults>;
