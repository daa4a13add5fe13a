/** The files of telemetry: real SQLite, killed on purpose. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Point, pointOf, spansOf } from '../../collector/store/points.ts';
import {
  openTelemetry,
  QUARTERS_KEPT_MS,
  SAMPLES_KEPT_MS,
  type Telemetry,
} from '../../collector/store/telemetry.ts';
import type { FaultSeam } from '../../collector/types.ts';
import type { AgentId, AgreementId } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { newHex, scratch } from './house.ts';

const NOW = utcMs(Date.UTC(2026, 10, 22, 12));
const ALL = { since: utcMs(0), until: utcMs(NOW + DAY_MS), limit: 1_000_000 };

function sampleAt(at: number, change: Partial<Sample> = {}): Sample {
  const disks = [{ index: 0, usedPermille: 400, freeMb: 600, totalMb: 1000, inodesUsedPermille: 10 }];
  const value = Math.floor(at / MINUTE_MS) % 1000;
  return {
    at,
    cpuPermille: value,
    memUsedPermille: 500,
    memTotalMb: 8000,
    uptimeSeconds: 60,
    disks,
    ...change,
  };
}
const rows = (agent: AgentId, samples: readonly Sample[]) =>
  samples.map((sample) => ({ agent, point: pointOf(sample) }));
/** One sample a minute in [from, to). */
function minutes(from: number, to: number): Sample[] {
  return Array.from({ length: Math.ceil((to - from) / MINUTE_MS) }, (_, i) => sampleAt(from + i * MINUTE_MS));
}

interface World {
  dir: string;
  telemetry: Telemetry;
  agreement: AgreementId;
  agent: AgentId;
  points(seconds?: number): Promise<Point[]>;
}
function world(options: { dir?: string; faults?: FaultSeam; maxOpen?: number } = {}): World {
  const dir = options.dir ?? join(scratch(), 'telemetry');
  const telemetry = openTelemetry({ ...options, dir });
  const [agreement, agent] = [newHex<AgreementId>(), newHex<AgentId>()];
  const points = (seconds = 0) => telemetry.points(agreement, agent, { ...ALL, seconds });
  return { dir, telemetry, agreement, agent, points };
}

const lengths = (points: readonly Point[]) => [...new Set(points.map(({ seconds }) => seconds))].sort();

