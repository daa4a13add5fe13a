import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALONE_MS,
  type Asked,
  type Circle,
  type How,
  judge,
  type Member,
  seconds,
  YOUNG_MS,
} from '../../collector/approvals-rules.ts';
import { within } from '../../collector/people.ts';
import { ROLES } from '../../protocol/event.ts';
import type { CustomerId, PersonId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../../protocol/time.ts';

const HOWS: readonly How[] = ['approve', 'refuse', 'alone', 'due'];
const NOW = 100 * DAY_MS;
const ids = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(32) as PersonId);
const customers = fc.option(
  fc.uniqueArray(fc.constantFrom('1'.repeat(32) as CustomerId, '2'.repeat(32) as CustomerId), {
    minLength: 1,
  }),
);
/** Times at, just before and just after every limit that the rules have. */
const ago = fc.oneof(
  fc.integer({ min: 0, max: 20 * DAY_MS }),
  fc.constantFrom(0, YOUNG_MS, YOUNG_MS - 1, YOUNG_MS + 1, ALONE_MS, 3 * HOUR_MS),
);

const members = fc.tuple(
  ...ids.map((person) =>
    fc.record({
      person: fc.constant(person),
      role: fc.constantFrom(...ROLES),
      customers,
      active: fc.boolean(),
      signedIn: fc.boolean(),
      createdBy: fc.option(fc.constantFrom(...ids)),
      ago,
    }),
  ),
);
/** Quiet: hardly anybody is there, as where one may act alone; otherwise almost all are. */
const circles = fc.record({ list: members, quiet: fc.boolean() }).map(({ list, quiet }): Circle => {
  const made = list.map(({ ago: past, signedIn, active, ...rest }): Member => {
    const there = quiet ? active : active || signedIn;
    const live = there && (quiet ? signedIn && rest.person === ids[0] : true);
    return { ...rest, active: there, live, createdAt: utcMs(NOW - past) };
  });
  return new Map(made.map((member) => [member.person, member]));
});

const askeds: fc.Arbitrary<Asked> = fc.record({
  state: fc.constantFrom('open', 'open', 'open', 'given', 'refused'),
  askedBy: fc.constantFrom(...ids),
  about: fc.option(fc.constantFrom(...ids)),
  customers,
  expiresAt: fc.constantFrom(-DAY_MS, 0, 1, DAY_MS, 3 * DAY_MS).map((ms) => utcMs(NOW + ms)),
  aloneAt: fc
    .constantFrom(null, -ALONE_MS, -1, 0, 1, ALONE_MS)
    .map((ms) => (ms === null ? null : utcMs(NOW + ms))),
  roles: fc.subarray([...ROLES]),
  now: fc.constantFrom(false, false, true),
}) as fc.Arbitrary<Asked>;

const cases = fc.record({ asked: askeds, circle: circles, who: fc.constantFrom(...ids) });
const holds = (law: (one: { asked: Asked; circle: Circle; who: PersonId }) => void) =>
  fc.assert(fc.property(cases, law), { numRuns: 5_000 });
const allowed = (asked: Asked, how: How, who: PersonId, circle: Circle) =>
  judge(asked, how, who, circle, utcMs(NOW)) === null;

/** Written apart from the rules: everybody whom somebody made, by going down instead of up. */
function madeOf(maker: PersonId, circle: Circle): Set<PersonId> {
  const found = new Set<PersonId>();
  for (let grew = true; grew; ) {
    const before = found.size;
    for (const { person, createdBy } of circle.values())
      if (createdBy !== null && (createdBy === maker || found.has(createdBy))) found.add(person);
    grew = found.size > before;
  }
  return found;
}

