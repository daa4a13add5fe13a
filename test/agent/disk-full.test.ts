/** J7, J8 on a real file system that is really full: nothing stored is lost, nothing wedges, nothing is silent. */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { birthHash } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { beat, ended, group, LIMITS, mountTmpfs, started, stateDir, type World, world } from './support.ts';

const BALLAST = 512 * 1024;

function smallWorld(context: TestContext): World {
  const dir = stateDir();
  mountTmpfs(context, dir, 'size=12m,mode=0700');
  const w = world({ dir, ballastBytes: BALLAST });
  w.journal.addGroups([group('late').signed]);
  return w;
}

/** Takes every free byte of the volume away. */
function fillUp(dir: string): string {
  const path = join(dir, 'of-someone-else');
  for (let size = 1024 * 1024; size >= 512; ) {
    try {
      writeFileSync(path, randomBytes(size), { flag: 'a' });
    } catch {
      size /= 2;
    }
  }
  const { bavail } = statfsSync(dir);
  expect(bavail).toBe(0);
  return path;
}

/** Appends until the disk is full; returns the last reading position that was taken. */
function appendUntilFull(w: World, from = 0): number {
  const source = w.journal.sourceId('a source');
  for (let n = from; ; n += 1) {
    const rows = Array.from({ length: 20 }, () => started(source));
    const drafts = rows.flatMap((row) => [row, ended(row.data.session)]);
    try {
      w.journal.append(drafts, [{ source, state: String(n) }]);
    } catch (error) {
      if (!(error instanceof TilsynError) || error.code !== 'journal.full') throw error;
      expect(error.retryable).toBe(true);
      expect(error.hint).toMatch(/Free some space/);
      return n - 1;
    }
  }
}

const open = (w: World) => w.journal.logs().find((log) => log.open)!;

function verify(w: World): number {
  const { log, birth, head } = open(w);
  let prev = birthHash(birth);
  let after = 0;
  for (let out = w.journal.outgoing(log, 0, LIMITS); out !== null; ) {
    for (const text of out.events) {
      expect(JSON.parse(text).prev).toBe(prev.toString('base64url'));
      prev = leafHash(text);
    }
    after = out.lastSeq;
    out = w.journal.outgoing(log, after, LIMITS);
  }
  expect(head.equals(prev)).toBe(true);
  return after;
}

it('J7 a full disk refuses the append as a whole: no event, no position; the chain stays right', (context) => {
  const w = smallWorld(context);
  const last = appendUntilFull(w);
  const { next, head } = open(w);
  expect(w.journal.cursor(w.journal.sourceId('a source'))).toBe(String(last));
  expect(existsSync(join(w.dir, 'ballast'))).toBe(false);
  expect(verify(w)).toBe(next - 1);
  const again = w.reopen();
  expect(open(again)).toMatchObject({ next, head });
  expect(verify(again)).toBe(next - 1);
});

it('J7 J8 on a full disk the outbox drains, acked leaves give way, and reading goes on', (context) => {
  const w = smallWorld(context);
  const filler = fillUp(w.dir);
  const last = appendUntilFull(w);
  const { log, next } = open(w);
  let after = 0;
  for (let out = w.journal.outgoing(log, 0, LIMITS); out !== null; ) {
    after = out.lastSeq;
    w.journal.acked(log, after);
    out = w.journal.outgoing(log, after, LIMITS);
  }
  expect(after).toBe(next - 1);
  expect(w.journal.backlog()).toBe(0);
  const further = appendUntilFull(w, last + 1);
  expect(further).toBeGreaterThan(last);
  const later = open(w);
  expect(w.journal.hashAt(log, later.acked)).not.toBeNull();
  expect(w.journal.outgoing(log, later.acked, LIMITS)?.firstSeq).toBe(next);
  rmSync(filler);
  const again = w.reopen();
  expect(open(again)).toMatchObject({ next: later.next, head: later.head });
  expect(again.journal.outgoing(log, open(again).acked, LIMITS)).not.toBeNull();
});