describe('samples of an agreement', () => {
  it('J1 the same sample again is not counted, in one call and in another', async () => {
    const { telemetry, agreement, agent, points } = world();
    const samples = minutes(NOW - HOUR_MS, NOW);
    expect(await telemetry.add(agreement, rows(agent, [...samples, ...samples]))).toEqual({
      stored: 60,
      duplicates: 60,
    });
    expect(await telemetry.add(agreement, rows(agent, samples))).toEqual({ stored: 0, duplicates: 60 });
    expect(await points()).toHaveLength(60);
    await telemetry.close();
  });

  it('J1 what was folded already is not counted again, and what an agent tells late is', async () => {
    const { telemetry, agreement, agent, points } = world();
    const old = minutes(NOW - 4 * DAY_MS, NOW - 3 * DAY_MS);
    await telemetry.add(agreement, rows(agent, old));
    await telemetry.thin(NOW);
    expect(await telemetry.add(agreement, rows(agent, old))).toEqual({ stored: 0, duplicates: old.length });
    const late = minutes(NOW - 3 * DAY_MS, NOW - 60 * HOUR_MS);
    expect((await telemetry.add(agreement, rows(agent, late))).stored).toBe(late.length);
    await telemetry.thin(NOW);
    expect(await points(3600)).toEqual([...spansOf([...old, ...late].map(pointOf), 3600)]);
    await telemetry.close();
  });

  it('J4 samples stay for 48 hours, quarters for 30 days, hours from then on', async () => {
    const { telemetry, agreement, agent, points } = world();
    const [first, second] = [NOW - QUARTERS_KEPT_MS, NOW - SAMPLES_KEPT_MS];
    const samples = [
      ...minutes(first - 2 * HOUR_MS, first + HOUR_MS),
      ...minutes(second - HOUR_MS, second + HOUR_MS),
    ];
    await telemetry.add(agreement, rows(agent, samples));
    const moved = await telemetry.thin(NOW);
    const found = await points();
    expect(found.filter(({ seconds }) => seconds === 3600).map(({ at }) => at)).toEqual([
      first - 2 * HOUR_MS,
      first - HOUR_MS,
    ]);
    expect(found.filter(({ seconds }) => seconds === 900)).toHaveLength(8);
    expect(found.filter(({ seconds }) => seconds === 0)).toHaveLength(60);
    expect(moved).toBe(180 + 60 + 8);
    expect(await telemetry.thin(NOW)).toBe(0);
    expect(await points()).toEqual(found);
    await telemetry.close();
  });

  it('J2 thinning a file in any number of steps, failed ones among them, keeps every sum', async () => {
    const arbitrary = fc.record({
      gaps: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 80 }),
      failures: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }),
      nows: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ gaps, failures, nows }) => {
        let left = 0;
        const faults: FaultSeam = {
          hit() {
            left -= 1;
            if (left === 0) throw new Error('broken on purpose');
          },
        };
        const { telemetry, agreement, agent, points } = world({ faults });
        let at = NOW - 35 * DAY_MS;
        const samples = gaps.map((gap) => {
          at += gap * 10 * MINUTE_MS;
          return sampleAt(at);
        });
        await telemetry.add(agreement, rows(agent, samples));
        for (const days of nows.sort((a, b) => a - b)) {
          const now = utcMs(NOW - 35 * DAY_MS + days * DAY_MS);
          for (const n of failures) {
            left = n;
            await telemetry.thin(now).catch(() => 0);
          }
          left = 0;
          await telemetry.thin(now);
          expect(await telemetry.thin(now)).toBe(0);
          expect(await points(3600)).toEqual([...spansOf(samples.map(pointOf), 3600)]);
        }
        await telemetry.close();
      }),
      { numRuns: 40 },
    );
  });

  it('J3 SIGKILL at each step of thinning: the next start goes on, nothing is lost or counted twice', async () => {
    const { dir, telemetry, agreement, agent } = world();
    const samples = minutes(NOW - 31 * DAY_MS, NOW - 29 * DAY_MS);
    await telemetry.add(agreement, rows(agent, samples));
    await telemetry.close();
    const wanted = [...spansOf(samples.map(pointOf), 3600)];
    let kills = 0;
    for (let n = 1; ; n += 3) {
      const child = spawn(process.execPath, [
        join(import.meta.dirname, 'telemetry-child.ts'),
        dir,
        String(n),
        String(NOW),
      ]);
      const [, signal] = await once(child, 'exit');
      const again = openTelemetry({ dir });
      expect(await again.points(agreement, agent, { ...ALL, seconds: 3600 })).toEqual(wanted);
      await again.add(agreement, rows(agent, samples));
      await again.close();
      if (signal !== 'SIGKILL') break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(0);
    const last = openTelemetry({ dir });
    expect(await last.points(agreement, agent, { ...ALL, seconds: 3600 })).toEqual(wanted);
    expect(lengths(await last.points(agreement, agent, { ...ALL, seconds: 0 }))).toEqual([3600, 900]);
    await last.close();
  });

  it('J4 a page at a time gives what one answer gives, at each length', async () => {
    const { telemetry, agreement, agent, points } = world();
    await telemetry.add(agreement, rows(agent, minutes(NOW - 3 * DAY_MS, NOW)));
    await telemetry.thin(NOW);
    for (const seconds of [0, 900, 3600]) {
      const whole = await points(seconds);
      const paged: Point[] = [];
      for (let after: UtcMs | undefined; ; ) {
        const query = { ...ALL, seconds, limit: 7, ...(after === undefined ? {} : { after }) };
        const page = await telemetry.points(agreement, agent, query);
        paged.push(...page);
        after = page.at(-1)?.at;
        if (page.length < 7) break;
      }
      expect(paged).toEqual(whole);
    }
    await telemetry.close();
  });

  it('J4 a range has the points that reach into it, and those of one agent', async () => {
    const { telemetry, agreement, agent } = world();
    const other = newHex<AgentId>();
    await telemetry.add(agreement, [
      ...rows(agent, minutes(NOW - HOUR_MS, NOW)),
      ...rows(other, [sampleAt(NOW - HOUR_MS)]),
    ]);
    const query = { since: utcMs(NOW - 20 * MINUTE_MS), until: utcMs(NOW - 10 * MINUTE_MS), limit: 100 };
    const raw = await telemetry.points(agreement, agent, { ...query, seconds: 0 });
    expect(raw.map(({ at }) => at)).toEqual(minutes(query.since, query.until).map(({ at }) => at));
    const quarters = await telemetry.points(agreement, agent, { ...query, seconds: 900 });
    expect(quarters.map(({ at }) => at)).toEqual([NOW - 30 * MINUTE_MS, NOW - 15 * MINUTE_MS]);
    expect(await telemetry.points(agreement, newHex<AgentId>(), { ...query, seconds: 0 })).toEqual([]);
    await telemetry.close();
  });
});

