import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueFor, planDue } from '../../collector/erasing/due.ts';
import {
  COOLING_MS,
  eraseAtOf,
  hostEnd,
  isComplete,
  isOver,
  mustBegin,
  mustTell,
  mustTellErasing,
  phaseOf,
} from '../../collector/erasing/end-rules.ts';
import { cancelled, ordered } from '../../collector/erasing/ends.ts';
import type { AgentRow, AgreementRow, CommandRow, GroupRow } from '../../collector/store/types.ts';
import { canonical, leafHash, nodeHash, sha256 } from '../../protocol/canonical.ts';
import type { AgreementId, GroupId, LogId, PersonId } from '../../protocol/ids.ts';
import { toB64 } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { packOf } from '../../protocol/packs.ts';
import type { Policy } from '../../protocol/policy.ts';
import { DAY_MS, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { NOW, newHex } from './rooms.ts';

const person = newHex<PersonId>();
const at = (ms: number): UtcMs => utcMs(NOW + ms);

function agreementRow(change: Partial<AgreementRow> = {}): AgreementRow {
  return {
    agreement: newHex<AgreementId>(),
    customer: newHex(),
    mode: 'managed',
    state: 'open',
    isDefault: false,
    startsAt: at(-400 * DAY_MS),
    endsAt: null,
    createdAt: at(-400 * DAY_MS),
    coolingUntil: null,
    orderedAt: null,
    orderedBy: null,
    endedAt: null,
    ...change,
  };
}

function groupRow(change: Partial<GroupRow> = {}): GroupRow {
  return {
    group: newHex<GroupId>(),
    kind: 'span',
    agreement: newHex<AgreementId>(),
    class: 'session',
    subject: null,
    from: utcMs(Date.UTC(2025, 9, 1)),
    to: utcMs(Date.UTC(2025, 10, 1)),
    key: 'k',
    record: {} as GroupRow['record'],
    slot: 1,
    state: 'live',
    dueAt: null,
    erasedAt: null,
    erasedBy: null,
    createdAt: utcMs(Date.UTC(2025, 9, 1)),
    ...change,
  };
}

const yearly: Policy = {
  name: 'dk-msp',
  version: 7,
  author: 'test',
  zone: 'UTC',
  rules: [
    { class: 'session', trigger: 'session-end', keepAtMost: 'P12M', keepAtLeast: null, action: 'erase' },
    { class: 'audit.reading', trigger: 'event', keepAtMost: 'P12M', keepAtLeast: null, action: 'report' },
  ],
};
const none = packOf('none').policy;

describe('the root over what went', () => {
  /** RFC 6962, 2.1, as it is written. */
  function mth(leaves: readonly string[]): Buffer {
    if (leaves.length === 0) return sha256('');
    if (leaves.length === 1) return leafHash(leaves[0]!);
    let k = 1;
    while (k * 2 < leaves.length) k *= 2;
    return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
  }

  it('V35 is that of RFC 6962, whatever its size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 70 }), (size) => {
        const places = Array.from({ length: size }, (_, i) => ({
          group: newHex<GroupId>(),
          log: newHex<LogId>(),
          seq: i + 1,
        }));
        const list = new ListRoot();
        for (const place of places) list.add(place);
        expect(list.size).toBe(size);
        expect(list.root()).toBe(toB64(mth(places.map((place) => canonical(place)))));
      }),
    );
  });
});

