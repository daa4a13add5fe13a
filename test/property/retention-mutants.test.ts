/**
 * The laws of deciding as checks that a decider passes or fails, and deciders that break one of them on purpose: each is
 * the product's own text with one place changed. A law that no mutant can break is no law.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Hold, Thing } from '../../protocol/hold.ts';
import type { Policy } from '../../protocol/policy.ts';
import { type Decision, decide } from '../../protocol/retention.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import {
  ended,
  holdOf,
  holds,
  instant,
  instants,
  policies,
  policyOf,
  ruleOf,
  things,
} from '../fixtures/retention.ts';

type Decide = typeof decide;

const ROOT = new URL('../../', import.meta.url).pathname;
const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

const END = instant('2027-05-01T12:00:00.000Z');
const footage = policyOf([ruleOf({ class: 'recording', trigger: 'recording-end' })]);
const later = (at: UtcMs, ms: number) => utcMs(at + ms);
const recording = (over: Partial<Thing> = {}): Thing =>
  ended(END, { kind: 'recording', class: 'recording', cameras: ['a'], ...over });
const bounds = { startEarliest: END, startLatest: later(END, HOUR_MS), endLatest: later(END, 2 * HOUR_MS) };
const DUE = later(END, 2 * HOUR_MS + 30 * DAY_MS);
const run = (property: fc.IProperty<unknown>) => !fc.check(property, { numRuns: 400, seed: 20261128 }).failed;

/** Each true where the law holds. */
const LAWS: Record<string, (decide: Decide) => boolean> = {
  'D1 covered is kept': (decide) => {
    const held = (scope: Partial<Hold['scope']>) =>
      decide(recording({ bounds }), footage, [holdOf(scope)], later(DUE, DAY_MS)).verdict === 'keep';
    return (
      held({}) &&
      held({ cameras: ['a'] }) &&
      held({ from: later(END, -HOUR_MS), to: END }) &&
      held({ from: later(END, 2 * HOUR_MS), to: later(END, 3 * HOUR_MS) }) &&
      held({ from: later(END, HOUR_MS), to: later(END, HOUR_MS) })
    );
  },
  'D1 also on request, and when restricted no more': (decide) =>
    decide(recording({ requestedErasureAt: END, agreementEndsAt: END }), footage, [holdOf()], DUE).verdict ===
    'keep',
  'D1 what is not known is covered': (decide) =>
    decide(recording({ cameras: null }), footage, [holdOf({ cameras: ['b'] })], later(DUE, DAY_MS))
      .verdict === 'keep' &&
    decide(recording({ bounds: null }), footage, [holdOf({ from: DUE, to: DUE })], DUE).reason === 'hold',
  'D1 one more hold never makes anything erasable': (decide) =>
    run(
      fc.property(
        things,
        policies,
        fc.array(holds, { maxLength: 2 }),
        holds,
        instants,
        (thing, policy, list, more, now) => {
          const at = later(now, 4 * 365 * DAY_MS);
          const kept = decide(thing, policy, list, at).verdict === 'keep';
          return !kept || decide(thing, policy, [...list, more], at).verdict === 'keep';
        },
      ) as fc.IProperty<unknown>,
    ),
  'D1 a hold elsewhere keeps nothing': (decide) =>
    decide(recording({ bounds }), footage, [holdOf({ cameras: ['b'] })], DUE).verdict === 'expire' &&
    decide(recording({ bounds }), footage, [holdOf({ from: later(END, 3 * HOUR_MS), to: null })], DUE)
      .verdict === 'expire' &&
    decide(recording({ bounds }), footage, [holdOf({ from: null, to: later(END, -1) })], DUE).verdict ===
      'expire',
  'D2 unreadable holds, no time, no layout, no bound': (decide) => {
    const kept = (thing: Thing, list: Hold[] | null, now: UtcMs | null) =>
      decide(thing, footage, list, now).verdict === 'keep';
    const late = later(DUE, DAY_MS);
    const open = { ...bounds, endLatest: null };
    const wrong = { startEarliest: later(END, 1), startLatest: END, endLatest: later(END, HOUR_MS) };
    return (
      kept(recording(), null, late) &&
      kept(recording(), [], null) &&
      kept(recording({ unknownLayout: true }), [], late) &&
      kept(recording({ bounds: null }), [], late) &&
      kept(recording({ bounds: open }), [], late) &&
      kept(recording({ bounds: wrong }), [], late) &&
      kept(recording({ requestedErasureAt: END, bounds: open }), [], late)
    );
  },
  'D2 no rule, no erasure': (decide) =>
    decide(recording(), policyOf([]), [], later(DUE, 900 * DAY_MS)).verdict === 'keep' &&
    decide(
      recording(),
      policyOf([ruleOf({ class: 'recording', trigger: 'recording-end', keepAtMost: null })]),
      [],
      DUE,
    ).verdict === 'keep',
  'D2 report is not erase': (decide) => {
    const rule = ruleOf({ class: 'recording', trigger: 'recording-end', action: 'report' });
    return decide(recording(), policyOf([rule]), [], later(DUE, DAY_MS)).verdict === 'keep';
  },
  'D3 from the latest end, to the millisecond': (decide) => {
    const at = (ms: number) => decide(recording({ bounds }), footage, [], later(DUE, ms)).verdict;
    return at(-MINUTE_MS) === 'keep' && at(-1) === 'keep' && at(0) === 'expire' && at(MINUTE_MS) === 'expire';
  },
  'D4 a hold covers what began before it and what ends after it': (decide) =>
    decide(
      recording({ bounds }),
      footage,
      [holdOf({ from: later(END, MINUTE_MS), to: later(END, 2 * MINUTE_MS) })],
      DUE,
    ).verdict === 'keep',
  'D5 policy, version, due time, lateness; a reason for what stays': (decide) => {
    const gone: Decision = decide(recording({ bounds }), footage, [], later(DUE, 5));
    const stays: Decision = decide(recording({ bounds }), footage, [holdOf()], later(DUE, 5));
    const named = ({ policy, version, dueAt }: Decision, of: Policy) =>
      policy === of.name && version === of.version && dueAt === DUE;
    return (
      named(gone, footage) &&
      gone.verdict === 'expire' &&
      gone.lateMs === 5 &&
      named(stays, footage) &&
      stays.verdict === 'keep' &&
      stays.holds.length === 1
    );
  },
  'D5 keep-at-least is a floor': (decide) => {
    const rule = ruleOf({
      class: 'recording',
      trigger: 'recording-end',
      keepAtMost: 'P60D',
      keepAtLeast: 'P40D',
    });
    const asked = recording({ bounds, requestedErasureAt: END });
    return (
      decide(asked, policyOf([rule]), [], DUE).verdict === 'keep' &&
      decide(asked, policyOf([rule]), [], later(DUE, 10 * DAY_MS)).verdict === 'expire'
    );
  },
};

