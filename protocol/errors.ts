/**
 * The one error class of the product. A message says what was being done to which thing, a hint names a
 * command or a setting that helps. Neither ever holds personal data.
 *
 * X6  Whatever is thrown has a code; logs show the code, never the text of a foreign error.
 */

/** Exit codes of the command line; the contract is in `docs/design/cli.md`. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  signedOut: 4,
  forbidden: 5,
  findings: 6,
  conflict: 7,
  integrity: 8,
  unreachable: 9,
  partly: 10,
  timeout: 124,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof EXIT;

export interface ErrorOptions {
  /** A command or a setting that helps. */
  hint?: string;
  /** Exit code of the command line, by name; `failed` unless said. */
  exit?: ExitName;
  /** True where the same act may succeed later without anyone changing anything. */
  retryable?: boolean;
  /** Id of the approval that the act waits for. */
  approval?: string;
  cause?: unknown;
}

/** Thrown or returned, never logged and passed over. */
export class TilsynError extends Error {
  override readonly name = 'TilsynError';
  /** Stable, dotted, lower case: `config.unknown-key`. Scripts match on it. */
  readonly code: string;
  readonly hint: string | null;
  readonly exit: ExitName;
  readonly retryable: boolean;
  readonly approval: string | null;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? null;
    this.exit = options.exit ?? 'failed';
    this.retryable = options.retryable ?? false;
    this.approval = options.approval ?? null;
  }

  /** Shape of `-o json` errors and of the API's error bodies. */
  toJSON(): { error: { code: string; message: string; hint: string | null; approval?: string } } {
    const { code, message, hint, approval } = this;
    return { error: { code, message, hint, ...(approval === null ? {} : { approval }) } };
  }
}

/** True for a system error with one of these codes (`ENOENT`, `EADDRINUSE`, `SQLITE_FULL` …). */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return typeof error.code === 'string' && codes.includes(error.code);
}

/** The error code of anything thrown, for logs: never its text, which may quote a line or a name. */
export function codeOf(error: unknown): string {
  if (error instanceof TilsynError) return error.code;
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return error instanceof Error ? error.name : 'unknown';
}
