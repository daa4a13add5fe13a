import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../agent/log.ts';
import { recordingAnswers } from '../../../agent/recordings/answers.ts';
import { Keeper } from '../../../agent/recordings/keeper.ts';
import { MARKER_FILE, markerText, readMarker } from '../../../agent/recordings/root.ts';
import { openRoots } from '../../../agent/recordings/roots.ts';
import { setPolicy } from '../../../agent/recordings/rules.ts';
import { TrustedTime } from '../../../agent/trusted-time.ts';
import type { Doing } from '../../../agent/uplink/commands.ts';
import { type Id, newId, type SourceId } from '../../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../../protocol/time.ts';
import { identity, type World, world } from '../support.ts';
import { frigatePath, THIRTY_DAYS } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);
const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

interface House {
  base: World;
  keeper: Keeper;
  time: TrustedTime;
  rules: (body: Record<string, unknown>) => Doing;
  root: string;
  confirmed: { at: UtcMs | null };
  ask(verb: string, body?: Record<string, unknown>): Promise<Record<string, unknown>>;
  files: string[];
  has(path: string): boolean;
  told(type: string): Record<string, unknown>[];
}

/** A machine with one root: recordings of 31, 29 and 5 days; `marked`: a person accepted it. */
async function house({
  marked = true,
  mode = 'erase' as 'erase' | 'report',
  policy = true,
} = {}): Promise<House> {
  const base = world();
  const home = mkdtempSync(join(tmpdir(), 'tilsyn-keeper-'));
  made.push(home);
  const root = join(home, 'rec');
  mkdirSync(root);
  const source = newId<'source'>(randomBytes) as SourceId;
  if (marked) writeFileSync(join(root, MARKER_FILE), markerText(source));
  const time = new TrustedTime(base.clock, { boot: () => 'b', uptimeMs: () => base.clock.mono() });
  const { journal, catalogue, sweeps, clock } = base;
  const confirmed: { at: UtcMs | null } = { at: null };
  const keeper = new Keeper({
    confirmedAt: () => confirmed.at,
    configured: [
      { type: 'recordings', root, layout: 'frigate', timeZone: 'UTC', longestSegment: null, mode },
    ],
    ...{ journal, catalogue, sweeps, clock, time },
    identity: identity(),
    random: randomBytes,
    log: silentLog,
    faults: {},
    schedule: '17 * * * *',
    freshnessMs: DAY_MS,
    floorMs: DAY_MS,
    zone: 'UTC',
    counted: () => {},
    watcher: () => ({ pass: async () => {}, start: () => {}, stop: async () => {} }),
  });
  await keeper.start();
  const files = [31, 29, 5].map((days) => frigatePath(NOW - days * DAY_MS, 'gate'));
  journal.transact(() => {
    const id = keeper.roots[0]?.id ?? 0;
    catalogue.setState(id, 'watched');
    for (const path of files) {
      const full = join(root, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, 'footage');
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      let folder = catalogue.folder(id, null, '');
      for (const part of parts) folder = catalogue.folder(id, folder.id, part);
      const start = Date.parse(`${path.slice(0, 10)}T08:00:00Z`);
      const camera = catalogue.camera(id, 'gate').id;
      const row = { folder: folder.id, name, camera, start, spread: 0, ends: start + 10 * MINUTE_MS };
      catalogue.put({ ...row, size: 7, inode: lstatSync(full).ino });
    }
    return { tell: [] };
  });
  const rules = (body: Record<string, unknown>) => setPolicy({ journal, sweeps, clock }, body);
  if (policy) rules({ class: 'recording', policy: THIRTY_DAYS });
  const answers = recordingAnswers({ keeper, sweeps, now: () => time.now() });
  return {
    ...{ base, keeper, time, root, files, rules, confirmed },
    ask: async (verb, body = {}) => (await answers[verb]?.(body)) ?? {},
    has: (path) => {
      try {
        return lstatSync(join(root, path)).isFile();
      } catch {
        return false;
      }
    },
    told(type) {
      const out = journal.outgoing(journal.logs()[0]?.log ?? ('' as never), 0, {
        events: 500,
        bytes: 250_000,
      });
      const leaves = (out?.events ?? []).map((text) => JSON.parse(text) as { type: string; data: never });
      return leaves.filter((leaf) => leaf.type === type).map(({ data }) => data);
    },
  };
}

/** The collector speaks: its time, and that all commands took effect. */
function word(it: House, at = NOW): void {
  it.time.stated(utcMs(at));
  it.confirmed.at = it.time.now();
}