interface Mutant {
  file: 'retention' | 'hold' | 'due';
  from: string;
  to: string;
  /** Where two places guard the same, both. */
  also?: { from: string; to: string };
}

const MUTANTS: Record<string, Mutant> = {
  'holds are not looked at': {
    file: 'retention',
    from: 'if (covering.length > 0)',
    to: 'if (covering.length > 99)',
  },
  'an unreadable hold table is an empty one': {
    file: 'retention',
    from: "if (holds === null) return kept('holds-unreadable');",
    to: 'if (holds === null) holds = [];',
  },
  'a request goes before a hold': {
    file: 'retention',
    from: "if (covering.length > 0) return kept('hold', covering);",
    to: "if (covering.length > 0 && thing.requestedErasureAt === null) return kept('hold', covering);",
  },
  'only the last hold counts': {
    file: 'retention',
    from: 'const covering = holds.filter(',
    to: 'const covering = holds.slice(-1).filter(',
  },
  'any clock will do': {
    file: 'retention',
    from: "if (now === null) return kept('time-untrusted');",
    to: 'if (now === null) now = utcMs(8e15);',
  },
  'an unknown layout is one like any other': {
    file: 'retention',
    from: "if (thing.unknownLayout === true) return kept('unknown-layout');",
    to: '',
  },
  'bounds that contradict each other are bounds': {
    file: 'retention',
    from: "if (isUnsure(thing)) return kept('unbounded');",
    to: '',
  },
  'a minute early': { file: 'retention', from: 'if (now < end.at)', to: 'if (now < end.at - 60000)' },
  'a millisecond late': { file: 'retention', from: 'if (now < end.at)', to: 'if (now <= end.at)' },
  'from the start, not the end': {
    file: 'retention',
    from: 'return bounds?.endLatest ?? null;',
    to: 'return bounds?.startLatest ?? null;',
  },
  'report erases': {
    file: 'retention',
    from: "if (action === 'report') return kept('report-only');",
    to: '',
  },
  'keep-at-least is not a floor': {
    file: 'retention',
    from: 'if (due.notBefore !== null && now < due.notBefore)',
    to: 'if (due.notBefore !== null && now < 0)',
    also: { from: 'Math.max(asked, notBefore ?? asked)', to: 'asked' },
  },
  'lateness is forgotten': { file: 'retention', from: 'lateMs: now - end.at', to: 'lateMs: 0' },
  'a hold begins with what begins in it': {
    file: 'hold',
    from: 'bounds.endLatest < from',
    to: 'bounds.startEarliest < from',
  },
  'a hold ends with what ends in it': {
    file: 'hold',
    from: 'bounds.startEarliest > to',
    to: '(bounds.endLatest ?? bounds.startEarliest) > to',
  },
  'a camera that is not known is another one': {
    file: 'hold',
    from: 'wanted === undefined || has === null ||',
    to: 'wanted === undefined ||',
  },
  'a hold on one camera is one on all': {
    file: 'hold',
    from: 'has.some((one) => wanted.includes(one))',
    to: 'has.length > 0',
  },
  'what has no bounds is outside': {
    file: 'hold',
    from: 'contradicts(bounds)) return true;',
    to: 'contradicts(bounds)) return false;',
  },
};