describe('who approves', () => {
  it('R1 nobody approves what they asked for, or what is about themselves', () => {
    holds(({ asked, circle, who }) => {
      if (who !== asked.askedBy && who !== asked.about) return;
      expect(allowed(asked, 'approve', who, circle)).toBe(false);
      if (who === asked.about && who !== asked.askedBy)
        expect(allowed(asked, 'refuse', who, circle)).toBe(false);
    });
  });

  it('R2 nobody whose account the asker made, through whomever, in the last 7 days', () => {
    holds(({ asked, circle, who }) => {
      const member = circle.get(who) as Member;
      if (!madeOf(asked.askedBy, circle).has(who) || NOW - member.createdAt >= YOUNG_MS) return;
      expect(allowed(asked, 'approve', who, circle)).toBe(false);
    });
  });

  it('R3 who approves, or refuses for another, has the role, sees every customer, and can sign in', () => {
    holds(({ asked, circle, who }) => {
      const member = circle.get(who) as Member;
      for (const how of ['approve', 'refuse'] as const) {
        if (!allowed(asked, how, who, circle) || (how === 'refuse' && who === asked.askedBy)) continue;
        expect(asked.roles).toContain(member.role);
        expect(within(asked.customers, member.customers)).toBe(true);
        expect(member.live).toBe(true);
      }
    });
  });

  it('R1, R2, R3 nothing else keeps anybody from it', () => {
    holds(({ asked, circle, who }) => {
      const [member, asker] = [circle.get(who) as Member, circle.get(asked.askedBy) as Member];
      const open = asked.state === 'open' && asked.expiresAt > NOW && asker.active;
      const fits = asked.roles.includes(member.role) && within(asked.customers, member.customers);
      const young = madeOf(asked.askedBy, circle).has(who) && NOW - member.createdAt < YOUNG_MS;
      const other = who !== asked.askedBy && who !== asked.about;
      expect(allowed(asked, 'approve', who, circle)).toBe(open && fits && member.live && !young && other);
    });
  });
});

describe('who acts alone', () => {
  it('R4 only the asker, only where nobody else could approve, never at once', () => {
    holds(({ asked, circle, who }) => {
      for (const how of ['alone', 'due'] as const) {
        if (!allowed(asked, how, who, circle)) continue;
        expect(who).toBe(asked.askedBy);
        expect(who).not.toBe(asked.about);
        expect(asked.now).toBe(false);
        expect(asked.roles).toContain(circle.get(who)?.role);
        expect(seconds(asked, circle, utcMs(NOW))).toEqual([]);
        expect(ids.filter((one) => allowed(asked, 'approve', one, circle))).toEqual([]);
        if (how === 'due') expect(asked.aloneAt ?? Number.MAX_VALUE).toBeLessThanOrEqual(NOW);
      }
    });
  });

  it('R4 where nobody could approve, an asker who could for others is never stuck', () => {
    holds(({ asked, circle }) => {
      const asker = circle.get(asked.askedBy) as Member;
      const fits =
        asked.roles.includes(asker.role) && within(asked.customers, asker.customers) && asker.active;
      const open =
        asked.state === 'open' && asked.expiresAt > NOW && !asked.now && asked.about !== asked.askedBy;
      if (!fits || !open || seconds(asked, circle, utcMs(NOW)).length > 0) return;
      expect(judge(asked, 'alone', asked.askedBy, circle, utcMs(NOW))).toBeNull();
    });
  });
});

describe('what is over', () => {
  it('R5 is never decided again, and does not run', () => {
    holds(({ asked, circle, who }) => {
      const over = asked.state !== 'open' || asked.expiresAt <= NOW;
      if (over) expect(HOWS.filter((how) => allowed(asked, how, who, circle))).toEqual([]);
    });
  });

  it('R6 does not run for somebody who was revoked; it can still be refused', () => {
    holds(({ asked, circle, who }) => {
      if (circle.get(asked.askedBy)?.active === true) return;
      expect(HOWS.filter((how) => how !== 'refuse' && allowed(asked, how, who, circle))).toEqual([]);
    });
  });

  it('the generator reaches every answer', () => {
    const seen = new Set<string>();
    holds(({ asked, circle, who }) => {
      for (const how of HOWS)
        for (const one of [who, asked.askedBy])
          seen.add(`${how} ${judge(asked, how, one, circle, utcMs(NOW))}`);
    });
    const every = [
      'approve null',
      'refuse null',
      'alone null',
      'due null',
      'approve young',
      'alone not-alone',
    ];
    expect([...every, 'alone alone-now', 'due not-due'].filter((one) => !seen.has(one))).toEqual([]);
  });
});
