/**
 * What a person asked for, held to its schema. A refusal speaks of the option as it is typed, and of what it takes;
 * never of the value that was given.
 */
import type { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';

/** Fields whose option has another name than the field in lower case with hyphens. */
const OPTIONS: Readonly<Record<string, string>> = { ttlMs: 'ttl', customers: 'customer', startsAt: 'starts' };

/** @throws TilsynError `request.invalid` */
export function readInput<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path[0];
  if (issue === undefined || field === undefined)
    throw invalid('reading the request: it is not complete', HELP);
  if (issue.code === 'unrecognized_keys')
    throw invalid(`reading the request: there is no ${optionOf(field)} here`, HELP);
  throw invalid(`reading ${optionOf(field)}: ${whatOf(issue)}`, hintOf(issue, optionOf(field)));
}

const HELP = 'See the options with --help.';

/** `requireApproval` is typed `--require-approval`. What is no name of an option is not repeated. */
function optionOf(field: PropertyKey): string {
  const name = String(field);
  if (!/^[a-zA-Z]{1,24}$/.test(name)) return 'such option';
  return `--${OPTIONS[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function whatOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return 'this is none of its words';
  if (issue.code === 'too_big') return issue.origin === 'number' ? 'this is too much' : 'this is too long';
  if (issue.code === 'too_small') return issue.origin === 'number' ? 'this is too little' : 'this is empty';
  return 'this is not what it takes';
}

function hintOf(issue: z.core.$ZodIssue, option: string): string {
  if (issue.code === 'invalid_value') return `Use one of: ${issue.values.map(String).join(', ')}.`;
  if (issue.code === 'too_big' && issue.origin === 'number')
    return `Give ${option} at most ${issue.maximum}.`;
  if (issue.code === 'too_small' && issue.origin === 'number')
    return `Give ${option} at least ${issue.minimum}.`;
  if (issue.code === 'invalid_format' && issue.format === 'date') return `Write ${option} 2026-11-22.`;
  return HELP;
}

function invalid(message: string, hint: string): TilsynError {
  return new TilsynError('request.invalid', message, { hint, exit: 'usage' });
}