it('J7 once there is room, reading goes on by itself and the ballast is set aside again', (context) => {
  const w = smallWorld(context);
  const filler = fillUp(w.dir);
  const last = appendUntilFull(w);
  rmSync(filler);
  const source = w.journal.sourceId('a source');
  w.journal.append([started(source)], [{ source, state: String(last + 1) }]);
  expect(w.journal.cursor(source)).toBe(String(last + 1));
  w.clock.advance(10 * 60_000);
  w.journal.prune();
  expect(existsSync(join(w.dir, 'ballast'))).toBe(true);
});

it('J7 the agent starts on a full disk, by its ballast', (context) => {
  const w = smallWorld(context);
  w.journal.append([beat, beat]);
  w.journal.close();
  fillUp(w.dir);
  const again = world(w.options);
  expect(open(again).next).toBe(3);
  again.journal.append([beat]);
  expect(verify(again)).toBe(3);
});

it('a start without any room at all says so, and may be tried again', (context) => {
  const w = smallWorld(context);
  w.journal.close();
  rmSync(join(w.dir, 'ballast'));
  const filler = fillUp(w.dir);
  expect(() => world(w.options)).toThrow(expect.objectContaining({ code: 'state.full', retryable: true }));
  rmSync(filler);
  expect(open(world(w.options)).next).toBe(1);
});

const MINUTE_SAMPLE = { cpuPermille: 1, memUsedPermille: 1, memTotalMb: 1, uptimeSeconds: 1, disks: [] };

function addSamples(w: World, count: number): boolean {
  return w.journal.spare(() => {
    for (let n = 0; n < count; n++) w.telemetry.add({ ...MINUTE_SAMPLE, at: w.clock.now() });
  });
}

it('J11 samples give way before any leaf does, and events take their room', (context) => {
  const w = smallWorld(context);
  for (let n = 0; n < 10; n++) expect(addSamples(w, 2_000)).toBe(true);
  w.journal.append([beat]);
  w.journal.acked(open(w).log, 1);
  w.journal.append([beat]);
  w.journal.acked(open(w).log, 2);
  const filler = fillUp(w.dir);
  const { kept } = w.telemetry.counts();
  const last = appendUntilFull(w);
  expect(last).toBeGreaterThan(0);
  // Everything that could be given up was, and of the leaves the first one too, but only after all samples.
  expect(w.telemetry.counts().kept).toBe(0);
  expect(kept).toBe(20_000);
  const { next } = open(w);
  const again = w.reopen();
  expect(open(again).next).toBe(next);
  rmSync(filler);
});

it('J11 the first thing that gives way is some of the samples, and no leaf', (context) => {
  const w = smallWorld(context);
  for (let n = 0; n < 10; n++) addSamples(w, 2_000);
  for (let n = 0; n < 20; n++) w.journal.append([beat]);
  w.journal.acked(open(w).log, 20);
  const filler = fillUp(w.dir);
  // The ballast serves for a while; then the first thing that goes is some samples.
  const kept = () => w.telemetry.counts().kept;
  for (let n = 0; n < 500 && kept() === 20_000; n++) w.journal.append(Array(20).fill(beat));
  expect(kept()).toBeGreaterThan(0);
  expect(kept()).toBeLessThan(20_000);
  expect(w.journal.hashAt(open(w).log, 1)).not.toBeNull();
  rmSync(filler);
});

it('J11 where space is short no sample is written, and the ballast is not touched for it', (context) => {
  const w = smallWorld(context);
  expect(addSamples(w, 1)).toBe(true);
  const filler = fillUp(w.dir);
  expect(addSamples(w, 1)).toBe(false);
  expect(existsSync(join(w.dir, 'ballast'))).toBe(true);
  expect(w.telemetry.counts().kept).toBe(1);
  rmSync(filler);
  expect(addSamples(w, 1)).toBe(true);
});
