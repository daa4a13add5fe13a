import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pseudonym, pseudonymOfSession } from '../../collector/pseudonyms.ts';
import { type Known, makeRoster, type Traces } from '../../collector/roster.ts';
import { IDENTITY_KINDS } from '../../protocol/event.ts';
import type { PersonId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';

const at = (n: number) => utcMs(1_790_000_000_000 + n);
const [ada, bob] = ['a', 'b'].map((c) => c.repeat(32)) as [PersonId, PersonId];
const known = (over: Partial<Known>): Known => ({
  ...{ person: ada, kind: 'teamviewer', value: '1 660 360 496', from: null, to: null },
  ...over,
});
const traces = (over: Partial<Traces> = {}): Traces => ({
  ...{
    tool: 'teamviewer',
    startedAt: at(10),
    peerId: '1660360496',
    ips: [],
    technician: null,
    localUser: null,
  },
  ...over,
});
const find = (of: Known[], over: Partial<Traces> = {}) => makeRoster(of).find(traces(over));

describe('the roster', () => {
  it('knows an id however its digits are grouped, and of its own tool only', () => {
    expect(find([known({})])).toBe(ada);
    expect(find([known({})], { tool: 'anydesk' })).toBeNull();
    expect(find([known({ kind: 'anydesk' })])).toBeNull();
    expect(find([known({ value: '999' })])).toBeNull();
  });

  it('is of its time: half open', () => {
    const of = [known({ from: at(5), to: at(10) }), known({ person: bob, from: at(10) })];
    expect([4, 5, 9, 10].map((n) => find(of, { startedAt: at(n) }))).toEqual([null, ada, ada, bob]);
  });

  it('knows keys exactly, accounts in either case, and where somebody comes from', () => {
    const key = `SHA256:${'Ab'.repeat(21)}c`;
    const ssh = { tool: 'sshd', peerId: null };
    expect(find([known({ kind: 'ssh-key', value: key })], { ...ssh, technician: key })).toBe(ada);
    expect(
      find([known({ kind: 'ssh-key', value: key })], { ...ssh, technician: key.toLowerCase() }),
    ).toBeNull();
    expect(find([known({ kind: 'account', value: 'ADA' })], { ...ssh, localUser: 'ada' })).toBe(ada);
    expect(find([known({ kind: 'network', value: '203.0.113.0/24' })], { ips: ['203.0.113.7'] })).toBe(ada);
    expect(find([known({ kind: 'network', value: '203.0.113.0/24' })], { ips: ['198.51.100.7'] })).toBeNull();
  });

  it('does not take who sat at the machine for who came', () => {
    expect(find([known({ kind: 'account', value: 'IEUser' })], { localUser: 'IEUser' })).toBeNull();
  });

  it('W13 what was proven goes before where they came from; two who fit equally are nobody', () => {
    const office = known({ person: bob, kind: 'network', value: '203.0.113.0/24' });
    expect(find([office, known({})], { ips: ['203.0.113.7'] })).toBe(ada);
    expect(find([known({}), known({ person: bob })])).toBeNull();
    expect(find([known({}), known({})])).toBe(ada);
  });

  it('W13 never names somebody for whom nothing fits, whatever is known and seen', () => {
    const word = fc.constantFrom('ada', 'bob', '1660360496', '203.0.113.0/24', '203.0.113.7', '', 'x');
    const someone = fc.record({
      person: fc.constantFrom(ada, bob),
      kind: fc.constantFrom(...IDENTITY_KINDS),
      value: word,
      from: fc.option(fc.integer({ min: 0, max: 20 }).map(at)),
      to: fc.option(fc.integer({ min: 0, max: 20 }).map(at)),
    });
    const seen = fc.record({
      tool: fc.constantFrom('teamviewer', 'anydesk', 'sshd', 'rdp'),
      startedAt: fc.integer({ min: 0, max: 20 }).map(at) as fc.Arbitrary<UtcMs>,
      peerId: fc.option(word),
      ips: fc.array(word, { maxLength: 2 }),
      technician: fc.option(word),
      localUser: fc.option(word),
    });
    fc.assert(
      fc.property(fc.array(someone, { maxLength: 8 }), seen, (all, one) => {
        const person = makeRoster(all).find(one);
        if (person === null) return;
        const theirs = all.filter((entry) => entry.person === person);
        expect(theirs.some((entry) => makeRoster([entry]).find(one) === person)).toBe(true);
        // Nobody else's strongest claim is as strong.
        expect(makeRoster(all.toReversed()).find(one)).toBe(person);
      }),
    );
  });
});

describe('pseudonyms', () => {
  const key = Buffer.alloc(32, 7);
  it('W14 are stable under one key, others under another, and read aloud without doubt', () => {
    expect(pseudonym('P', key, 'teamviewer\x001660360496')).toMatch(/^P-[0-9A-HJKMNP-TV-Z]{6}$/);
    expect(pseudonym('P', key, 'a')).toBe(pseudonym('P', key, 'a'));
    expect(pseudonym('P', key, 'a')).not.toBe(pseudonym('P', Buffer.alloc(32, 8), 'a'));
    expect(pseudonym('P', key, 'a').slice(2)).not.toBe(pseudonym('U', key, 'a').slice(2));
    expect(pseudonymOfSession('P', 'a')).toMatch(/^P-/);
  });
});
