/** Why recordings stay past their time, as sweeps count them. Pure. */

/** Most that one event names. */
export const MAX_REASONS = 16;

/** Reasons that are failures, not decisions. */
const FAILURES = new Set(['blocked', 'changed', 'linked', 'not-regular']);

function isCode(reason: string): boolean {
  return /^E[A-Z]+$/.test(reason);
}

export function add(left: Map<string, number>, reason: string, n = 1): void {
  left.set(reason, (left.get(reason) ?? 0) + n);
}

export function isFailure(reason: string): boolean {
  return FAILURES.has(reason) || isCode(reason);
}