/** Approves the plan of the first sweep. */
async function opened(it: House): Promise<void> {
  await it.keeper.sweepAll();
  const { plans } = (await it.ask('sweep.plan')) as { plans: { plan: string | null }[] };
  const said = await it.keeper.approve({ plan: plans[0]?.plan });
  expect(said.outcome).toBe('done');
  await it.keeper.sweepAll();
}

describe('agent/recordings/keeper: an ordinary day', () => {
  it('R6 the first sweep waits for a person, the next ones run by the schedule', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await it1.keeper.sweepAll();
    expect(it1.files.map(it1.has)).toEqual([true, true, true]);
    expect(it1.told('sweep.waiting')).toMatchObject([{ reason: 'first-sweep', count: 1 }]);
    await opened(it1);
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    // A day later, hour after hour, nobody is asked again.
    for (let hour = 0; hour < 26; hour++) {
      it1.base.clock.advance(HOUR_MS);
      word(it1, NOW + (hour + 1) * HOUR_MS);
      await it1.keeper.sweepAll();
    }
    expect(it1.files.map(it1.has)).toEqual([false, false, true]);
    expect(it1.told('sweep.waiting')).toHaveLength(1);
    await it1.keeper.stop();
  });

  it('C42 why it waits is told when the reason changes', async () => {
    const it1 = await house({ policy: false });
    for (let n = 0; n < 3; n++) await it1.keeper.sweepAll();
    it1.rules({ class: 'recording', policy: THIRTY_DAYS });
    for (let n = 0; n < 3; n++) await it1.keeper.sweepAll();
    it1.base.clock.wall = NOW;
    it1.time.stated(utcMs(NOW));
    for (let n = 0; n < 3; n++) await it1.keeper.sweepAll();
    expect(it1.told('sweep.waiting').map(({ reason }) => reason)).toEqual([
      'no-policy',
      'never-told',
      'commands-unconfirmed',
    ]);
    await it1.keeper.stop();
  });

  it('policy.set takes rules for recordings alone, and nothing that is no policy', async () => {
    const it1 = await house({ policy: false });
    const said = async (body: Record<string, unknown>) => it1.rules(body).outcome;
    expect(await said({ class: 'session', policy: THIRTY_DAYS })).toBe('failed');
    expect(await said({ class: 'recording', policy: { name: 'x' } })).toBe('failed');
    expect(it1.keeper.around()).toBeNull();
    expect(await said({ class: 'recording', policy: THIRTY_DAYS })).toBe('done');
    expect(it1.keeper.around()?.policy.name).toBe('dk-msp');
    await it1.keeper.stop();
  });
});

describe('agent/recordings/keeper: clocks that are set', () => {
  it.each([
    ['60 days forward', 60 * DAY_MS],
    ['60 days back', -60 * DAY_MS],
    ['a minute in 2031', 5 * 365 * DAY_MS],
  ])('C1 %s: no early erasure, no silent extension', async (_, by) => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await opened(it1);
    it1.base.clock.wall += by;
    await it1.keeper.sweepAll();
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    // Two days pass, whatever the wall clock shows.
    for (let hour = 0; hour < 26; hour++) {
      it1.base.clock.ticks += HOUR_MS;
      word(it1, NOW + (hour + 1) * HOUR_MS);
      await it1.keeper.sweepAll();
    }
    expect(it1.files.map(it1.has)).toEqual([false, false, true]);
    await it1.keeper.stop();
  });

  it('C1 a frozen wall clock, without the collector: erasing goes on by monotonic time until the word is too old', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await opened(it1);
    it1.base.clock.ticks += 23 * HOUR_MS;
    await it1.keeper.sweepAll();
    expect(it1.keeper.waiting(it1.keeper.roots[0]?.id ?? 0)).toBeNull();
    it1.base.clock.ticks += 2 * HOUR_MS;
    await it1.keeper.sweepAll();
    expect(it1.keeper.waiting(it1.keeper.roots[0]?.id ?? 0)?.reason).toBe('commands-unconfirmed');
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    await it1.keeper.stop();
  });

  it('C14 the collector’s own clock steps: it stops, says so, and goes on when two clocks agree again', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await opened(it1);
    word(it1, NOW + 60 * DAY_MS);
    await it1.keeper.sweepAll();
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    expect(it1.told('sweep.waiting').at(-1)).toMatchObject({ reason: 'conflict' });
    for (let hour = 0; hour < 26; hour++) {
      it1.base.clock.advance(HOUR_MS);
      word(it1, NOW + (hour + 1) * HOUR_MS);
      await it1.keeper.sweepAll();
    }
    expect(it1.files.map(it1.has)).toEqual([false, false, true]);
    await it1.keeper.stop();
  });
});

