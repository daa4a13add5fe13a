/** Cutting a block of bytes into lines. Pure; used by the follower, by `source test` and by the bench. */
import { decodeLine, type Encoding, findLineFeed, isPlain, unitBytes } from './decode.ts';
import type { FollowedLine } from './follow-state.ts';

export interface CutOptions {
  file: number;
  encoding: Encoding;
  /** The block starts inside a too-long line that has been reported. */
  skipping: boolean;
  maxLineBytes: number;
  maxLines: number;
}

export interface Cut {
  /** Lines found, in order. Empty ones are left out: records are newline-prefixed. */
  lines: FollowedLine[];
  /** For each line, how many line feeds of this block lie before it. */
  feedsBefore: number[];
  /** Line feeds consumed. */
  feeds: number;
  /** Bytes of the block consumed. */
  used: number;
  skipping: boolean;
}

/** Cuts what is terminated by a line feed; the unterminated rest stays, unless it is too long already. */
export function cutLines(block: Buffer, at: number, o: CutOptions): Cut {
  const cut: Cut = { lines: [], feedsBefore: [], feeds: 0, used: 0, skipping: o.skipping };
  const unit = unitBytes(o.encoding);
  const plain = o.encoding === 'utf8' && isPlain(block);
  while (cut.lines.length < o.maxLines) {
    const feed = findLineFeed(block, cut.used, o.encoding);
    if (feed === -1) {
      passOverLong(cut, block.length - ((block.length - cut.used) % unit), at, o);
      break;
    }
    if (cut.skipping) cut.skipping = false;
    else addLine(cut, block, at, feed, feed + unit, plain, o);
    cut.used = feed + unit;
    cut.feeds += 1;
  }
  return cut;
}

/** Decodes the unterminated rest of a file as a line; `end` leaves out half a code unit. */
export function tailLine(tail: Buffer, at: number, file: number, encoding: Encoding): FollowedLine {
  const { text, clean } = decodeLine(tail, 0, tail.length, encoding, false);
  const end = at + tail.length - (tail.length % unitBytes(encoding));
  return { text, file, start: at, end, problem: clean ? null : 'encoding' };
}

function addLine(
  cut: Cut,
  block: Buffer,
  at: number,
  feed: number,
  end: number,
  plain: boolean,
  o: CutOptions,
) {
  const start = cut.used;
  if (feed === start) return;
  if (feed - start > o.maxLineBytes) return push(cut, '', at + start, at + end, 'too-long', o.file);
  const { text, clean } = decodeLine(block, start, feed, o.encoding, plain);
  if (text !== '') push(cut, text, at + start, at + end, clean ? null : 'encoding', o.file);
}

/** Reports a too-long line once, as soon as it is known to be one; its rest needs no memory. */
function passOverLong(cut: Cut, end: number, at: number, o: CutOptions): void {
  if (!cut.skipping) {
    if (end - cut.used <= o.maxLineBytes) return;
    push(cut, '', at + cut.used, at + end, 'too-long', o.file);
    cut.skipping = true;
  }
  cut.used = end;
}

function push(
  cut: Cut,
  text: string,
  start: number,
  end: number,
  problem: FollowedLine['problem'],
  file: number,
): void {
  cut.lines.push({ text, file, start, end, problem });
  cut.feedsBefore.push(cut.feeds);
}
