/**
 * `host.named`: how this machine is called, sealed under the whole group of its agreement. Said once in each log,
 * and again when the name or the system changed.
 */
import { hostname, release, type } from 'node:os';
import { hasCode } from '../protocol/errors.ts';
import type { Draft, Journal } from './types.ts';

/** Longest that the sealed part takes. */
const MAX_NAME = 256;
const MAX_OS = 128;

export interface HostFacts {
  name: string;
  os: string;
}

export function hostFacts(): HostFacts {
  return { name: hostname().slice(0, MAX_NAME), os: `${type()} ${release()}`.slice(0, MAX_OS) };
}

/**
 * @returns false where there is no key group to seal it under yet: try again when groups have come
 * @throws TilsynError `journal.full` and the like
 */
export function nameHost(journal: Journal, facts: HostFacts): boolean {
  const open = journal.logs().find((log) => log.open);
  if (open === undefined) return false;
  // The journal keeps labels as keyed digests: what was said is remembered without the name being written down.
  const memory = journal.sourceId('host.named');
  const said = JSON.stringify({
    log: open.log,
    facts: journal.sourceId(`host.facts\0${facts.name}\0${facts.os}`),
  });
  if (journal.cursor(memory) === said) return true;
  const draft: Draft<'host.named'> = { type: 'host.named', data: {}, personal: { ...facts } };
  try {
    // One transaction: a crash says it again or has said it, never half.
    journal.append([draft], [{ source: memory, state: said }]);
    return true;
  } catch (error) {
    if (hasCode(error, 'seal.no-group')) return false;
    throw error;
  }
}
