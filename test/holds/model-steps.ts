/** What may happen, one after the other; and short stories that chance alone would seldom tell. */
import fc from 'fast-check';

export const HOSTS = 3;

export type Step =
  | { do: 'record'; host: number; camera: number; daysAgo: number; hour: number }
  | { do: 'place'; host: number | null; daysAgo: number; hours: number }
  | { do: 'release'; which: number }
  | { do: 'connect'; host: number; orders: number; killed: boolean }
  | { do: 'sweep' | 'restart' | 'save' | 'restore'; host: number }
  | { do: 'courier' }
  | { do: 'collector'; how: 'save' | 'restore' }
  | { do: 'mislead'; host: number; how: 'again' | 'ahead' | 'forged' }
  | { do: 'later'; hours: number };

const host = fc.nat(HOSTS - 1);
const days = fc.constantFrom(5, 29, 31, 40);

const recorded = fc.record({
  do: fc.constant('record' as const),
  host,
  camera: fc.nat(1),
  daysAgo: days,
  hour: fc.constantFrom(0, 1, 6, 12, 13, 23),
});
const placed = fc.record({
  do: fc.constant('place' as const),
  host: fc.option(host, { nil: null }),
  daysAgo: days,
  hours: fc.constantFrom(1, 12, 24),
});
const released = fc.record({ do: fc.constant('release' as const), which: fc.nat(3) });
const connected = fc.record({
  do: fc.constant('connect' as const),
  host,
  orders: fc.constantFrom(0, 1, 99, 99),
  killed: fc.boolean(),
});
const done = fc.record({
  do: fc.constantFrom('sweep', 'sweep', 'restart', 'save', 'restore') as fc.Arbitrary<'sweep'>,
  host,
});
const looked = fc.record({ do: fc.constant('courier' as const) });
const collector = fc.record({
  do: fc.constant('collector' as const),
  how: fc.constantFrom('save' as const, 'restore' as const),
});
const misled = fc.record({
  do: fc.constant('mislead' as const),
  host,
  how: fc.constantFrom('again' as const, 'ahead' as const, 'forged' as const),
});
const later = fc.record({ do: fc.constant('later' as const), hours: fc.constantFrom(1, 23, 25, 72) });

const comes = (at: number): Step => ({ do: 'connect', host: at, orders: 99, killed: false });
const ofCollector = (how: 'save' | 'restore'): Step => ({ do: 'collector', how });
const placing = (at: number, daysAgo: number): Step => ({ do: 'place', host: at, daysAgo, hours: 12 });

/** A host is where the story says; what is told between its steps is another story. */
const stories: fc.Arbitrary<Step[]> = fc
  .record({
    at: host,
    daysAgo: days,
    which: fc.nat(3),
    how: fc.constantFrom('ahead' as const, 'forged' as const),
  })
  .chain(({ at, daysAgo, which, how }) =>
    fc.constantFrom<Step[]>(
      // A hold that the collector forgot, and its host did not.
      [ofCollector('save'), placing(at, daysAgo), comes(at), ofCollector('restore')],
      // A release that the collector forgot, and its host did not.
      [
        placing(at, daysAgo),
        comes(at),
        ofCollector('save'),
        { do: 'release', which },
        comes(at),
        ofCollector('restore'),
      ],
      // A word from a stranger, while a true one waits.
      [comes(at), placing(at, daysAgo), placing(at, daysAgo), { do: 'mislead', host: at, how }],
      // What is over, and held, meets a sweep.
      [
        { do: 'record', host: at, camera: 0, daysAgo: 40, hour: 0 },
        { do: 'record', host: at, camera: 1, daysAgo: 40, hour: 12 },
        placing(at, 40),
        comes(at),
        { do: 'sweep', host: at },
      ],
    ),
  );

const one = (step: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> => step.map((only) => [only]);

export const steps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: one(recorded) },
      { weight: 3, arbitrary: one(placed) },
      { weight: 2, arbitrary: one(released) },
      { weight: 5, arbitrary: one(connected) },
      { weight: 5, arbitrary: one(done) },
      { weight: 1, arbitrary: one(looked) },
      { weight: 2, arbitrary: one(collector) },
      { weight: 2, arbitrary: one(misled) },
      { weight: 2, arbitrary: one(later) },
      { weight: 2, arbitrary: stories },
    ),
    { minLength: 4, maxLength: 24 },
  )
  .map((told) => told.flat());
