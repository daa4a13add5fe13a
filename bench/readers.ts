/**
 * How fast each reader of a tool's log is: a file of it, in the page cache, read to its end in this process, beside
 * `wc -l` and `grep -c` on the same file. What is counted here is the reader and the cutting of lines; events, seals
 * and the disk are `sshd-log.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MakeReader } from '../agent/sources/change.ts';
import { loadDeclared } from '../agent/sources/declared-load.ts';
import { readWhole } from '../agent/sources/read-whole.ts';
import { readerOf } from '../agent/sources/registry.ts';
import { utcMs } from '../protocol/time.ts';
import { LOG_FORMS, type LogForm, writeLog } from './log-files.ts';
import { best, command } from './parse.ts';
import type { BenchResult } from './result.ts';
import { writeSshdFile } from './sshd-file.ts';

export interface ReadersPlan {
  /** Of each file. */
  megabytes: number;
}

interface Counted {
  sessions: number;
  lines: number;
  bytes: number;
}

const SSHD = {
  name: 'sshd',
  type: 'sshd',
  part: null,
  spec: null,
  word: 'Accepted',
  told: 'started',
} as const;
const NOW = Date.UTC(2026, 10, 28);
const DAYS_MS = 27 * 86_400_000;

export async function readersBench({ megabytes }: ReadersPlan): Promise<BenchResult[]> {
  const bytes = megabytes * 1_000_000;
  const results: BenchResult[] = [];
  for (const form of [null, ...LOG_FORMS]) {
    const dir = mkdtempSync(join(tmpdir(), 'tilsyn-bench-'));
    const file = join(dir, 'log');
    try {
      const written = form === null ? writeSshd(file, bytes) : writeLog(file, form, bytes);
      results.push(...(await measure(file, form ?? SSHD, written)));
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
  return results;
}

function writeSshd(file: string, bytes: number): Counted {
  const sessions = bytes / 5_000;
  return writeSshdFile(file, { bytes, sessions, from: NOW - DAYS_MS, to: NOW });
}

type Form = Pick<LogForm, 'name' | 'type' | 'part' | 'spec' | 'word' | 'told'>;

async function measure(file: string, form: Form, written: Counted): Promise<BenchResult[]> {
  const { name, type, part, spec, word, told } = form;
  const make = await readerOf(type, part, spec === null ? null : loadDeclared(spec));
  if (make === null) throw new Error(`no reader for ${name}`);
  const read = await best(() => readFile(file, make, told, written));
  const wc = await best(() => command('wc', '-l', file));
  const grep = await best(() => command('grep', '-c', word, file));
  const rate = written.bytes / 1e6;
  return [
    { name, value: rate / read, unit: 'MB/s', against: { name: 'wc -l', value: rate / wc } },
    {
      name: `${name}, ${Math.round(written.bytes / written.lines)} bytes a line`,
      value: written.lines / read,
      unit: 'lines/s',
      against: { name: 'grep -c', value: written.lines / grep },
    },
  ];
}

/** Every session that was written has to be told, and every line understood: the fast road is no short cut. */
async function readFile(file: string, make: MakeReader, told: string, written: Counted): Promise<void> {
  const counts = { sessions: 0, unreadable: 0 };
  const whole = await readWhole(file, () => {
    const reader = make({ zone: 'UTC', near: () => utcMs(NOW), ownIps: [] });
    return ({ text }) => {
      const result = reader.line(text);
      if (!result.ok) counts.unreadable += 1;
      else for (const { what } of result.changes) counts.sessions += Number(what === told);
    };
  });
  if (counts.sessions === written.sessions && counts.unreadable === 0 && whole.lines === written.lines)
    return;
  throw new Error(`${file}: ${JSON.stringify([counts, whole, written])}`);
}
