/**
 * A small writer that behaves as TeamViewer does with `Connections_incoming.txt`, for `tilsyn quickstart`:
 * newline-prefixed rows, seven tab fields and a trailing tab, UTC, one row per session when it ends, no newline
 * at the end. Everyone in it is made up.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, SECOND_MS, toIso, type UtcMs, utcMs } from '../protocol/time.ts';

const PEOPLE = [
  ['410200317', 'Sample Support Ada'],
  ['1522004418', 'Sample Support Bo'],
  ['988314207', 'Sample Vendor Cai'],
] as const;
const TYPES = ['RemoteControl', 'RemoteControl', 'Filetransfer'] as const;

function stamp(at: UtcMs): string {
  const iso = toIso(at);
  return `${iso.slice(8, 10)}-${iso.slice(5, 7)}-${iso.slice(0, 4)} ${iso.slice(11, 19)}`;
}

/** One row as TeamViewer writes it, for a session that ended at `endedAt`. */
export function sampleRow(endedAt: UtcMs): string {
  const [peer, name] = PEOPLE[randomInt(PEOPLE.length)] ?? PEOPLE[0];
  const type = TYPES[randomInt(TYPES.length)] ?? TYPES[0];
  const startedAt = utcMs(endedAt - randomInt(30, 1800) * SECOND_MS);
  // About every fourth real row has no GUID.
  const guid = randomInt(4) === 0 ? '' : `{${randomUUID()}}`;
  return `\n${peer}\t${name}\t${stamp(startedAt)}\t${stamp(endedAt)}\toperator\t${type}\t${guid}\t`;
}

/** Appends a row at once and then every `everyMs`; the returned function stops it. */
export function startSampleWriter(file: string, clock: Clock, everyMs = 4 * SECOND_MS): () => void {
  mkdirSync(dirname(file), { recursive: true });
  let cancel = () => {};
  const write = () => {
    appendFileSync(file, sampleRow(clock.now()));
    cancel = clock.after(everyMs, write);
  };
  cancel = clock.after(SECOND_MS, write);
  return () => cancel();
}

/** Writes one of quickstart's own small files, for this user only. */
export function writeQuickstartFile(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}
