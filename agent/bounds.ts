/**
 * How far back this agent may go, as its collector said: `bounds.json`. It lies beside the database and outlives its
 * loss, because a lost database is when old logs are read anew.
 *
 * M3  A bound only ever moves on: a collector that was restored and knows of less does not take it back.
 * M4  It is there before the first line is read: it comes with the enrolment, and anew with every `welcome`.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type Bounds, laterBounds, NO_BOUNDS, readBounds, type SignedBounds } from '../protocol/bounds.ts';
import { TilsynError } from '../protocol/errors.ts';
import { inState, readText, writeAtomic } from './files.ts';
import type { AgentIdentity } from './types.ts';

export const BOUNDS_FILE = 'bounds.json';

const bound = z.int().min(0).nullable();
const file = z.object({ v: z.literal(1), readFrom: bound, sealFrom: bound });

export class ErasedBounds {
  readonly #dir: string;
  readonly #identity: Pick<AgentIdentity, 'agent' | 'agreement' | 'identity'>;
  #bounds: Bounds;
  /** As it stands in the file. */
  #stored: Bounds;

  /** @throws TilsynError `state.unreadable` */
  constructor(dir: string, identity: Pick<AgentIdentity, 'agent' | 'agreement' | 'identity'>) {
    this.#dir = dir;
    this.#identity = identity;
    this.#stored = read(dir);
    this.#bounds = this.#stored;
  }

  get now(): Bounds {
    return this.#bounds;
  }

  /**
   * Durable when it returns. A crash before that leaves the bounds of before, and the next `welcome` says it again.
   * @returns false where it is not the collector's word to this agent: nothing of it is taken
   */
  take(signed: SignedBounds): boolean {
    const told = readBounds(this.#identity.identity, this.#identity, signed);
    if (told === null) return false;
    // In memory first: where there is no room on the disk it holds as long as this process does.
    const next = laterBounds(this.#bounds, told);
    this.#bounds = next;
    if (isDeepStrictEqual(next, this.#stored)) return true;
    writeAtomic(inState(this.#dir, BOUNDS_FILE), `${JSON.stringify({ v: 1, ...next })}\n`);
    this.#stored = next;
    return true;
  }
}

function read(dir: string): Bounds {
  const text = readText(inState(dir, BOUNDS_FILE));
  if (text === null) return NO_BOUNDS;
  const parsed = file.safeParse(parse(text));
  // Without it what was erased could be read and sealed again: not a thing to guess about.
  if (!parsed.success) {
    throw new TilsynError('state.unreadable', `reading ${BOUNDS_FILE}: it is damaged`, {
      hint: `Restore ${BOUNDS_FILE} from a backup; or move the state directory away and enrol this host anew.`,
      exit: 'integrity',
    });
  }
  const { readFrom, sealFrom } = parsed.data;
  return { readFrom, sealFrom } as Bounds;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
