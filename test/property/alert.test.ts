/** A11 to A17: alerts do not flap, miss nothing that lasts, and survive being stored between any two measurements. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALERT_OK,
  type AlertRule,
  type AlertState,
  type AlertTransition,
  clearAfter,
  type Measured,
  stepAlert,
} from '../../protocol/alert-machine.ts';
import { NEVER_CONNECTED, RULES } from '../../protocol/alert-rules.ts';
import { SWING_EVERY_MS, swing } from '../fixtures/swing.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const rules: [string, AlertRule][] = [...Object.entries(RULES), ['never-connected', NEVER_CONNECTED]];
const { cpu } = RULES;

interface Happened extends AlertTransition {
  at: number;
  ran: number;
}

/** Plays measurements from a state; every step goes through JSON where `stored`. */
function play(rule: AlertRule, measured: readonly Measured[], from: AlertState = ALERT_OK, stored = false) {
  let state = from;
  const happened: Happened[] = [];
  const states: AlertState[] = [];
  for (const one of measured) {
    const step = stepAlert(stored ? JSON.parse(JSON.stringify(state)) : state, rule, one);
    state = step.state;
    states.push(state);
    if (step.transition !== null) happened.push({ ...step.transition, at: one.now, ran: state.ran });
  }
  return { state, states, happened, told: happened.filter(({ told }) => told) };
}

function every(ms: number, values: readonly Measured['value'][], from = 0): Measured[] {
  return values.map((value, n) => ({ value, now: from + n * ms, atMostMs: ms * 1.5 }));
}

const held = (value: number, minutes: number): number[] => Array(minutes).fill(value);

/** Bad by `by` beyond a threshold; good where it is negative. */
const beyond = (rule: AlertRule, threshold: number, by: number) =>
  Math.round(threshold + (rule.bad === 'above' ? by : -by));

/** Each threshold of a rule, and the level that is open before the hour begins. */
function thresholdsOf(rule: AlertRule) {
  const { warn, crit } = rule;
  return [
    { of: 'warn.raise', at: warn.raise, before: null },
    { of: 'warn.clear', at: warn.clear, before: warn.raise },
    ...(crit === null
      ? []
      : [
          { of: 'crit.raise', at: crit.raise, before: null },
          { of: 'crit.clear', at: crit.clear, before: crit.raise },
        ]),
  ];
}

const swings = rules.flatMap(([name, rule]) =>
  thresholdsOf(rule).map(({ of, ...rest }) => ({ name: `${name} about ${of}`, rule, ...rest })),
);

describe('an hour that swings about a threshold', () => {
  it.each(swings)('A11, A14 $name: at most two transitions are told', ({ rule, at, before }) => {
    const width = Math.max(1, Math.abs(rule.warn.raise - rule.warn.clear));
    for (const periodMinutes of [3, 11, 25, 34, 47]) {
      for (const size of [0.3, 1, 1.5]) {
        for (let seed = 1; seed <= 5; seed++) {
          const lead = before === null ? [] : every(MINUTE, held(beyond(rule, before, 1), 180), -3 * HOUR);
          const series = swing(seed, periodMinutes).map((share) => beyond(rule, at, share * size * width));
          const open = play(rule, lead).state;
          expect(open.level).toBe(before === null ? null : before === rule.crit?.raise ? 'crit' : 'warn');
          const { told } = play(rule, every(SWING_EVERY_MS, series), open);
          expect(told.length, `period ${periodMinutes}, size ${size}, seed ${seed}`).toBeLessThanOrEqual(2);
        }
      }
    }
  });

  it('A11 the same hour without hysteresis and delays would cry wolf', () => {
    const bare: AlertRule = {
      ...cpu,
      warn: { raise: 850, clear: 850 },
      crit: null,
      raiseAfterMs: 0,
      clearAfterMs: 0,
      clearAfterMaxMs: 0,
    };
    const series = swing(1, 11).map((share) => 850 + Math.round(share * 100));
    expect(play(bare, every(SWING_EVERY_MS, series)).happened.length).toBeGreaterThan(10);
  });
});

/** Levels that last some minutes each, jumping over all thresholds: the unkindest series. */
const stretches = fc.array(fc.record({ level: fc.nat(4), minutes: fc.integer({ min: 1, max: 50 }) }), {
  minLength: 2,
  maxLength: 30,
});