describe('what is due', () => {
  it('D5 V38 a month of a twelve-month policy is due with its first item, under that policy', () => {
    const row = groupRow();
    expect(dueFor(row, yearly, agreementRow())).toEqual({
      group: row.group,
      by: 'policy',
      action: 'erase',
      policy: 'dk-msp',
      version: 7,
      dueAt: Date.UTC(2026, 9, 1),
    });
  });

  it('D2 nothing is due without a period and without an end', () => {
    expect(dueFor(groupRow(), none, agreementRow())).toBeNull();
    expect(dueFor(groupRow(), packOf('dk-msp').policy, agreementRow())).toBeNull();
    expect(dueFor(groupRow({ kind: 'house', agreement: null, class: 'audit.event' }), none, null)).toBeNull();
  });

  it('D2 a rule that only reports erases nothing', () => {
    const row = groupRow({ kind: 'house', agreement: null, class: 'audit.reading' });
    expect(dueFor(row, yearly, null)).toBeNull();
  });

  it.each(['none', 'dk-msp', 'hosting', 'se-remote-access'])(
    'S2 V39 under %s the end makes all of an agreement due, cooling-off included',
    (name) => {
      const endsAt = at(-1);
      const row = agreementRow({ endsAt, coolingUntil: at(HOUR_MS), orderedAt: at(HOUR_MS - COOLING_MS) });
      for (const kind of ['span', 'late', 'whole', 'single'] as const) {
        const cls = kind === 'whole' ? 'host.name' : 'session';
        const spanned = kind === 'span' ? {} : { from: null, to: null, createdAt: at(-DAY_MS) };
        const due = dueFor(groupRow({ kind, class: cls, ...spanned }), packOf(name).policy, row);
        expect(due?.dueAt, kind).toBeLessThanOrEqual(at(HOUR_MS));
        expect(due?.dueAt, kind).not.toBeNull();
      }
    },
  );

  it('V45 a late group counts from when it was made', () => {
    const row = groupRow({ kind: 'late', from: null, to: null, createdAt: at(0) });
    expect(dueFor(row, yearly, agreementRow())?.dueAt).toBe(Date.UTC(2027, 10, 22, 8));
  });

  it('tells what changed, what is due, the most overdue first, and what comes next', () => {
    const month = (m: number) =>
      groupRow({ from: utcMs(Date.UTC(2025, m, 1)), to: utcMs(Date.UTC(2025, m + 1, 1)) });
    const [sep, oct, nov] = [month(8), month(9), month(11)];
    const known = { ...sep, dueAt: utcMs(Date.UTC(2026, 8, 1)) };
    const dead = groupRow({ state: 'erased' });
    const plan = planDue([oct, known, nov, dead], yearly, new Map(), NOW);
    expect(plan.due.map(({ group }) => group)).toEqual([sep.group, oct.group]);
    expect(plan.changed.map(({ group }) => group)).toEqual([oct.group, nov.group]);
    expect(plan.next).toBe(Date.UTC(2026, 11, 1));
  });
});

describe('the end of an agreement', () => {
  const order = (change = {}) => ({
    agreement: newHex<AgreementId>(),
    effectiveAt: null,
    person,
    reason: 'left',
    ...change,
  });

  it('V39 counts from the later of effective date and cooling-off', () => {
    const now = ordered(agreementRow(), order(), NOW);
    expect([now.endsAt, eraseAtOf(now)]).toEqual([NOW, NOW + COOLING_MS]);
    const later = ordered(agreementRow(), order({ effectiveAt: at(30 * DAY_MS) }), NOW);
    expect(eraseAtOf(later)).toBe(NOW + 30 * DAY_MS);
    const past = ordered(agreementRow(), order({ effectiveAt: at(-DAY_MS) }), NOW);
    expect([past.endsAt, eraseAtOf(past)]).toEqual([NOW - DAY_MS, NOW + COOLING_MS]);
    const approved = order({ now: { approval: newHex() } });
    expect(eraseAtOf(ordered(agreementRow(), approved, NOW))).toBe(NOW);
    // An order that stands is made to be at once, and keeps its date where no other is given.
    expect(eraseAtOf(ordered(later, approved, at(1)))).toBe(NOW + 30 * DAY_MS);
  });

  it('V39 is cancelled until its cooling-off is over, and not after', () => {
    const row = ordered(agreementRow(), order({ effectiveAt: at(-DAY_MS) }), NOW);
    expect(cancelled(row, at(COOLING_MS - 1))).toMatchObject({ endsAt: null, coolingUntil: null });
    expect(() => cancelled(row, at(COOLING_MS))).toThrow('its cooling-off is over');
    expect(() => cancelled({ ...row, state: 'ended' }, NOW)).toThrow('erasing has begun');
    expect(() => cancelled(agreementRow(), NOW)).toThrow('its end was not ordered');
    expect(() => cancelled(null, NOW)).toThrow('there is none with this id');
  });

  it('V39 is ordered once, within sensible dates, and not of what has ended', () => {
    const row = ordered(agreementRow(), order(), NOW);
    expect(() => ordered(row, order(), NOW)).toThrow('ordered already');
    expect(() => ordered({ ...row, state: 'ended' }, order(), NOW)).toThrow('ended already');
    expect(() => ordered(agreementRow(), order({ effectiveAt: at(-401 * DAY_MS) }), NOW)).toThrow('before');
    expect(() => ordered(agreementRow(), order({ effectiveAt: at(4_000 * DAY_MS) }), NOW)).toThrow('ahead');
  });

  it('V39 never begins before both have passed, whatever the order', () => {
    fc.assert(
      fc.property(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -400, max: 400 }), (days, later) => {
        const row = ordered(agreementRow(), order({ effectiveAt: at(days * DAY_MS) }), NOW);
        const now = at(later * DAY_MS);
        const both = now >= NOW + days * DAY_MS && now >= NOW + COOLING_MS;
        expect(mustBegin(row, now)).toBe(both);
        expect(isOver(row, now)).toBe(now >= NOW + days * DAY_MS);
      }),
    );
    expect(mustBegin(agreementRow(), at(1e12))).toBe(false);
  });

  it('says where it stands', () => {
    expect(phaseOf(agreementRow())).toBe('open');
    expect(phaseOf(agreementRow({ endsAt: NOW }))).toBe('ending');
    expect(phaseOf(agreementRow({ endsAt: NOW, state: 'ended' }))).toBe('erasing');
    expect(phaseOf(agreementRow({ endsAt: NOW, state: 'ended', endedAt: NOW }))).toBe('ended');
  });
});