describe('agent/recordings/roots', () => {
  it('C45, C41 a root without a marker is only reported until a person accepts it', async () => {
    const it1 = await house({ marked: false });
    it1.base.clock.wall = NOW;
    word(it1);
    await it1.keeper.sweepAll();
    expect(it1.keeper.status()).toMatchObject([{ state: 'not-accepted', type: 'recordings' }]);
    expect(it1.told('sweep.waiting')).toMatchObject([{ reason: 'not-accepted' }]);
    expect(readMarker(it1.root)).toBe('missing');
    expect((await it1.keeper.set({ act: 'accept-root', root: it1.root })).outcome).toBe('done');
    expect(readMarker(it1.root)).toBe(it1.keeper.roots[0]?.source);
    expect(it1.told('recordings.accepted')).toMatchObject([{ reason: 'person' }]);
    await opened(it1);
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    await it1.keeper.stop();
  });

  it('C40 a lost catalogue takes its source from the marker, and starts without approval', async () => {
    const it1 = await house();
    const source = readMarker(it1.root);
    const other = world();
    const { journal, catalogue, sweeps } = other;
    const configured = { type: 'recordings', root: it1.root, layout: 'frigate', timeZone: 'UTC' } as const;
    const deps = { journal, catalogue, sweeps };
    const [root] = openRoots(deps, [{ ...configured, longestSegment: null, mode: 'erase' }]);
    expect(root?.source).toBe(source);
    expect(sweeps.sources()).toMatchObject([{ source, approved: false, state: 'first-scan' }]);
    await it1.keeper.stop();
  });

  it('R3 the disk is replaced: nothing is erased until it is accepted, and then a person is asked again', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    unlinkSync(join(it1.root, MARKER_FILE));
    await it1.keeper.sweepAll();
    expect(it1.keeper.status()[0]?.state).toBe('suspect');
    expect((await it1.keeper.set({ act: 'accept-root', root: it1.root })).outcome).toBe('done');
    await it1.keeper.sweepAll();
    expect(it1.told('sweep.waiting').at(-1)).toMatchObject({ reason: 'first-sweep' });
    expect(it1.files.map(it1.has)).toEqual([true, true, true]);
    await it1.keeper.stop();
  });

  it('R6 a catalogue that turns out to be a copy of an earlier day waits for a person again', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await opened(it1);
    // The collector holds more of the log than is here: so the link does with its `welcome`.
    const { journal } = it1.base;
    journal.succeed(journal.openLog() ?? ('' as never), 'restored', { size: 1_000, head: null });
    it1.base.clock.advance(2 * DAY_MS);
    word(it1, NOW + 2 * DAY_MS);
    await it1.keeper.sweepAll();
    expect(it1.files.map(it1.has)).toEqual([false, true, true]);
    expect(it1.keeper.waiting(it1.keeper.roots[0]?.id ?? 0)?.reason).toBe('first-sweep');
    await it1.keeper.stop();
  });

  it('a root is given up: nothing is swept any more, and what became of the disk is recorded', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    expect((await it1.keeper.set({ act: 'retire', root: it1.root, disposition: 'lost' })).outcome).toBe(
      'failed',
    );
    expect((await it1.keeper.set({ act: 'retire', root: it1.root, disposition: 'stored' })).outcome).toBe(
      'done',
    );
    await it1.keeper.sweepAll();
    expect(it1.files.map(it1.has)).toEqual([true, true, true]);
    expect(it1.told('recordings.retired')).toMatchObject([{ reason: 'stored', count: 3 }]);
    await it1.keeper.stop();
  });
});

