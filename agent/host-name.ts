/**
 * `host.named`: how this machine and its disks are called, sealed under the whole group of its agreement. Said once
 * in each log, and again when something of it changed.
 */
import { hostname, release, type } from 'node:os';
import { hasCode } from '../protocol/errors.ts';
import type { EventPersonal } from '../protocol/event.ts';
import type { Draft, Journal } from './types.ts';

/** Longest that the sealed part takes. */
const MAX_NAME = 256;
const MAX_OS = 128;
/** Text of all disks together: a sealed part takes 16 KiB. */
const MAX_DISKS_CHARS = 8 * 1024;

export type HostFacts = EventPersonal<'host.named'>;
export type NamedDisk = NonNullable<HostFacts['disks']>[number];

export function hostFacts(): HostFacts {
  return { name: hostname().slice(0, MAX_NAME), os: `${type()} ${release()}`.slice(0, MAX_OS) };
}

/** As many of the disks as fit into a sealed part. */
export function fittingDisks(disks: readonly NamedDisk[]): NamedDisk[] {
  let left = MAX_DISKS_CHARS;
  return disks.filter((disk) => {
    left -= JSON.stringify(disk).length;
    return left >= 0;
  });
}

/**
 * @param provisional more will be known soon: said only where this log has no name at all yet
 * @returns false where there is no key group to seal it under yet: try again when groups have come
 * @throws TilsynError `journal.full` and the like
 */
export function nameHost(journal: Journal, facts: HostFacts, provisional = false): boolean {
  const open = journal.logs().find((log) => log.open);
  if (open === undefined) return false;
  // The journal keeps labels as keyed digests: what was said is remembered without the name being written down.
  const memory = journal.sourceId('host.named');
  const said = JSON.stringify({
    log: open.log,
    facts: journal.sourceId(`host.facts\0${JSON.stringify(facts)}`),
  });
  const before = journal.cursor(memory);
  if (before === said || (provisional && before !== null && JSON.parse(before).log === open.log)) return true;
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