describe('its hosts', () => {
  const ended = agreementRow({ endsAt: at(-1), coolingUntil: at(-1), state: 'ended' });
  const agent = { agent: newHex(), state: 'approved' } as AgentRow;
  const command = (n: number, effectiveAt: UtcMs | null, ok: boolean | null): CommandRow =>
    ({ n, verb: 'agreement.end', body: { effectiveAt }, ok, resultAt: ok === null ? null : NOW }) as never;
  const erase = (n: number, ok: boolean | null, resultAt = ok === null ? null : NOW): CommandRow =>
    ({ n, verb: 'agreement.erase', body: {}, ok, resultAt }) as never;
  const clear = { agent: agent.agent, pos: 9, at: NOW };

  it.each<[string, HostCase, string]>([
    ['has not heard of it', {}, 'pending'],
    ['has the order, and has not answered', { commands: [command(1, ended.endsAt, null)] }, 'pending'],
    ['has taken it and holds something', { commands: [command(1, ended.endsAt, true)] }, 'pending'],
    [
      'holds what was erased last',
      { commands: [command(1, ended.endsAt, true)], confirmation: { ...clear, pos: 8 } },
      'pending',
    ],
    [
      'was told another date since',
      { commands: [command(1, ended.endsAt, true), command(2, NOW, true)] },
      'pending',
    ],
    ['could not', { commands: [command(1, ended.endsAt, false)], confirmation: clear }, 'failed'],
    [
      'is clear, and has not said that what it measured is gone',
      { commands: [command(1, ended.endsAt, true), erase(2, null)], confirmation: clear },
      'pending',
    ],
    [
      'could not erase what it measured, or does not know how',
      { commands: [command(1, ended.endsAt, true), erase(2, false)], confirmation: clear },
      'failed',
    ],
    [
      'has taken it, is clear, and what it measured is gone',
      { commands: [command(1, ended.endsAt, true), erase(2, true)], confirmation: clear },
      'done',
    ],
    ['was revoked', { agent: { ...agent, state: 'revoked' } as AgentRow }, 'revoked'],
  ])('V41 %s', (_, facts, state) => {
    expect(hostEnd(ended, { agent, commands: [], confirmation: null, ...facts }, 9, NOW).state).toBe(state);
  });

  it('V41 nothing is done before the effective date, nor before erasing began', () => {
    const facts = { agent, commands: [command(1, at(5), true), erase(2, true)], confirmation: clear };
    expect(hostEnd({ ...ended, endsAt: at(5) }, facts, null, NOW).state).toBe('pending');
    const begun = {
      agent,
      commands: [command(1, ended.endsAt, true), erase(2, true)],
      confirmation: clear,
    };
    expect(hostEnd({ ...ended, state: 'open' }, begun, null, NOW).state).toBe('pending');
  });

  it('V41 it is complete when nothing lives and nobody is waited for', () => {
    const [dead, live] = [groupRow({ state: 'erased' }), groupRow({ state: 'erasing' })];
    const [done, pending] = [{ state: 'done' as const }, { state: 'pending' as const }];
    expect(isComplete(ended, [dead, dead], [done, { state: 'revoked' }])).toBe(true);
    expect(isComplete(ended, [], [])).toBe(true);
    expect(isComplete(ended, [dead, live], [done])).toBe(false);
    expect(isComplete(ended, [dead], [done, pending])).toBe(false);
    expect(isComplete(ended, [dead], [{ state: 'failed' }])).toBe(false);
    expect(isComplete({ ...ended, state: 'open' }, [dead], [done])).toBe(false);
  });

  it('V59 what is kept is not waited for; what is to go, by a request or let go, is', () => {
    const takes = (why: string, state: GroupRow['state']) =>
      groupRow({
        kind: 'single',
        state,
        record: { takes: { sessions: [], why } } as unknown as GroupRow['record'],
      });
    const done = [{ state: 'done' as const }];
    const dead = groupRow({ state: 'erased' });
    expect(isComplete(ended, [dead, takes('kept', 'live')], done)).toBe(true);
    for (const open of [
      takes('let-go', 'live'),
      takes('request', 'live'),
      takes('kept', 'erasing'),
      groupRow(),
    ])
      expect(isComplete(ended, [dead, open], done)).toBe(false);
  });

  it('V42 is told where what it was told last is not what holds', () => {
    const ending = agreementRow({ endsAt: at(7) });
    expect(mustTell(ending, [], NOW)).toBe(true);
    expect(mustTell(ending, [command(1, at(7), null)], NOW)).toBe(false);
    expect(mustTell(ending, [command(1, at(7), true), command(2, null, true)], NOW)).toBe(true);
    expect(mustTell(agreementRow(), [], NOW)).toBe(false);
    expect(mustTell(agreementRow(), [command(1, at(7), true)], NOW)).toBe(true);
    expect(mustTell(agreementRow(), [command(1, at(7), true), command(2, null, null)], NOW)).toBe(false);
    expect(mustTell({ ...ended, endedAt: NOW }, [], NOW)).toBe(false);
  });

  it('V42 is told that erasing has begun, once it has, and once', () => {
    const ending = agreementRow({ endsAt: at(7) });
    expect(mustTellErasing(ending, [command(1, at(7), true)], NOW)).toBe(false);
    expect(mustTellErasing(ended, [command(1, ended.endsAt, true)], NOW)).toBe(true);
    expect(mustTellErasing(ended, [command(1, ended.endsAt, true), erase(2, null)], NOW)).toBe(false);
    expect(mustTellErasing(ended, [erase(2, true)], NOW)).toBe(false);
    expect(mustTellErasing({ ...ended, endedAt: NOW }, [], NOW)).toBe(false);
  });

  it('V60 what it could not do is ordered anew a day later, and what it has done or not answered is not', () => {
    const dayAgo = utcMs(NOW - DAY_MS);
    const failed = (when: UtcMs) => [{ ...command(1, ended.endsAt, false), resultAt: when }];
    expect(mustTell(ended, failed(dayAgo), NOW)).toBe(true);
    expect(mustTell(ended, failed(utcMs(dayAgo + 1)), NOW)).toBe(false);
    expect(mustTellErasing(ended, [erase(1, false, dayAgo)], NOW)).toBe(true);
    expect(mustTellErasing(ended, [erase(1, false, NOW)], NOW)).toBe(false);
    expect(mustTellErasing(ended, [erase(1, true, dayAgo)], NOW)).toBe(false);
    expect(mustTellErasing(ended, [erase(1, false, dayAgo), erase(2, null)], NOW)).toBe(false);
  });
});

type HostCase = Partial<Parameters<typeof hostEnd>[1]>;
