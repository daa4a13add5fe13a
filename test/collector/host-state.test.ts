import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOST_STATES, hostState, LATE_MS, OFFLINE_MS } from '../../collector/host-state.ts';
import type { Id } from '../../protocol/ids.ts';
import { SECOND_MS, utcMs } from '../../protocol/time.ts';

const NOW = utcMs(Date.UTC(2026, 10, 22, 12));
const [here, before] = ['a', 'b'].map((one) => one.repeat(32) as Id<'generation'>) as [
  Id<'generation'>,
  Id<'generation'>,
];
const look = (live: boolean) => ({ now: NOW, live, generation: here });
const well = {
  state: 'approved',
  conflictAt: null,
  generation: here,
  lastSeenAt: NOW,
  firstSeenAt: NOW,
} as const;

describe('the state of a host', () => {
  it.each([
    ['online', true, {}],
    ['online', false, { lastSeenAt: utcMs(NOW - LATE_MS) }],
    ['late', false, { lastSeenAt: utcMs(NOW - LATE_MS - 1) }],
    ['late', true, { lastSeenAt: utcMs(NOW - OFFLINE_MS) }],
    ['offline', false, { lastSeenAt: utcMs(NOW - OFFLINE_MS - 1) }],
    ['never-connected', false, { lastSeenAt: null }],
    ['unconfirmed', false, { generation: before, lastSeenAt: null }],
    ['conflict', true, { conflictAt: NOW, generation: before }],
    ['waiting', true, { state: 'waiting', conflictAt: NOW, firstSeenAt: null, generation: before }],
    ['unconfirmed', false, { state: 'waiting', generation: before }],
    ['revoked', true, { state: 'revoked', conflictAt: NOW, generation: before }],
  ] as const)('J12 %s (connected: %s) where %o', (state, live, change) => {
    expect(hostState({ ...well, ...change }, look(live))).toBe(state);
  });

  it('J12 silence only ever makes it later, whatever else is true of the host', () => {
    const order = ['online', 'late', 'offline'];
    const silence = fc.integer({ min: 0, max: 3_600 });
    fc.assert(
      fc.property(silence, silence, fc.boolean(), (a, b, live) => {
        const [short, long] = [Math.min(a, b), Math.max(a, b)].map((seconds) =>
          hostState({ ...well, lastSeenAt: utcMs(NOW - seconds * SECOND_MS) }, look(live)),
        );
        expect(order.indexOf(short ?? '')).toBeLessThanOrEqual(order.indexOf(long ?? ''));
        expect(HOST_STATES).toContain(short);
      }),
    );
  });
});
