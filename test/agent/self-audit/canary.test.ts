/** Canaries, and erasers that are broken on purpose: each has to be found. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkState } from '../../../agent/check.ts';
import { ensureStateDir } from '../../../agent/files.ts';
import { Sweep, type SweepDeps } from '../../../agent/recordings/sweep.ts';
import type { SweepStore } from '../../../agent/recordings/sweep-store.ts';
import { checkFootage, type FootageDeps } from '../../../agent/self-audit/canary-footage.ts';
import { checkSession, type SessionDeps } from '../../../agent/self-audit/canary-session.ts';
import { type CanaryState, openCanary } from '../../../agent/self-audit/canary-state.ts';
import type { CheckResult } from '../../../agent/self-audit/types.ts';
import { DAY_MS } from '../../../protocol/time.ts';
import { THIRTY_DAYS } from '../recordings/sweep-world.ts';
import { stateDir, TestClock, world } from '../support.ts';

const rest = async () => {};
let dir = '';
let clock = new TestClock();
beforeEach(() => {
  dir = stateDir();
  clock = new TestClock();
  ensureStateDir(dir);
});

async function within<T>(act: (state: CanaryState) => Promise<T>): Promise<T> {
  const state = await openCanary({ state: dir, clock, random: randomBytes, rest });
  try {
    return await act(state);
  } finally {
    state.close();
  }
}

const codes = ({ found }: CheckResult) => Object.fromEntries(found.map(({ code, count }) => [code, count]));

async function footage(more: Partial<FootageDeps> = {}) {
  const deps = { clock, random: randomBytes, rest, platform: 'linux', policy: null, floorMs: DAY_MS };
  return codes(await within((state) => checkFootage({ ...deps, state, ...more })));
}

/** An eraser whose view of the store is bent. */
const bent = (change: Partial<Record<keyof SweepStore, unknown>>) => (deps: SweepDeps) => {
  const store = new Proxy(deps.store, {
    get(target, name) {
      const own = change[name as keyof SweepStore];
      const value = own ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return new Sweep({ ...deps, store });
};

describe('agent/self-audit: canaries of footage', () => {
  it('A27 the eraser of the product passes, by rules of its own and by those in force', async () => {
    expect(await footage()).toEqual({});
    expect(await footage({ policy: THIRTY_DAYS })).toEqual({});
    const [rule] = THIRTY_DAYS.rules;
    // Rules that erase nothing by time say nothing of the eraser: it goes by the canaries' own.
    expect(await footage({ policy: { ...THIRTY_DAYS, rules: [{ ...rule!, action: 'report' }] } })).toEqual(
      {},
    );
    expect(await footage({ policy: { ...THIRTY_DAYS, rules: [{ ...rule!, keepAtMost: 'P99Y' }] } })).toEqual(
      {},
    );
    expect(await footage({ policy: { ...THIRTY_DAYS, rules: [] } })).toEqual({});
  });

  it('A27 an eraser that ignores holds is found', async () => {
    expect(await footage({ sweep: bent({ holds: () => [] }) })).toEqual({ 'canary-erased': 1 });
  });

  it('A27 an eraser that erases nothing, or only says so, is found', async () => {
    const idle = () => ({ run: async () => null, approve: async () => 'approved' as const });
    expect(await footage({ sweep: idle })).toEqual({ 'canary-kept': 2 });
    expect(await footage({ sweep: bent({ ended: () => [] }) })).toEqual({ 'canary-kept': 2 });
  });

  it('A27 an eraser that asks nobody before its first sweep is found', async () => {
    const hasty = (deps: SweepDeps) => {
      const sweep = new Sweep(deps);
      const run: Sweep['run'] = async (it) => {
        const said = await sweep.run(it);
        const plan = deps.store.plan(it.source.id);
        if (plan === null) return said;
        await sweep.approve(it, plan.plan);
        return await sweep.run(it);
      };
      return { run, approve: sweep.approve.bind(sweep) };
    };
    expect(await footage({ sweep: hasty })).toEqual({ 'canary-erased': 1 });
  });

  it('A27 an eraser that takes what is not due is found', async () => {
    const early = (deps: SweepDeps) => {
      const later = () => (deps.now() ?? 0) as never;
      return new Sweep({
        ...deps,
        now: () => ((later() as number) + 400 * DAY_MS) as never,
      });
    };
    expect(await footage({ sweep: early })).toMatchObject({ 'canary-erased': 2 });
  });

  it('A27 an eraser that tells nobody is found', async () => {
    const silent = (deps: SweepDeps) => {
      const { journal } = deps;
      const mute = {
        transact: (act: () => { tell: readonly never[] }) => journal.transact(() => ({ ...act(), tell: [] })),
      };
      return new Sweep({ ...deps, journal: mute as never });
    };
    expect(await footage({ sweep: silent })).toEqual({ 'canary-untold': 2 });
  });

  it('A1 where nothing can be erased that is said, and nothing is claimed', async () => {
    const deps = { clock, random: randomBytes, rest, policy: null, floorMs: DAY_MS };
    const result = await within((state) => checkFootage({ ...deps, state, platform: 'win32' }));
    expect(result).toMatchObject({ looked: 0, unseen: ['platform'], found: [] });
  });
});

describe('agent/self-audit: canaries of sessions', () => {
  const session = async (more: Partial<SessionDeps> = {}) =>
    codes(await within((state) => checkSession({ state, clock, random: randomBytes, rest, ...more })));

  it('A28 the erasures of the product leave no row, no byte and no key', async () => {
    expect(await session()).toEqual({});
  });

  it('A28 an erasure that does nothing, and one that leaves one of the two, are found', async () => {
    // Two parts, a wrap: rows and bytes of each; a key; and the span takes its record again.
    expect(await session({ erase: async () => {} })).toEqual({ 'canary-readable': 3 + 3 + 1 + 1 });
    const half = await session({ erase: async (journal, { span }) => journal.deadGroups([span]) });
    expect(half).toEqual({ 'canary-readable': 1 + 1 + 1 });
  });

  it('A28 rows that go without their bytes are found in the file', async () => {
    const result = await within(async (state) => {
      const erase: SessionDeps['erase'] = async (journal, { span }) => {
        journal.endOneOffs();
        const Sqlite = (await import('better-sqlite3')).default;
        const db = new Sqlite(state.files[0] ?? '');
        db.pragma('secure_delete = OFF');
        db.pragma('foreign_keys = OFF');
        db.exec('DELETE FROM parts; DELETE FROM wraps');
        db.close();
        journal.deadGroups([span]);
      };
      return codes(await checkSession({ state, clock, random: randomBytes, rest, erase }));
    });
    expect(result['canary-readable']).toBeGreaterThan(0);
  });
});

describe('agent/self-audit: where canaries lie', () => {
  it('A26 nothing of them is left, and what a crash left of one is gone with the next', async () => {
    const left = join(dir, 'canary-0badcafe');
    mkdirSync(join(left, 'root', 'due'), { recursive: true });
    writeFileSync(join(left, 'root', 'due', 'a.mp4'), 'left');
    await footage();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('A26 nothing of the agent’s own journal, catalogue and holds is touched; a check beside it finds nothing odd', async () => {
    const base = world();
    const before = base.journal.logs().map(({ next }) => next);
    const state = await openCanary({ state: base.dir, clock: base.clock, random: randomBytes, rest });
    await checkFootage({
      ...{ state, clock: base.clock, random: randomBytes, rest },
      platform: 'linux',
      policy: null,
      floorMs: DAY_MS,
    });
    expect((await checkState(base.dir)).findings).toEqual([]);
    state.close();
    expect(base.journal.logs().map(({ next }) => next)).toEqual(before);
    expect(base.sweeps.sources()).toEqual([]);
    expect(base.sweeps.holds()).toEqual([]);
  });
});
