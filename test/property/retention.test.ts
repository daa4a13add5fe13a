/** D1, D2, D3, D5, Y15 to Y17: what may go, and never too much. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spanOf } from '../../protocol/group.ts';
import { covers } from '../../protocol/hold.ts';
import { addPeriod, readPeriod } from '../../protocol/period.ts';
import type { Rule } from '../../protocol/policy.ts';
import { shortened } from '../../protocol/policy-change.ts';
import { decide, dueOf, dueOfGroup, spanUnitOf } from '../../protocol/retention.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import {
  anywhere,
  CPH,
  ended,
  holdOf,
  holds,
  instant,
  instants,
  periods,
  policies,
  policyOf,
  ruleOf,
  things,
  zones,
} from '../fixtures/retention.ts';

const NOW = instant('2027-06-15T12:00:00.000Z');
const later = (at: UtcMs, ms: number) => utcMs(at + ms);
const runs = { numRuns: 500 };

describe('decide, for anything', () => {
  const someHolds = fc.array(holds, { maxLength: 2 });

  it('D1 a hold more never makes anything erasable', () => {
    let kept = 0;
    fc.assert(
      fc.property(things, policies, someHolds, holds, instants, (thing, policy, list, extra, now) => {
        const at = later(now, 4 * 365 * DAY_MS);
        const before = decide(thing, policy, list, at);
        const after = decide(thing, policy, [...list, extra], at);
        if (before.verdict === 'keep') expect(after.verdict).toBe('keep');
        if (before.verdict === 'expire' && after.verdict === 'keep') kept += 1;
      }),
      runs,
    );
    expect(kept).toBeGreaterThan(0);
  });

  it('D1 what a hold without limits covers is kept, whatever else is so', () => {
    fc.assert(
      fc.property(things, policies, instants, (thing, policy, now) => {
        expect(decide(thing, policy, [holdOf()], now)).toMatchObject({ verdict: 'keep', reason: 'hold' });
      }),
      runs,
    );
  });

  it('D2 nothing goes without readable holds or a trusted time, and no footage without its bounds', () => {
    fc.assert(
      fc.property(things, policies, instants, (thing, policy, now) => {
        expect(decide(thing, policy, null, now).verdict).toBe('keep');
        expect(decide(thing, policy, [], null).verdict).toBe('keep');
        expect(decide({ ...thing, unknownLayout: true }, policy, [], now).verdict).toBe('keep');
        const footage = { ...thing, kind: 'recording', class: 'recording' } as const;
        expect(decide({ ...footage, bounds: null }, policy, [], now).verdict).toBe('keep');
      }),
      runs,
    );
  });

  it('D2 Y17 without a rule only a request and the end of an agreement let anything go, and footage only the end', () => {
    fc.assert(
      fc.property(things, instants, (thing, now) => {
        const decision = decide(thing, policyOf([]), [], now);
        const { agreementEndsAt: ends, requestedErasureAt: asked, kind } = thing;
        const mayAsk = asked !== null && asked <= now && kind !== 'recording';
        if (!mayAsk && (ends === null || ends > now)) expect(decision.verdict).toBe('keep');
        if (decision.verdict === 'expire' && !mayAsk) expect(decision.reason).toBe('agreement-end');
      }),
      runs,
    );
  });

  it('D5 what goes names policy, version, due time and lateness; what stays says why', () => {
    let gone = 0;
    fc.assert(
      fc.property(things, policies, instants, (thing, policy, now) => {
        const decision = decide(thing, policy, [], now);
        expect(decision).toMatchObject({ policy: policy.name, version: policy.version });
        expect(decision.reason).toMatch(/^[a-z-]+$/);
        if (decision.verdict === 'keep') return;
        gone += 1;
        expect(decision.dueAt).not.toBeNull();
        expect(decision.lateMs).toBe(now - (decision.dueAt ?? now));
        expect(decision.lateMs).toBeGreaterThanOrEqual(0);
        expect(thing.restricted).toBe(false);
      }),
      runs,
    );
    expect(gone).toBeGreaterThan(10);
  });

  it('D5 what may go once may go at any later time', () => {
    fc.assert(
      fc.property(things, policies, instants, fc.nat(DAY_MS * 400), (thing, policy, now, ms) => {
        const first = decide(thing, policy, [], now);
        if (first.verdict === 'expire')
          expect(decide(thing, policy, [], later(now, ms)).verdict).toBe('expire');
      }),
      runs,
    );
  });

  it('Y17 nothing goes before its keep-at-least, neither on request nor with its agreement', () => {
    fc.assert(
      fc.property(instants, periods, zones, fc.boolean(), instants, (end, least, zone, asked, now) => {
        const policy = policyOf([ruleOf({ keepAtMost: 'P10Y', keepAtLeast: least })], zone);
        const thing = ended(end, {
          requestedErasureAt: asked ? end : null,
          agreementEndsAt: asked ? null : end,
        });
        const period = readPeriod(least);
        if (period === null) throw new Error('no period');
        const notBefore = addPeriod(end, period, zone);
        expect(decide(thing, policy, [], now).verdict).toBe(now < notBefore ? 'keep' : 'expire');
      }),
      runs,
    );
  });
});

describe('decide, step by step', () => {
  const policy = policyOf([ruleOf({ keepAtMost: 'P30D', keepAtLeast: 'P7D' })]);
  const end = instant('2027-05-01T12:00:00.000Z');
  const at = (days: number, over = {}, list = [] as ReturnType<typeof holdOf>[]) =>
    decide(ended(end, over), policy, list, later(end, days * DAY_MS));

  it('Y17 hold before restriction before keep-at-least before request before keep-at-most', () => {
    const all = { restricted: true, requestedErasureAt: end };
    expect(at(3, all, [holdOf()])).toMatchObject({
      reason: 'hold',
      holds: ['a'.repeat(32)],
    });
    expect(at(3, all)).toMatchObject({ verdict: 'keep', reason: 'restriction' });
    expect(at(3, { requestedErasureAt: end })).toMatchObject({ verdict: 'keep', reason: 'keep-at-least' });
    expect(at(8, { requestedErasureAt: end })).toMatchObject({
      verdict: 'expire',
      reason: 'request',
      dueAt: later(end, 7 * DAY_MS),
      lateMs: DAY_MS,
    });
    expect(at(8)).toMatchObject({ verdict: 'keep', reason: 'not-due', dueAt: later(end, 30 * DAY_MS) });
    expect(at(31)).toMatchObject({ verdict: 'expire', reason: 'keep-at-most', lateMs: DAY_MS });
  });

  it('Y17 thirty days are 720 hours: a minute before it stays, a minute after it goes, over a change of the clock', () => {
    const footage = policyOf([ruleOf({ class: 'recording', trigger: 'recording-end' })]);
    for (const from of ['2027-03-20T12:00:00.000Z', '2027-10-20T12:00:00.000Z', '2027-06-20T12:00:00.000Z']) {
      const thing = ended(instant(from), { kind: 'recording', class: 'recording' });
      const verdict = (ms: number) =>
        decide(thing, footage, [], later(instant(from), 720 * HOUR_MS + ms)).verdict;
      expect([verdict(-MINUTE_MS), verdict(-1), verdict(0), verdict(MINUTE_MS)]).toEqual([
        'keep',
        'keep',
        'expire',
        'expire',
      ]);
    }
  });

  it('D3 retention counts from the latest end, a hold covers the whole bound', () => {
    const footage = policyOf([ruleOf({ class: 'recording', trigger: 'recording-end' })]);
    const bounds = {
      startEarliest: end,
      startLatest: later(end, HOUR_MS),
      endLatest: later(end, 2 * HOUR_MS),
    };
    const thing = ended(end, { kind: 'recording', class: 'recording', bounds, cameras: ['a'] });
    const due = later(end, 2 * HOUR_MS + 30 * DAY_MS);
    expect(decide(thing, footage, [], later(due, -1))).toMatchObject({ verdict: 'keep', dueAt: due });
    expect(decide(thing, footage, [], due).verdict).toBe('expire');
    const held = (from: number, to: number, cameras = ['a']) =>
      decide(thing, footage, [holdOf({ from: later(end, from), to: later(end, to), cameras })], due).reason;
    expect(held(-HOUR_MS, 0)).toBe('hold');
    expect(held(-HOUR_MS, -1)).toBe('keep-at-most');
    expect(held(2 * HOUR_MS, 3 * HOUR_MS)).toBe('hold');
    expect(held(2 * HOUR_MS + 1, 3 * HOUR_MS)).toBe('keep-at-most');
    expect(held(0, HOUR_MS, ['b'])).toBe('keep-at-most');
    expect(decide({ ...thing, cameras: null }, footage, [holdOf({ cameras: ['b'] })], due).reason).toBe(
      'hold',
    );
  });

  it('D2 bounds that contradict each other keep, and keep nothing out of a hold', () => {
    const footage = policyOf([ruleOf({ class: 'recording', trigger: 'recording-end' })]);
    const broken = [
      { startEarliest: end, startLatest: end, endLatest: later(end, -1) },
      { startEarliest: later(end, 1), startLatest: end, endLatest: later(end, HOUR_MS) },
      { startEarliest: utcMs(Number.NaN), startLatest: end, endLatest: end },
      { startEarliest: end, startLatest: end, endLatest: utcMs(Number.NEGATIVE_INFINITY) },
      { startEarliest: end, startLatest: end, endLatest: null },
    ];
    for (const bounds of broken) {
      const thing = ended(end, { kind: 'recording', class: 'recording', bounds });
      expect(decide(thing, footage, [], NOW)).toMatchObject({ verdict: 'keep', reason: 'unbounded' });
      expect(decide(thing, footage, [holdOf({ from: end, to: end })], NOW).reason).toBe('hold');
    }
  });

  it('D2 what only reports is never given away, and anonymising is said', () => {
    const now = later(end, 60 * DAY_MS);
    const by = (action: 'report' | 'anonymise') =>
      decide(ended(end), policyOf([ruleOf({ action })]), [], now);
    expect(by('report')).toMatchObject({ verdict: 'keep', reason: 'report-only' });
    expect(by('anonymise')).toMatchObject({ verdict: 'expire', action: 'anonymise' });
  });

  it('Y17 a request is followed where no rule, no period, or a rule that only reports says what becomes of it', () => {
    const asked = { requestedErasureAt: later(end, 60 * DAY_MS) };
    const none = [
      policyOf([]),
      policyOf([ruleOf({ keepAtMost: null })]),
      policyOf([ruleOf({ action: 'report' })]),
    ];
    for (const policy of none) {
      const by = (days: number, over = {}, holds = [] as ReturnType<typeof holdOf>[]) =>
        decide(ended(end, { ...asked, ...over }), policy, holds, later(end, days * DAY_MS));
      expect(by(59).verdict).toBe('keep');
      const dueAt = asked.requestedErasureAt;
      expect(by(60)).toMatchObject({ verdict: 'expire', reason: 'request', action: 'erase', dueAt });
      expect(by(60, { requestedErasureAt: null }).verdict).toBe('keep');
      expect(by(60, {}, [holdOf({})]).reason).toBe('hold');
      expect(by(60, { restricted: true }).reason).toBe('restriction');
      const running = { startEarliest: end, startLatest: end, endLatest: null };
      expect(by(60, { bounds: running })).toMatchObject({ verdict: 'keep', reason: 'unbounded' });
    }
    const least = policyOf([ruleOf({ action: 'report', keepAtLeast: 'P90D', keepAtMost: null })]);
    expect(decide(ended(end, asked), least, [], later(end, 61 * DAY_MS)).reason).toBe('keep-at-least');
    const footage = { ...asked, kind: 'recording', class: 'recording' } as const;
    const reports = ruleOf({ class: 'recording', trigger: 'recording-end', action: 'report' });
    for (const policy of [policyOf([]), policyOf([reports])])
      expect(decide(ended(end, footage), policy, [], later(end, 61 * DAY_MS)).verdict).toBe('keep');
  });

  it('D2 a session whose end nobody knows is kept, until its agreement ends', () => {
    const bounds = { startEarliest: end, startLatest: end, endLatest: null };
    expect(at(90, { bounds })).toMatchObject({ verdict: 'keep', reason: 'unbounded', dueAt: null });
    expect(at(90, { bounds, requestedErasureAt: end }).verdict).toBe('keep');
    const plain = policyOf([ruleOf()]);
    const thing = ended(end, { bounds, agreementEndsAt: later(end, DAY_MS) });
    expect(decide(thing, plain, [], later(end, DAY_MS))).toMatchObject({ reason: 'agreement-end' });
  });

  it('Y15 an agreement that is open keeps what hangs on it', () => {
    const hangs = policyOf([ruleOf({ trigger: 'agreement-end', keepAtMost: 'P30D' })]);
    expect(decide(ended(end), hangs, [], NOW)).toMatchObject({ reason: 'agreement-open', dueAt: null });
    const thing = ended(end, { agreementEndsAt: end });
    expect(decide(thing, hangs, [], later(end, 30 * DAY_MS))).toMatchObject({ reason: 'agreement-end' });
    expect(decide(thing, hangs, [], later(end, 30 * DAY_MS - 1)).reason).toBe('not-due');
    const least = policyOf([ruleOf({ trigger: 'agreement-end', keepAtMost: 'P1Y', keepAtLeast: 'P1M' })]);
    expect(decide(ended(end, { requestedErasureAt: end }), least, [], NOW).verdict).toBe('keep');
  });
});

describe('another policy (Y19)', () => {
  it('Y19 where it makes nothing shorter, nothing goes that would have stayed', () => {
    let same = 0;
    fc.assert(
      fc.property(things, policies, policies, instants, (some, was, is, now) => {
        const thing = { ...some, requestedErasureAt: null };
        const at = later(now, 3 * 365 * DAY_MS);
        if (shortened(was, is).includes(thing.class)) return;
        const after = decide(thing, is, [], at);
        if (after.verdict === 'keep') return;
        same += 1;
        expect(decide(thing, was, [], at).verdict).toBe('expire');
      }),
      { numRuns: 3_000 },
    );
    expect(same).toBeGreaterThan(20);
  });

  it('D1 no policy makes a thing erasable that is held', () => {
    let held = 0;
    fc.assert(
      fc.property(things, holds, policies, policies, instants, (thing, hold, was, is, now) => {
        if (!covers(hold, thing)) return;
        held += 1;
        for (const policy of [was, is]) {
          expect(decide(thing, policy, [hold], later(now, 9 * 365 * DAY_MS)).verdict).toBe('keep');
        }
      }),
      { numRuns: 2_000 },
    );
    expect(held).toBeGreaterThan(20);
  });

  it('Y19 what needs no second person shortens no keep-at-least', () => {
    let [same, shorter] = [0, 0];
    const changes = fc.record({
      keepAtLeast: fc.option(periods, { nil: null }),
      keepAtMost: fc.constant(null),
    });
    fc.assert(
      fc.property(policies, changes, instants, (was, change, at) => {
        const least = ({ keepAtLeast }: Rule) => keepAtLeast !== null;
        const old = was.rules.filter(least).map((rule) => ({ ...rule, keepAtMost: null }));
        const from = policyOf(old, was.zone);
        const to = policyOf(
          old.map((rule) => ({ ...rule, ...change })),
          was.zone,
        );
        const needsTwo = shortened(from, to);
        for (const { class: cls, mode } of from.rules) {
          const group = {
            kind: mode === 'one-off' ? 'oneoff' : 'span',
            class: cls,
            ...spanOf(at, 'day'),
          } as const;
          const facts = { agreementEndsAt: later(at, DAY_MS), ends: { earliest: at, latest: at } };
          const [before, after] = [from, to].map((one) => dueOfGroup(group, one, facts).notBefore);
          if (before == null) continue;
          if ((after ?? 0) < before) {
            shorter += 1;
            expect(needsTwo).toContain(cls);
          } else same += 1;
        }
      }),
      { numRuns: 2_000 },
    );
    expect(same).toBeGreaterThan(20);
    expect(shorter).toBeGreaterThan(20);
  });

  it.each<[string, Partial<Rule> | null, Partial<Rule> | null, boolean]>([
    ['a first period', null, {}, true],
    ['a period taken away', {}, null, false],
    ['shorter', {}, { keepAtMost: 'P29D' }, true],
    ['longer', {}, { keepAtMost: 'P31D' }, false],
    ['the same', {}, {}, false],
    ['sometimes shorter', { keepAtMost: 'P31D' }, { keepAtMost: 'P1M' }, true],
    ['another trigger', {}, { trigger: 'agreement-end', keepAtMost: 'P9Y' }, true],
    ['at least, taken away', { keepAtLeast: 'P1D' }, null, true],
    ['at least, shorter', { keepAtLeast: 'P2D' }, { keepAtLeast: 'P1D' }, true],
    ['at least, longer', { keepAtLeast: 'P1D' }, { keepAtLeast: 'P2D' }, false],
    ['reported till now', { action: 'report' }, {}, true],
    ['reported from now on', {}, { action: 'report' }, false],
    ['erased, not only anonymised', { action: 'anonymise' }, {}, true],
    ['anonymised, not erased', {}, { action: 'anonymise' }, false],
    ['not rounded any more', { keepAtMost: 'P1Y', round: 'year-end' }, { keepAtMost: 'P1Y' }, true],
    ['no time after the end of an agreement', { trigger: 'agreement-end' }, null, true],
  ])('Y19 %s', (_, was, is, shorter) => {
    const of = (rule: Partial<Rule> | null) => policyOf(rule === null ? [] : [ruleOf(rule)]);
    expect(shortened(of(was), of(is))).toEqual(shorter ? ['session'] : []);
  });

  it('Y19 another zone is hours of a month, and nothing of a day', () => {
    const of = (keepAtMost: string, zone: string) => policyOf([ruleOf({ keepAtMost })], zone);
    expect(shortened(of('P1M', CPH), of('P1M', 'UTC'))).toEqual(['session']);
    expect(shortened(of('P30D', CPH), of('P30D', 'UTC'))).toEqual([]);
  });
});

describe('when a key group falls due', () => {
  const session = (from: UtcMs, to: UtcMs) => ({ kind: 'span', class: 'session', from, to }) as const;
  const none = { agreementEndsAt: null };

  it('Y16 with its earliest item where a keep-at-most binds, whatever the zone does within the span', () => {
    const inside = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    const units = fc.constantFrom<'day' | 'month'>('day', 'month');
    fc.assert(
      fc.property(instants, units, periods, zones, inside, (at, unit, most, zone, part) => {
        const { from, to } = spanOf(at, unit);
        const policy = policyOf([ruleOf({ keepAtMost: most })], zone);
        const due = dueOf(session(from, to), policy, none);
        const item = utcMs(Math.min(to - 1, Math.floor(from + (to - from) * part)));
        const own = decide(ended(item), policy, [], NOW).dueAt;
        expect(due).not.toBeNull();
        expect(due ?? 0).toBeLessThanOrEqual(own ?? 0);
        // And not too much: it is the due time of some item of the span.
        expect(due ?? 0).toBeGreaterThan((decide(ended(from), policy, [], NOW).dueAt ?? 0) - 26 * HOUR_MS);
      }),
      { numRuns: 1_000 },
    );
  });

  it('Y16 with its latest item where a keep-at-least does', () => {
    const inside = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    const units = fc.constantFrom<'day' | 'month'>('day', 'month');
    fc.assert(
      fc.property(instants, units, periods, zones, inside, (at, unit, least, zone, part) => {
        const { from, to } = spanOf(at, unit);
        const rule = ruleOf({
          class: 'audit.event',
          trigger: 'event',
          keepAtMost: least,
          keepAtLeast: least,
        });
        const policy = policyOf([rule], zone);
        const group = { kind: 'house', class: 'audit.event', from, to } as const;
        const item = utcMs(Math.min(to - 1, Math.floor(from + (to - from) * part)));
        const thing = ended(item, { kind: 'recording', class: 'audit.event' });
        expect(dueOf(group, policy, none) ?? 0).toBeGreaterThanOrEqual(
          decide(thing, policy, [], NOW).dueAt ?? Number.POSITIVE_INFINITY,
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('Y16 a later item that a short month takes for an earlier day, and a change of the clock, count', () => {
    // 31 January 00:00 in Los Angeles falls due at 28 February 00:00, before 30 January 16:00 does.
    const policy = policyOf([ruleOf({ keepAtMost: 'P1M' })], 'America/Los_Angeles');
    const { from, to } = spanOf(instant('2027-01-31T12:00:00.000Z'), 'day');
    expect(toIso(dueOf(session(from, to), policy, none) ?? utcMs(0))).toBe('2027-02-28T08:00:00.000Z');
    expect(toIso(decide(ended(from), policy, [], NOW).dueAt ?? utcMs(0))).toBe('2027-03-01T00:00:00.000Z');
  });

  it('Y16 of items on both sides of a change of the clock, the one that falls due first or last counts', () => {
    // 02:59:30 for the first time, and 02:00 for the second time half a minute later.
    const facts = (earliest: string, latest: string) => ({
      ...none,
      ends: { earliest: instant(earliest), latest: instant(latest) },
    });
    const single = { kind: 'single', class: 'session', from: null, to: null } as const;
    const most = policyOf([ruleOf({ keepAtMost: 'P1M' })]);
    const both = facts('2026-10-25T00:59:30.000Z', '2026-10-25T06:00:00.000Z');
    expect(toIso(dueOf(single, most, both) ?? utcMs(0))).toBe('2026-11-25T01:00:00.000Z');
    const least = policyOf([ruleOf({ keepAtMost: 'P1M', keepAtLeast: 'P1M' })]);
    const turned = facts('2026-10-24T23:00:00.000Z', '2026-10-25T01:00:30.000Z');
    expect(toIso(dueOf(single, least, turned) ?? utcMs(0))).toBe('2026-11-25T01:59:59.999Z');
  });

  it('Y16 a year that is due, of a month’s group, and nothing else', () => {
    const policy = policyOf([ruleOf({ keepAtMost: 'P12M' })]);
    const { from, to } = spanOf(instant('2026-11-12T12:00:00.000Z'), 'month');
    expect(toIso(dueOf(session(from, to), policy, none) ?? utcMs(0))).toBe('2027-11-01T00:00:00.000Z');
    expect(toIso(dueOf(session(from, to), policy, { ...none, zone: 'UTC' }) ?? utcMs(0))).toBe(
      '2027-11-01T00:00:00.000Z',
    );
  });

  it('Y16 a keep-at-least that counts from ends which nobody looked at bounds nothing', () => {
    const policy = policyOf([ruleOf({ keepAtMost: 'P1Y', keepAtLeast: 'P6M' })]);
    const { from, to } = spanOf(instant('2026-11-12T12:00:00.000Z'), 'month');
    const facts = { agreementEndsAt: null, ends: { earliest: from, latest: later(to, 5 * DAY_MS) } };
    expect(dueOfGroup(session(from, to), policy, none)).toMatchObject({ dueAt: null, reason: 'unbounded' });
    expect(dueOfGroup(session(from, to), policy, facts)).toMatchObject({ reason: 'keep-at-most' });
  });

  it('Y15 a group goes with its agreement, by any policy and by none; our own records do not', () => {
    const ends = instant('2027-01-15T00:00:00.000Z');
    const { from, to } = spanOf(instant('2026-11-12T12:00:00.000Z'), 'month');
    const facts = { agreementEndsAt: ends };
    for (const policy of [
      policyOf([]),
      policyOf([ruleOf({ keepAtMost: null })]),
      policyOf([ruleOf({ keepAtMost: 'P2Y' })]),
    ]) {
      expect(dueOf(session(from, to), policy, facts)).toBe(ends);
      expect(dueOf(session(from, to), policy, none)).toBe(
        policy.rules[0]?.keepAtMost === 'P2Y' ? instant('2028-11-01T00:00:00.000Z') : null,
      );
    }
    for (const kind of ['whole', 'late', 'single'] as const) {
      expect(dueOf({ kind, class: 'host.name', from: null, to: null }, policyOf([]), facts)).toBe(ends);
    }
    expect(dueOf({ kind: 'house', class: 'audit.event', from, to }, policyOf([]), facts)).toBeNull();
    const soon = policyOf([ruleOf({ keepAtMost: 'P30D' })]);
    expect(dueOf(session(from, to), soon, facts)).toBe(instant('2026-12-01T00:00:00.000Z'));
  });

  it('Y15 a keep-at-least is waited for also where the agreement ended', () => {
    const rule = ruleOf({ class: 'host.name', trigger: 'event', keepAtMost: null, keepAtLeast: 'P1M' });
    const ends = {
      earliest: instant('2027-01-01T00:00:00.000Z'),
      latest: instant('2027-01-10T00:00:00.000Z'),
    };
    const group = { kind: 'whole', class: 'host.name', from: null, to: null } as const;
    expect(dueOfGroup(group, policyOf([rule]), { agreementEndsAt: ends.latest, ends })).toMatchObject({
      reason: 'keep-at-least',
      dueAt: instant('2027-02-10T00:00:00.000Z'),
    });
    expect(dueOf(group, policyOf([rule]), { agreementEndsAt: ends.latest })).toBeNull();
  });

  it('Y16 what only reports is never due for erasing', () => {
    const { from, to } = spanOf(NOW, 'day');
    expect(dueOf(session(from, to), policyOf([ruleOf({ action: 'report' })]), none)).toBeNull();
  });

  it('Y16 rounding takes a whole year to the end of its 31 December', () => {
    const policy = policyOf([ruleOf({ keepAtMost: 'P7Y', round: 'year-end' })]);
    expect(decide(ended(instant('2026-03-03T12:00:00.000Z')), policy, [], NOW).dueAt).toBe(
      instant('2033-12-31T23:00:00.000Z'),
    );
  });

  it.each([
    ['P30D', 'day'],
    ['P90D', 'day'],
    ['P2M', 'day'],
    ['P91D', 'month'],
    ['P3M', 'month'],
    ['P1Y', 'month'],
    [null, 'month'],
  ] as const)('G1 the span of %s is a %s', (keepAtMost, unit) => {
    expect(spanUnitOf(policyOf([ruleOf({ keepAtMost })]), 'session')).toBe(unit);
    const hangs = policyOf([ruleOf({ keepAtMost, trigger: 'agreement-end' })]);
    expect(spanUnitOf(hangs, 'session')).toBe('month');
    expect(spanUnitOf(policyOf([]), 'session')).toBe('month');
    // One-off sessions have groups of their own, without a span.
    expect(spanUnitOf(policyOf([ruleOf({ keepAtMost, mode: 'one-off' })]), 'session')).toBe('month');
  });

  it('D1 what is anywhere at any time is covered by a hold on anything', () => {
    expect(anywhere).toEqual({ from: null, to: null });
    const blank = ended(NOW, { bounds: null });
    expect(decide(blank, policyOf([], CPH), [holdOf({ hosts: ['x'], from: NOW, to: NOW })], NOW).reason).toBe(
      'hold',
    );
  });
});
