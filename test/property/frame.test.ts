/** X7–X9 over any input. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  agentFrames,
  collectorFrames,
  frameText,
  readAgentFrame,
  readCollectorFrame,
} from '../../protocol/frame.ts';

const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 3 }) as fc.Arbitrary<unknown>;
const closes = ['badFrame', 'unknownFrame'];

describe.each([
  ['agent', readAgentFrame, Object.keys(agentFrames)],
  ['collector', readCollectorFrame, Object.keys(collectorFrames)],
] as const)('reading a frame of the %s', (_side, read, kinds) => {
  it('X9 never throws, and says which close code fits', () => {
    const withT = fc
      .tuple(fc.constantFrom(...kinds, 'later'), fc.dictionary(fc.string(), json))
      .map(([t, rest]) => JSON.stringify({ ...rest, t }));
    fc.assert(
      fc.property(
        fc.oneof(
          withT,
          json.map((v) => JSON.stringify(v)),
          fc.string({ unit: 'binary' }),
        ),
        (text) => {
          const result = read(text);
          if (!result.ok) expect(closes).toContain(result.close);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('beat', () => {
  const beat = fc.record({
    t: fc.constant('beat' as const),
    time: fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }).map((ms) => new Date(ms).toISOString()),
    readThrough: fc.constant(null),
    next: fc.integer({ min: 1 }),
    backlog: fc.nat(),
  });

  it('X7 any further fields are ignored', () => {
    fc.assert(
      fc.property(beat, fc.dictionary(fc.string(), json), (frame, more) => {
        expect(readAgentFrame(JSON.stringify({ ...more, ...frame }))).toEqual({ ok: true, frame });
      }),
    );
  });

  it('X8 a text cut anywhere is refused', () => {
    fc.assert(
      fc.property(beat, fc.nat(), (frame, at) => {
        const text = frameText(frame);
        expect(readAgentFrame(text.slice(0, at % text.length)).ok).toBe(false);
      }),
    );
  });
});
