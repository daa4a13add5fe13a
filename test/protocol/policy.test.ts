import { describe, expect, it } from 'vitest';
import { DATA_CLASSES } from '../../protocol/group.ts';
import { PACKS, packNamed, packOf } from '../../protocol/packs.ts';
import {
  LATER_TRIGGERS,
  type Policy,
  policySchema,
  RETENTION_CLASSES,
  type Rule,
  ruleFor,
} from '../../protocol/policy.ts';
import { findingsOf } from '../../protocol/policy-lint.ts';
import { policyOf, ruleOf } from '../fixtures/retention.ts';

function wrongIn(rule: Partial<Record<keyof Rule, unknown>>): string[] {
  const rules = [{ ...ruleOf(), ...rule }];
  const read = policySchema.safeParse({ name: 'x', version: 1, author: 'office', zone: 'UTC', rules });
  return read.success
    ? []
    : read.error.issues.map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`);
}

describe('policies (Y13, Y14)', () => {
  it('Y14 least longer than most is no policy, also where only some months make it so', () => {
    expect(wrongIn({ keepAtMost: 'P30D', keepAtLeast: 'P31D' })[0]).toContain('keepAtLeast: longer than');
    expect(wrongIn({ keepAtMost: 'P30D', keepAtLeast: 'P1M' })).toHaveLength(1);
    expect(wrongIn({ keepAtMost: 'P1Y', keepAtLeast: 'P1Y' })).toEqual([]);
    expect(wrongIn({ keepAtMost: null, keepAtLeast: 'P1Y' })).toEqual([]);
  });

  it.each(LATER_TRIGGERS)('Y13 the trigger %s is refused, and why', (trigger) => {
    expect(wrongIn({ trigger })[0]).toContain(`${trigger} comes with a later version`);
  });

  it('Y14 a trigger belongs to its class, a mode to sessions, and a one-off session to its end', () => {
    expect(wrongIn({ trigger: 'whenever' })[0]).toMatch(/no trigger; use one of session-end/);
    expect(wrongIn({ trigger: 'sesion-end' })[0]).toContain('did you mean "session-end"?');
    expect(wrongIn({ trigger: 'recording-end' })[0]).toContain('only of the class recording');
    expect(wrongIn({ class: 'recording' })[0]).toContain('only of the class session');
    expect(wrongIn({ class: 'audit.event', trigger: 'agreement-end' })[0]).toContain('use event');
    expect(wrongIn({ class: 'host.name', trigger: 'event', mode: 'managed' })[0]).toContain('mode: only');
    expect(wrongIn({ trigger: 'agreement-end', mode: 'one-off' })[0]).toContain('use session-end');
  });

  it('Y14 one class and mode has one rule; a mode of its own goes before both', () => {
    const [a, b] = [ruleOf({ keepAtMost: 'P1D' }), ruleOf({ keepAtMost: 'P2D', mode: 'managed' })];
    const twice = { name: 'x', version: 1, author: 'o', zone: 'UTC', rules: [a, b, { ...a }] };
    expect(policySchema.safeParse(twice).error?.issues[0]?.message).toContain('says again what rules[0]');
    const policy = policyOf([a, b]);
    expect(ruleFor(policy, 'session', 'managed')?.keepAtMost).toBe('P2D');
    expect(ruleFor(policy, 'session', 'one-off')?.keepAtMost).toBe('P1D');
    expect(ruleFor(policy, 'host.name', 'managed')).toBeNull();
    expect(ruleFor(policyOf([b]), 'session', 'one-off')).toBeNull();
  });

  it('Y13 what is not said is not filled in: only keepAtLeast may be left away', () => {
    const { keepAtLeast: _none, ...rule } = ruleOf();
    const read = policySchema.parse({ name: 'x', version: 1, author: 'o', zone: 'UTC', rules: [rule] });
    expect(read.rules[0]?.keepAtLeast).toBeNull();
    expect(wrongIn({ keepAtMost: undefined })).toHaveLength(1);
    expect(wrongIn({ keepAtMost: 'PT1.5H' })).toHaveLength(1);
    expect(policySchema.safeParse({ name: 'x', version: 1, author: 'o', rules: [] }).success).toBe(false);
    expect(
      policySchema.safeParse({ name: 'x', version: 1, author: 'o', zone: 'Mars/Base', rules: [] }).success,
    ).toBe(false);
  });
});

describe('packs (Y13)', () => {
  const packs = Object.entries(PACKS);

  it.each(packs)('Y13 %s is a policy under its own name, as data', (name, { policy, notYet }) => {
    expect(policySchema.parse(policy)).toEqual(policy);
    expect(policy.name).toBe(name);
    for (const { note } of policy.rules) expect(note).toMatch(/\S/);
    for (const { promise, why } of notYet) {
      expect(promise).toMatch(/^(?:(PN|HMS|HS|HT|HC)-\d\d|HMS analytics)$/);
      expect(why).toMatch(/waits for the trigger|no such class yet/);
    }
    // Neutral: whoever chooses a pack has no company's name in their events.
    expect(JSON.stringify([policy, notYet])).not.toMatch(
      /powernet|hedengren|hansen|hansoken|hms net|hms ind/i,
    );
  });

  it('Y13 every pack but none has something to say of each of our own records', () => {
    for (const [name, { policy }] of packs) {
      const classes = new Set(policy.rules.map((rule) => rule.class));
      for (const cls of DATA_CLASSES.slice(2))
        expect([name, classes.has(cls)]).toEqual([name, name !== 'none']);
    }
  });

  it('dk-msp: sessions go with their end or their agreement, footage after thirty days', () => {
    const { policy } = packOf('dk-msp');
    expect(ruleFor(policy, 'session', 'one-off')).toMatchObject({
      trigger: 'session-end',
      keepAtMost: 'P0D',
    });
    expect(ruleFor(policy, 'session', 'managed')).toMatchObject({
      trigger: 'agreement-end',
      keepAtMost: 'P0D',
    });
    expect(ruleFor(policy, 'recording', 'managed')).toMatchObject({ keepAtMost: 'P30D', action: 'erase' });
    expect(ruleFor(policy, 'host.name', 'managed')).toMatchObject({ trigger: 'agreement-end' });
  });

  it('G1 no pack gives another span to what collectors have already: all go by months', () => {
    for (const [name] of packs) expect(new Set(Object.values(packNamed(name)))).toEqual(new Set(['month']));
  });
});

describe('findings (Y18)', () => {
  const of = (policy: Policy) => findingsOf(policy).map(({ finding, class: cls }) => `${finding} ${cls}`);

  it('Y18 every class without a rule, and every rule without a period', () => {
    expect(of(policyOf([]))).toEqual(RETENTION_CLASSES.map((cls) => `class-without-rule ${cls}`));
    for (const [, { policy, notYet }] of Object.entries(PACKS)) {
      const found = findingsOf(policy, notYet);
      const open = RETENTION_CLASSES.filter((cls) => {
        const mine = policy.rules.filter((rule) => rule.class === cls);
        return mine.length === 0 || mine.some((rule) => rule.keepAtMost === null);
      });
      for (const cls of open) expect(found.some((one) => one.class === cls)).toBe(true);
      expect(found.filter((one) => one.finding === 'promise-open')).toHaveLength(notYet.length);
    }
  });

  it('Y18 a whole policy has none', () => {
    const rules = RETENTION_CLASSES.map((cls): Rule => {
      const trigger = cls === 'session' ? 'session-end' : cls === 'recording' ? 'recording-end' : 'event';
      return ruleOf({ class: cls, trigger, keepAtMost: 'P1Y' });
    });
    expect(findingsOf(policyOf(rules))).toEqual([]);
  });

  it('Y18 kept for ever, one mode only, and what goes before that which it names', () => {
    const least = ruleOf({ keepAtMost: null, keepAtLeast: 'P1Y' });
    expect(of(policyOf([least]))).toContain('kept-for-ever session');
    const [only] = findingsOf(policyOf([ruleOf({ mode: 'managed' })]));
    expect(only).toMatchObject({ finding: 'mode-without-rule', class: 'session', mode: 'one-off' });
    const names = ruleOf({ class: 'host.name', trigger: 'event', keepAtMost: 'P30D' });
    expect(of(policyOf([least, names]))).toContain('gone-before host.name');
    expect(of(policyOf([{ ...least, keepAtLeast: 'P30D' }, names]))).not.toContain('gone-before host.name');
    const one = ruleOf({ mode: 'managed', keepAtMost: 'P30D' });
    const found = findingsOf(policyOf([one, { ...least, keepAtMost: 'P2Y' }]));
    expect(found.find(({ finding }) => finding === 'gone-before')).toMatchObject({
      rule: 0,
      class: 'session',
    });
  });
});