describe('the files', () => {
  it('J5 an agreement that ends takes all its files with it, and is not begun again', async () => {
    const { dir, telemetry, agreement, agent, points } = world();
    await telemetry.add(agreement, rows(agent, minutes(NOW - HOUR_MS, NOW)));
    writeFileSync(join(dir, `${agreement}.db.quarantined-1`), 'x');
    const beside = newHex<AgreementId>();
    await telemetry.add(beside, rows(agent, [sampleAt(NOW)]));
    expect(await telemetry.dropAgreement(agreement)).toBe(true);
    expect(await telemetry.dropAgreement(agreement)).toBe(false);
    expect(readdirSync(dir).filter((name) => name.startsWith(agreement))).toEqual([]);
    expect(await telemetry.add(agreement, rows(agent, [sampleAt(NOW)]))).toEqual({
      stored: 0,
      duplicates: 0,
    });
    expect(await points()).toEqual([]);
    expect(existsSync(join(dir, `${agreement}.db`))).toBe(false);
    expect(telemetry.sizeOf(beside)).toBeGreaterThan(0);
    await telemetry.close();
  });

  it('J5 a start keeps the files of the agreements that it is told, and nobody else’s', async () => {
    const { dir, telemetry, agreement, agent } = world();
    const gone = newHex<AgreementId>();
    for (const one of [agreement, gone]) await telemetry.add(one, rows(agent, [sampleAt(NOW)]));
    writeFileSync(join(dir, 'notes.txt'), 'not ours');
    expect(await telemetry.keepOnly(new Set([agreement]))).toBe(1);
    await telemetry.close();
    expect(readdirSync(dir).sort()).toEqual([`${agreement}.db`, 'notes.txt'].sort());
  });

  it('J5 W2 every file is closed to others', async () => {
    const { dir, telemetry, agreement, agent } = world();
    await telemetry.add(agreement, rows(agent, minutes(NOW - HOUR_MS, NOW)));
    const modes = readdirSync(dir).map((name) => statSync(join(dir, name)).mode & 0o777);
    expect(modes.length).toBeGreaterThan(1);
    expect(new Set(modes)).toEqual(new Set([0o600]));
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    await telemetry.close();
  });

  it('J6 a damaged file is set aside and another begun, whatever is damaged in it', async () => {
    const first = world();
    await first.telemetry.add(first.agreement, rows(first.agent, minutes(NOW - HOUR_MS, NOW)));
    await first.telemetry.close();
    const path = join(first.dir, `${first.agreement}.db`);
    const bytes = readFileSync(path);
    for (const [n, damaged] of [
      Buffer.from('this is no database, and never was one').toString('hex').repeat(200),
      bytes.subarray(0, 5000),
    ].entries()) {
      writeFileSync(path, damaged);
      const told: AgreementId[] = [];
      const telemetry = openTelemetry({ dir: first.dir, damaged: (agreement) => told.push(agreement) });
      const added = await telemetry.add(first.agreement, rows(first.agent, [sampleAt(NOW)]));
      expect(added.stored).toBe(1);
      expect(told).toEqual([first.agreement]);
      expect(existsSync(`${path}.quarantined-${n + 1}`)).toBe(true);
      await telemetry.close();
    }
  });

  it('J6 more agreements than may be open at once are all served', async () => {
    const { telemetry, agent } = world({ maxOpen: 3 });
    const all = Array.from({ length: 10 }, () => newHex<AgreementId>());
    for (let round = 0; round < 3; round += 1) {
      for (const one of all) await telemetry.add(one, rows(agent, [sampleAt(NOW + round * MINUTE_MS)]));
    }
    for (const one of all) {
      expect(await telemetry.points(one, agent, { ...ALL, seconds: 0 })).toHaveLength(3);
    }
    await telemetry.close();
  });
});
