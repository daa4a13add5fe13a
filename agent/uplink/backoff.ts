/**
 * How long the link waits before it tries again. Full jitter everywhere, so that a fleet whose collector came
 * back does not come back in one second. Nothing here ever says "no more".
 */
import { CLOSE } from '../../protocol/close-code.ts';
import { HOUR_MS, SECOND_MS } from '../../protocol/time.ts';

/** Longest wait after repeated failures. */
export const BACKOFF_MAX_MS = 300 * SECOND_MS;
/** After an established link broke. */
export const BROKEN_MAX_MS = 30 * SECOND_MS;
/** After the collector closed on purpose: it is being restarted, and so does everyone else come back. */
export const PURPOSE_MAX_MS = 60 * SECOND_MS;
/** Where both sides know that connecting again at once is the cure. */
export const PROMPT_MAX_MS = SECOND_MS;
/** More prompt returns than this without a live link between them are failures: no busy loop. */
export const PROMPT_TRIES = 3;
/** A person has to act first (revoked, two identities); still asked again, seldom. */
export const REFUSED_MIN_MS = 150 * SECOND_MS;
/** A `retryAfter` beyond this is cut: a typing error at the collector must not silence an agent for days. */
export const RETRY_AFTER_MAX_MS = HOUR_MS;

/** Why a connection is over, as far as the wait depends on it. */
export type Ending = 'failed' | 'broken' | 'purpose' | 'prompt' | 'refused';

export interface Tries {
  /** Attempts in a row that led to no useful link. */
  failures: number;
  /** Prompt returns in a row that led to no live link. */
  prompts: number;
}

export const NO_TRIES: Tries = { failures: 0, prompts: 0 };

const ENDINGS: Readonly<Record<number, Ending>> = {
  1000: 'purpose',
  1012: 'purpose',
  [CLOSE.goingAway]: 'purpose',
  [CLOSE.tryLater]: 'purpose',
  [CLOSE.outOfOrder]: 'prompt',
  [CLOSE.generationChanged]: 'prompt',
  // The next `welcome` says which log; its successor is opened there.
  [CLOSE.logRefused]: 'prompt',
  [CLOSE.notProven]: 'refused',
  [CLOSE.revoked]: 'refused',
  [CLOSE.identityConflict]: 'refused',
};

/** What a close code of the collector's means for the wait. */
export function endingOf(code: number, wasLive: boolean): Ending {
  return ENDINGS[code] ?? (wasLive ? 'broken' : 'failed');
}

export interface Wait {
  /** Milliseconds. */
  delay: number;
  tries: Tries;
  refused: boolean;
}

/**
 * The wait after an ending. `random` is in [0, 1).
 * @param retryAfterMs what the collector asked for; wins over everything else
 */
export function waitAfter(ending: Ending, tries: Tries, random: number, retryAfterMs: number | null): Wait {
  const refused = ending === 'refused';
  const next = countTry(ending, tries);
  if (retryAfterMs !== null) {
    const asked = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
    return { delay: asked + random * Math.min(asked / 10, 10 * SECOND_MS), tries: next, refused };
  }
  return { delay: plain(ending, next, random), tries: next, refused };
}

function countTry(ending: Ending, tries: Tries): Tries {
  if (ending === 'prompt' && tries.prompts < PROMPT_TRIES) return { ...tries, prompts: tries.prompts + 1 };
  return { ...tries, failures: tries.failures + 1 };
}

function plain(ending: Ending, tries: Tries, random: number): number {
  const grown = Math.min(BACKOFF_MAX_MS, SECOND_MS * 2 ** Math.min(tries.failures, 30));
  switch (ending) {
    case 'purpose':
      return random * PURPOSE_MAX_MS;
    case 'prompt':
      return random * (tries.prompts < PROMPT_TRIES ? PROMPT_MAX_MS : grown);
    case 'refused':
      return REFUSED_MIN_MS + random * (BACKOFF_MAX_MS - REFUSED_MIN_MS);
    case 'broken':
      // A link that breaks again and again before it is of use is a failure that grows.
      return random * Math.max(BROKEN_MAX_MS, grown);
    case 'failed':
      return random * grown;
  }
}
