/**
 * Starts `wevtutil` and hands over what it prints. The agent's only program that is started while it runs, on Windows
 * and only where remote desktop is a source (`rdp-feed.ts` says why).
 */
import { execFile } from 'node:child_process';
import { win32 } from 'node:path';
import { detectEncoding } from './decode.ts';
import type { RunWevtutil } from './rdp-feed.ts';

const TIMEOUT_MS = 60_000;
/** A page of events is a few megabytes at most. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Where Windows keeps it: by its whole path, so that nobody puts another program in its place. */
export function wevtutilPath(systemRoot: string | undefined): string {
  return win32.join(systemRoot ?? 'C:\\Windows', 'System32', 'wevtutil.exe');
}

/** Rejects with the system's own error where it cannot be started, or does not end. */
export function makeRunWevtutil(program: string, before: readonly string[] = []): RunWevtutil {
  const options = {
    encoding: 'buffer',
    windowsHide: true,
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  } as const;
  return (args) =>
    new Promise((resolve, reject) => {
      execFile(program, [...before, ...args], options, (error, stdout) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, stdout: textOf(stdout) });
        else reject(error);
      });
    });
}

/** UTF-16 where it was asked for; a version that does not know how prints as the console does. */
function textOf(bytes: Buffer): string {
  const { encoding, markBytes } = detectEncoding(bytes, true) ?? { encoding: 'utf8', markBytes: 0 };
  return bytes.subarray(markBytes).toString(encoding);
}