describe('agent/recordings/answers', () => {
  it('A2, C46 lists with retain-until, holds and reasons; what was not looked at is said', async () => {
    const it1 = await house({ mode: 'report' });
    it1.base.clock.wall = NOW;
    word(it1);
    const list = (await it1.ask('recordings.list')) as {
      items: Record<string, unknown>[];
      watched: unknown[];
    };
    expect(list.items.map(({ path }) => path)).toEqual(it1.files);
    expect(list.items[0]).toMatchObject({
      cameraName: 'gate',
      state: 'present',
      sizeBytes: 7,
      holds: [],
      retainUntil: new Date(NOW - DAY_MS + 10 * MINUTE_MS).toISOString(),
    });
    expect(list.items[2]).toMatchObject({ reason: 'not-due' });
    expect(list.watched).toHaveLength(1);
    const due = (await it1.ask('recordings.due')) as { items: unknown[]; notLookedAt: string[] };
    expect(due.items).toHaveLength(1);
    expect(due.notLookedAt).toContain('backups');
    const { sources } = (await it1.ask('recordings.stats')) as {
      sources: { cameras: Record<string, unknown>[] }[];
    };
    expect(sources[0]).toMatchObject({
      layout: 'frigate',
      mode: 'report',
      state: 'watched',
      policy: 'dk-msp',
    });
    expect(sources[0]?.cameras).toMatchObject([{ name: 'gate', count: 3, bytes: 21, due: 1, held: 0 }]);
    await it1.keeper.stop();
  });

  it('C47 without rules, a rule or trusted time nothing is called overdue, and that is a gap', async () => {
    const told = async (it1: House) => {
      // biome-ignore lint/suspicious/noExplicitAny: an answer as it comes
      const [due, stats]: any[] = [await it1.ask('recordings.due'), await it1.ask('recordings.stats')];
      const [{ unjudged, limit, cameras }] = stats.sources;
      const gaps = due.watched[0].gaps.map(({ reason }: { reason: string }) => reason);
      // biome-ignore lint/suspicious/noExplicitAny: an answer as it comes
      const [plan, status]: any[] = [await it1.ask('sweep.plan'), await it1.ask('sweep.status')];
      expect([plan.plans[0].unjudged, status.unjudged]).toEqual([unjudged, unjudged]);
      return [due.items.length, gaps, unjudged, limit, [cameras[0].due]];
    };
    const it1 = await house({ mode: 'report', policy: false });
    it1.base.clock.wall = NOW;
    expect(await told(it1)).toEqual([0, ['no-policy'], 'no-policy', null, [null]]);
    it1.rules({ class: 'recording', policy: { ...THIRTY_DAYS, rules: [] } });
    word(it1);
    expect(await told(it1)).toEqual([0, ['no-rule'], 'no-rule', null, [null]]);
    it1.rules({ class: 'recording', policy: { ...THIRTY_DAYS, version: THIRTY_DAYS.version + 1 } });
    expect(await told(it1)).toEqual([1, [], null, 'P30D', [1]]);
    await it1.keeper.stop();
    const it2 = await house({ mode: 'report' });
    expect(await told(it2)).toEqual([0, ['time-untrusted'], 'time-untrusted', 'P30D', [null]]);
    await it2.keeper.stop();
  });

  it('pages go on where the one before ended, and an interval takes what overlaps it', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    const seen: unknown[] = [];
    let after: unknown;
    for (let page = 0; page < 5; page++) {
      const body = after === undefined || after === null ? { limit: 1 } : { limit: 1, after };
      const answer = (await it1.ask('recordings.list', body)) as { items: { path: string }[]; next: unknown };
      seen.push(...answer.items.map(({ path }) => path));
      after = answer.next;
      if (after === null) break;
    }
    expect(seen).toEqual(it1.files);
    const start = NOW - 29 * DAY_MS;
    const between = async (from: number, to: number) => {
      const body = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      return ((await it1.ask('recordings.list', body)) as { items: { path: string }[] }).items.map(
        ({ path }) => path,
      );
    };
    expect(await between(start + 9 * MINUTE_MS, start + HOUR_MS)).toEqual([it1.files[1]]);
    expect(await between(start + 10 * MINUTE_MS, start + HOUR_MS)).toEqual([]);
    expect(await between(start - HOUR_MS, start)).toEqual([]);
    await it1.keeper.stop();
  });

  it('a plan that waits is shown with its count, and none after it was approved', async () => {
    const it1 = await house();
    it1.base.clock.wall = NOW;
    word(it1);
    await it1.keeper.sweepAll();
    const shown = (await it1.ask('sweep.plan')) as { plans: Record<string, unknown>[] };
    expect(shown.plans).toMatchObject([{ waits: 'first-sweep', count: 1, planned: { count: 1, bytes: 7 } }]);
    const status = (await it1.ask('sweep.status')) as { time: unknown; sources: unknown[] };
    expect(status).toMatchObject({ time: { trouble: null }, sources: [{ waits: 'first-sweep' }] });
    expect((await it1.keeper.approve({ plan: newId<'plan'>(randomBytes) as Id })).body).toEqual({
      code: 'plan.unknown',
    });
    await opened(it1);
    expect((await it1.ask('sweep.plan')) as object).toMatchObject({
      plans: [{ waits: null, count: 0, plan: null }],
    });
    await it1.keeper.stop();
  });
});