async function mutated({ file, from, to, also }: Mutant): Promise<Decide> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-mutant-'));
  made.push(dir);
  cpSync(join(ROOT, 'protocol'), join(dir, 'protocol'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const path = join(dir, 'protocol', `${file}.ts`);
  let text = readFileSync(path, 'utf8');
  for (const change of [{ from, to }, ...(also === undefined ? [] : [also])]) {
    // A mutant of a text that is not there any more would pass every law and prove nothing.
    if (text.split(change.from).length !== 2) throw new Error(`not once in ${file}.ts: ${change.from}`);
    text = text.replace(change.from, change.to);
  }
  writeFileSync(path, text);
  const module = await import(/* @vite-ignore */ pathToFileURL(join(dir, 'protocol', 'retention.ts')).href);
  return module.decide as Decide;
}

function broken(decide: Decide): string[] {
  return Object.entries(LAWS)
    .filter(([, holds]) => {
      try {
        return !holds(decide);
      } catch {
        return true;
      }
    })
    .map(([law]) => law);
}

describe('the laws of deciding, and what breaks them', () => {
  it('D1, D2, D3, D4, D5 hold', () => {
    expect(broken(decide)).toEqual([]);
  });

  const killers = new Map<string, number>();
  it.each(Object.entries(MUTANTS))('a mutant is killed: %s', async (_, mutant) => {
    const laws = broken(await mutated(mutant));
    expect(laws.length).toBeGreaterThan(0);
    for (const law of laws) killers.set(law.slice(0, 2), (killers.get(law.slice(0, 2)) ?? 0) + 1);
  });

  it('each of the five laws kills at least one', () => {
    expect([...killers.keys()].sort()).toEqual(['D1', 'D2', 'D3', 'D4', 'D5']);
  });
});
