import fc from 'fast-check';
import { expect, it } from 'vitest';
import { thingOf } from '../../../agent/recordings/due.ts';
import { holdsNear } from '../../../agent/recordings/hold-index.ts';
import { covers, type Hold } from '../../../protocol/hold.ts';
import { utcMs } from '../../../protocol/time.ts';

const instant = fc.nat(200).map((at) => utcMs(at));
const end = fc.option(instant, { nil: null });
const holds = fc.array(
  fc.record({ from: end, to: end, cameras: fc.option(fc.subarray(['a', 'b', 'c']), { nil: undefined }) }),
  { minLength: 6, maxLength: 60 },
);
const around = { site: 's', host: 'h', zone: 'UTC', agreementEndsAt: null } as never;

it('C81 names every hold that covers a recording, in the order of the list', () => {
  fc.assert(
    fc.property(
      holds,
      instant,
      fc.nat(30),
      fc.option(fc.nat(60), { nil: null }),
      (scopes, start, spread, long) => {
        const list = scopes.map((scope, i): Hold => ({ hold: String(i), scope }));
        const bounds = {
          startEarliest: start,
          startLatest: utcMs(start + spread),
          endLatest: long === null ? null : utcMs(start + spread + long),
        };
        const covering = (among: readonly Hold[]) =>
          among.filter((hold) => covers(hold, thingOf({ bounds }, 'a', around))).map(({ hold }) => hold);
        const near = holdsNear(list, 'a', bounds);
        expect(covering(near)).toEqual(covering(list));
      },
    ),
    { numRuns: 2_000 },
  );
});

it('C81 leaves few of a thousand', () => {
  const scopes = Array.from({ length: 1_000 }, (_, i) => ({ from: utcMs(i * 10), to: utcMs(i * 10 + 5) }));
  const list = scopes.map((scope, i): Hold => ({ hold: String(i), scope }));
  const bounds = { startEarliest: utcMs(504), startLatest: utcMs(504), endLatest: utcMs(511) };
  expect(holdsNear(list, 'a', bounds).map(({ hold }) => hold)).toEqual(['50', '51']);
});

it('C81 bounds that contradict each other are asked of every hold', () => {
  const list = Array.from(
    { length: 20 },
    (_, i): Hold => ({ hold: String(i), scope: { from: utcMs(i), to: utcMs(i) } }),
  );
  const bounds = { startEarliest: utcMs(90), startLatest: utcMs(80), endLatest: utcMs(70) };
  expect(holdsNear(list, 'a', bounds)).toHaveLength(20);
});