function levelsOf(rule: AlertRule): number[] {
  const { warn, crit } = rule;
  const top = crit?.raise ?? warn.raise;
  return [
    beyond(rule, warn.clear, -1),
    beyond(rule, warn.clear, 1),
    beyond(rule, warn.raise, 1),
    beyond(rule, crit?.clear ?? warn.raise, 1),
    beyond(rule, top, 1),
  ];
}

const anyRule = fc.constantFrom(...rules);
const bad = (rule: AlertRule, threshold: number, value: number) =>
  rule.bad === 'above' ? value > threshold : value < threshold;

describe('any series', () => {
  it('A12 no breach that lasts is missed: on 200 series, at the level that it has', () => {
    const seen = { warn: 0, crit: 0 };
    fc.assert(
      fc.property(anyRule, stretches, ([, rule], parts) => {
        const levels = levelsOf(rule);
        const values = parts.flatMap(({ level, minutes }) => held(levels[level] ?? 0, minutes));
        const { states } = play(rule, every(MINUTE, values));
        for (const want of ['warn', 'crit'] as const) {
          const threshold = rule[want]?.raise;
          if (threshold === undefined) continue;
          let lasted = 0;
          values.forEach((value, n) => {
            lasted = bad(rule, threshold, value) ? lasted + 1 : 0;
            // The first measurement past the threshold begins the breach; from there the delay has to be over.
            if (lasted === 0 || (lasted - 1) * MINUTE < rule.raiseAfterMs) return;
            seen[want] += 1;
            const level = states[n]?.level ?? null;
            expect(want === 'crit' ? level === 'crit' : level !== null).toBe(true);
          });
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.warn, seen.crit)).toBeGreaterThan(200);
  });

  it('A14 in any hour at most two are told, and a third only as the first crit of that hour', () => {
    fc.assert(
      fc.property(anyRule, stretches, ([, rule], parts) => {
        const levels = levelsOf(rule);
        const values = parts.flatMap(({ level, minutes }) => held(levels[level] ?? 0, minutes));
        const { told } = play(rule, every(MINUTE, values));
        for (const [n, one] of told.entries()) {
          const hour = told.slice(0, n + 1).filter(({ ran }) => one.ran - ran < HOUR);
          expect(hour.length).toBeLessThanOrEqual(3);
          const up = ({ type, level }: Happened) => type !== 'cleared' && level === 'crit';
          if (hour.length === 3) expect(hour.filter(up)).toHaveLength(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('A15 told raises and told clearings take turns, and events tell one story without holes', () => {
    fc.assert(
      fc.property(anyRule, stretches, ([, rule], parts) => {
        const levels = levelsOf(rule);
        const values = parts.flatMap(({ level, minutes }) => held(levels[level] ?? 0, minutes));
        const { happened, told, state } = play(
          rule,
          every(MINUTE, [...values, ...held(levels[0] ?? 0, 300)]),
        );
        let open = false;
        for (const { type } of happened) {
          expect(type === 'raised').toBe(!open);
          open = type !== 'cleared';
        }
        let known = false;
        for (const { type } of told) {
          if (type === 'cleared') expect(known).toBe(true);
          known = type !== 'cleared';
        }
        // Long after the trouble: nothing is open, and nobody believes that something is.
        expect([state.phase, open, known, state.told]).toEqual(['ok', false, false, null]);
      }),
      { numRuns: 300 },
    );
  });

  it('A16 stored as JSON between any two measurements, it decides the same', () => {
    fc.assert(
      fc.property(anyRule, stretches, ([, rule], parts) => {
        const levels = levelsOf(rule);
        const measured = every(
          MINUTE,
          parts.flatMap(({ level, minutes }) => held(levels[level] ?? 0, minutes)),
        );
        expect(play(rule, measured, ALERT_OK, true)).toEqual(play(rule, measured));
      }),
      { numRuns: 200 },
    );
  });

  it('A16 clock steps neither raise nor clear, and a clock that steps all the time delays at most', () => {
    fc.assert(
      fc.property(
        anyRule,
        stretches,
        fc.array(fc.integer({ min: -5 * HOUR, max: 5 * HOUR }), { maxLength: 60 }),
        ([, rule], parts, steps) => {
          const levels = levelsOf(rule);
          const values = parts.flatMap(({ level, minutes }) => held(levels[level] ?? 0, minutes));
          let offset = 0;
          const measured = every(MINUTE, values).map((one, n) => {
            offset += steps[n] ?? 0;
            return { ...one, now: one.now + offset };
          });
          // The machine's own clock never runs more than the measurements do, so nothing comes sooner.
          const slack = 1.5;
          for (const [n, { ran }] of play(rule, measured).states.entries()) {
            expect(ran).toBeLessThanOrEqual(n * MINUTE * slack);
            expect(ran).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('one alert', () => {
  it('A11 raises after its delay, clears after its own, says value, threshold and how long', () => {
    const { happened } = play(
      cpu,
      every(MINUTE, [...held(500, 5), ...held(900, 10), ...held(800, 30), ...held(700, 20)]),
    );
    expect(
      happened.map(({ type, level, value, threshold, forSeconds, at }) => [
        type,
        level,
        value,
        threshold,
        forSeconds,
        at / MINUTE,
      ]),
    ).toEqual([
      ['raised', 'warn', 900, 850, 60, 6],
      ['cleared', 'warn', 700, 750, 900, 60],
    ]);
  });

  it('A11 goes up at once where it is past both, and down by one level where it only got better', () => {
    const { happened, state } = play(cpu, every(MINUTE, [...held(990, 10), ...held(800, 40)]));
    expect(happened.map(({ type, level }) => `${type} ${level}`)).toEqual(['raised crit', 'changed warn']);
    expect(state).toMatchObject({ phase: 'warn', level: 'warn', top: 'crit' });
  });

  it('A11 a full disk is critical only where little is left of it', () => {
    const disk = RULES['disk-space'];
    const with_ = (also: number) =>
      play(
        disk,
        every(MINUTE, held(990, 10)).map((one) => ({ ...one, also })),
      );
    expect(with_(200_000).state.level).toBe('warn');
    expect(with_(4_000).state.level).toBe('crit');
  });

  it('A13 each return makes clearing slower, up to an hour', () => {
    let { state } = play(cpu, every(MINUTE, held(900, 3)));
    const delays: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const from = state.last ?? 0;
      state = play(cpu, every(MINUTE, [700, 700, 900], from + MINUTE), state).state;
      delays.push(clearAfter(state, cpu) / MINUTE);
    }
    expect(delays).toEqual([22.5, 33.75, 50.625, 60, 60, 60]);
  });

  it('A14 a raise that was not told is told once its turn has come', () => {
    const values = [...held(900, 3), ...held(600, 18), ...held(900, 200)];
    const { happened } = play(cpu, every(MINUTE, values));
    expect(happened.map(({ type, told }) => `${type} ${told}`)).toEqual([
      'raised true',
      'cleared true',
      'raised false',
      'changed true',
    ]);
    const [first, , , late] = happened;
    expect((late?.at ?? 0) - (first?.at ?? 0)).toBe(HOUR);
  });

  it('A16 one step of the clock, or a day without a measurement, does neither', () => {
    const lone: Measured[] = [
      { value: 900, now: 0 },
      { value: 900, now: 24 * HOUR, atMostMs: 30_000 },
    ];
    expect(play(cpu, lone).state).toMatchObject({ phase: 'pending', level: null });
    const open = play(cpu, every(MINUTE, held(900, 3))).state;
    const after = play(
      cpu,
      [
        { value: 700, now: 3 * MINUTE },
        { value: 700, now: 30 * HOUR },
      ],
      open,
    );
    expect(after.state).toMatchObject({ phase: 'clearing', level: 'warn' });
    expect(play(cpu, every(MINUTE, Array(500).fill(null), 4 * MINUTE), open).happened).toEqual([]);
  });

  it('A17 what is gone clears after its delay, without a value', () => {
    const open = play(cpu, every(MINUTE, held(990, 3))).state;
    const { happened, state } = play(cpu, every(MINUTE, Array(20).fill('gone'), 3 * MINUTE), open);
    expect(happened).toMatchObject([{ type: 'cleared', level: 'crit', value: null, threshold: 750 }]);
    expect(state.phase).toBe('ok');
    expect(play(cpu, every(MINUTE, ['gone', 'gone'])).state.phase).toBe('ok');
  });
});
