/** A whole file as lines, once and from its start, in bounded memory; for `source test`. Nothing is stored. */
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, hasCode, TilsynError } from '../../protocol/errors.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { detectEncoding, type Encoding } from './decode.ts';
import { READ_ONLY } from './follow-disk.ts';
import { cutLines, tailLine } from './follow-lines.ts';
import type { FollowedLine } from './follow-state.ts';

export interface WholeFile {
  sizeBytes: number;
  encoding: Encoding;
  /** Lines that are not empty. */
  lines: number;
  /** True where no newline follows the last line. */
  unterminated: boolean;
}

const BLOCK_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 64 * 1024;

/** `number`: of the line in the file, from 1. */
export type TakeLine = (line: FollowedLine, number: number) => void;

/**
 * @param begin is told of the file before its first line is read: what takes its lines
 * @throws TilsynError `source.missing`, `source.not-a-file`, `source.unreadable`
 */
export async function readWhole(file: string, begin: (changedAt: UtcMs) => TakeLine): Promise<WholeFile> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(file, READ_ONLY);
    const stat = await handle.stat();
    if (!stat.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' });
    return await readAll(handle, begin(utcMs(Math.floor(stat.mtimeMs))));
  } catch (error) {
    throw explained(file, error);
  } finally {
    await handle?.close();
  }
}

async function readAll(handle: FileHandle, take: TakeLine): Promise<WholeFile> {
  const whole: WholeFile = { sizeBytes: 0, encoding: 'utf8', lines: 0, unterminated: false };
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let feeds = 0;
  let offset = 0;
  let skipping = false;
  for (;;) {
    const { bytesRead } = await handle.read(block, 0, block.length, offset);
    // A short read may be followed by more; only an empty one is the end, and then nothing is left over.
    const final = offset + bytesRead >= (await handle.stat()).size;
    let part = block.subarray(0, bytesRead);
    if (offset === 0) {
      const detected = detectEncoding(part, true) ?? { encoding: 'utf8', markBytes: 0 };
      whole.encoding = detected.encoding;
      offset = detected.markBytes;
      part = part.subarray(offset);
    }
    const cut = cutLines(part, offset, {
      file: 0,
      encoding: whole.encoding,
      skipping,
      maxLineBytes: MAX_LINE_BYTES,
      maxLines: Number.POSITIVE_INFINITY,
    });
    for (const [index, line] of cut.lines.entries()) take(line, feeds + (cut.feedsBefore[index] ?? 0) + 1);
    whole.lines += cut.lines.length;
    feeds += cut.feeds;
    offset += cut.used;
    skipping = cut.skipping;
    if (!final && bytesRead > 0) continue;
    const last = tailLine(part.subarray(cut.used), offset, 0, whole.encoding);
    if (last.text !== '') take(last, feeds + 1);
    whole.lines += last.text === '' ? 0 : 1;
    whole.unterminated = last.text !== '' || skipping;
    whole.sizeBytes = offset + part.length - cut.used;
    return whole;
  }
}

function explained(file: string, cause: unknown): unknown {
  if (hasCode(cause, 'ENOENT', 'ENOTDIR')) {
    return new TilsynError('source.missing', `testing ${file}: there is no such file`, {
      exit: 'notFound',
      hint: "`tilsyn source detect` shows where this machine's files were looked for.",
      cause,
    });
  }
  if (hasCode(cause, 'EISDIR')) {
    const hint = 'Name the file itself, such as Connections_incoming.txt in that folder.';
    return new TilsynError('source.not-a-file', `testing ${file}: it is not a file`, {
      exit: 'usage',
      hint,
      cause,
    });
  }
  const denied = hasCode(cause, 'EACCES', 'EPERM');
  const hint = denied ? 'Run this as the account that the agent runs as, or as an administrator.' : undefined;
  return new TilsynError('source.unreadable', `testing ${file}: it cannot be read (${codeOf(cause)})`, {
    retryable: !denied,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
