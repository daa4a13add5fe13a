/** X7–X9: frames and close codes. */
import { describe, expect, it } from 'vitest';
import { CLOSE, closeName } from '../../protocol/close-code.ts';
import {
  type AgentFrame,
  type agentFrames,
  BATCH_BYTES,
  BATCH_EVENTS,
  BATCH_WRAPS,
  type CollectorFrame,
  type collectorFrames,
  FIRST_CREDITS,
  FRAME_KEYS,
  frameText,
  MAX_FRAME_BYTES,
  readAgentFrame,
  readCollectorFrame,
} from '../../protocol/frame.ts';
import { MAX_BODY_BYTES } from '../../protocol/seal.ts';
import { idOf } from './seeded.ts';

const b32 = Buffer.alloc(32, 1).toString('base64url');
const wrapBody = Buffer.alloc(92, 2).toString('base64url');
const time = '2026-11-22T06:12:00.123Z';
const birth = {
  v: 1 as const,
  log: idOf('1f'),
  agent: idOf('a9'),
  agreement: idOf('c4'),
  site: idOf('d5'),
  key: b32,
  predecessor: null,
  reason: 'enrolled' as const,
  at: time,
  sig: 'AAAA',
};
const group = {
  group: idOf('a1'),
  kind: 'late' as const,
  agreement: idOf('c4'),
  class: 'session',
  from: null,
  to: null,
  key: b32,
  sig: 'AAAA',
};

const fromAgent: { [K in keyof typeof agentFrames]: Extract<AgentFrame, { t: K }> } = {
  hello: {
    t: 'hello',
    agent: idOf('a9'),
    instance: idOf('11'),
    nonce: b32,
    logs: [{ birth, next: 1, head: b32, acked: 0 }],
    applied: { generation: null, n: 0 },
    groups: [idOf('a1')],
    software: { version: '0.1.0', platform: 'linux', node: '26.10.0' },
    time,
  },
  proof: { t: 'proof', sig: 'AAAA', offer: [group] },
  erase: { t: 'erase', groups: [idOf('a1')] },
  batch: {
    t: 'batch',
    log: idOf('1f'),
    events: ['{"x":1}'],
    parts: [{ seq: 1, group: idOf('a1'), wrap: idOf('b7'), body: 'AAAA' }],
    wraps: [{ id: idOf('b7'), group: idOf('a1'), body: wrapBody }],
    keys: [{ group: idOf('a1'), key: b32 }],
  },
  telemetry: { t: 'telemetry', samples: [{ any: 'thing' }] },
  status: { t: 'status', body: { any: ['thing'] }, keys: [{ group: idOf('a1'), key: b32 }] },
  beat: { t: 'beat', time, readThrough: null, next: 1, backlog: 0 },
  result: { t: 'result', n: 1, query: null, ok: true, body: {} },
};
const fromCollector: { [K in keyof typeof collectorFrames]: Extract<CollectorFrame, { t: K }> } = {
  challenge: { t: 'challenge', nonce: b32, name: 'tilsyn.test', generation: idOf('e7'), time, sig: 'AAAA' },
  welcome: {
    t: 'welcome',
    cursors: [{ log: idOf('1f'), through: 0, head: b32, state: 'open' }],
    credits: { events: 1000, bytes: 1_048_576 },
    commandsThrough: 0,
    time,
  },
  erased: { t: 'erased', groups: [idOf('a1')] },
  groups: { t: 'groups', add: [group], dead: [] },
  ack: { t: 'ack', log: idOf('1f'), through: 7, receipt: 'later' },
  credit: { t: 'credit', events: 1, bytes: 1 },
  beat: { t: 'beat', time, commandsThrough: 0 },
  command: {
    t: 'command',
    n: 1,
    id: idOf('cd'),
    generation: idOf('e7'),
    agent: idOf('a9'),
    verb: 'selftest',
    body: {},
    sig: 'AAAA',
  },
  query: { t: 'query', id: idOf('cd'), verb: 'sweep.plan', body: {} },
  refuse: { t: 'refuse', code: 'agent.revoked', message: 'x', hint: null, retryAfter: null },
};
const sides = [
  ['agent', fromAgent, readAgentFrame],
  ['collector', fromCollector, readCollectorFrame],
] as const;

describe.each(sides)('frames of the %s', (_side, frames, read) => {
  const all = Object.entries(frames) as [string, Record<string, unknown>][];

  it.each(all)('X7 %s survives a round trip', (_t, frame) => {
    expect(read(frameText(frame as never))).toEqual({ ok: true, frame });
  });

  it.each(all)('X7 %s: an unknown field is ignored', (_t, frame) => {
    expect(read(JSON.stringify({ ...frame, later: { a: [1] } }))).toEqual({ ok: true, frame });
  });

  it.each(all)(
    'X8 %s: each required field missing, null where not allowed, or of a wrong type closes badFrame',
    (t, frame) => {
      const optional = { proof: ['offer'], ack: ['receipt'], status: ['keys'] }[t] ?? [];
      for (const field of Object.keys(frame).filter((f) => f !== 't')) {
        if (!optional.includes(field)) {
          const { [field]: _gone, ...rest } = frame;
          expect(read(JSON.stringify(rest)), `${t} without ${field}`).toEqual({
            ok: false,
            close: 'badFrame',
          });
        }
        const wrong =
          typeof frame[field] === 'number' ? ['7', -1, 1.5, 2 ** 53, []] : [7.5, [[]], { toString: 1 }];
        const anything = ['body', 'samples'].includes(field);
        for (const value of anything ? ['text', 7] : wrong) {
          expect(
            read(JSON.stringify({ ...frame, [field]: value })),
            `${t}.${field} = ${JSON.stringify(value)}`,
          ).toEqual({
            ok: false,
            close: 'badFrame',
          });
        }
      }
    },
  );

  it.each([
    ['empty', ''],
    ['half', '{"t":"beat"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '7'],
    ['no t', '{}'],
    ['t is a number', '{"t":1}'],
  ])('X8 %s: badFrame', (_name, text) => {
    expect(read(text)).toEqual({ ok: false, close: 'badFrame' });
  });

  it.each(['later', '', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'X9 unknown t %j: unknownFrame',
    (t) => {
      expect(read(`{"t":${JSON.stringify(t)}}`)).toEqual({ ok: false, close: 'unknownFrame' });
    },
  );
});

describe('frames', () => {
  it('X9 a frame of the other side is unknown', () => {
    expect(readAgentFrame(frameText(fromCollector.welcome))).toEqual({ ok: false, close: 'unknownFrame' });
    expect(readCollectorFrame(frameText(fromAgent.hello))).toEqual({ ok: false, close: 'unknownFrame' });
  });

  it('L3 an event travels as a string with its exact bytes', () => {
    const text = '{"a":"æ🔒\\u0001","b":1e+30}';
    const read = readAgentFrame(frameText({ ...fromAgent.batch, events: [text] }));
    expect(read.ok && read.frame.t === 'batch' && read.frame.events[0]).toBe(text);
  });

  it('X14 keys of one-off groups stand in batch and status, at most so many, each of 32 bytes', () => {
    const { batch, status, beat } = fromAgent;
    const keys = (n: number) => Array.from({ length: n }, () => ({ group: idOf('a1'), key: b32 }));
    for (const frame of [batch, status]) {
      const ok = (keys: unknown) => readAgentFrame(JSON.stringify({ ...frame, keys })).ok;
      expect([ok(keys(FRAME_KEYS)), ok(keys(FRAME_KEYS + 1))]).toEqual([true, false]);
      expect(ok([{ group: idOf('a1'), key: b32.slice(1) }])).toBe(false);
    }
    expect(readAgentFrame(JSON.stringify({ ...beat, keys: keys(1) }))).toEqual({ ok: true, frame: beat });
  });

  it('X10 a batch of many wraps, or with a wrap or part of a size that none has, is refused', () => {
    const { batch } = fromAgent;
    const ids = (n: number) => Array.from({ length: n }, (_, i) => i.toString(16).padStart(32, '0'));
    const naming = (n: number) => ids(n).map((wrap) => ({ seq: 1, group: idOf('a1'), wrap, body: 'AAAA' }));
    const carrying = (n: number) => ids(n).map((id) => ({ id, group: idOf('a1'), body: wrapBody }));
    const ok = (over: object) =>
      readAgentFrame(JSON.stringify({ ...batch, parts: [], wraps: [], ...over })).ok;
    expect(ok({ parts: naming(BATCH_WRAPS), wraps: carrying(BATCH_WRAPS) })).toBe(true);
    expect(ok({ parts: naming(BATCH_WRAPS + 1) })).toBe(false);
    expect(ok({ wraps: carrying(BATCH_WRAPS + 1) })).toBe(false);
    for (const size of [91, 93]) {
      const body = Buffer.alloc(size).toString('base64url');
      expect(ok({ wraps: [{ ...batch.wraps[0], body }] }), String(size)).toBe(false);
    }
    const part = (size: number) => ({ ...batch.parts[0], body: Buffer.alloc(size).toString('base64url') });
    expect(ok({ parts: [part(MAX_BODY_BYTES)] })).toBe(true);
    expect(ok({ parts: [part(MAX_BODY_BYTES + 1)] })).toBe(false);
  });

  it('X8 more than a batch holds is refused', () => {
    const many = (n: number) => JSON.stringify({ ...fromAgent.batch, events: Array(n).fill('x') });
    expect(readAgentFrame(many(BATCH_EVENTS)).ok).toBe(true);
    expect(readAgentFrame(many(BATCH_EVENTS + 1)).ok).toBe(false);
    expect(readAgentFrame(many(0)).ok).toBe(false);
  });

  it('X8 the numbers that protocol.md gives', () => {
    expect({ BATCH_EVENTS, BATCH_BYTES, MAX_FRAME_BYTES, FIRST_CREDITS }).toEqual({
      BATCH_EVENTS: 500,
      BATCH_BYTES: 262_144,
      MAX_FRAME_BYTES: 1_048_576,
      FIRST_CREDITS: { events: 1000, bytes: 1_048_576 },
    });
  });
});

describe('close codes', () => {
  it('X9 are all different; ours lie in 4000–4999; each has a name', () => {
    const codes = Object.values(CLOSE);
    expect(new Set(codes).size).toBe(codes.length);
    for (const [name, code] of Object.entries(CLOSE)) {
      expect([1001, 1009, 1013].includes(code) || (code >= 4000 && code <= 4999)).toBe(true);
      expect(closeName(code)).toBe(name);
    }
    expect(closeName(4999)).toBe('4999');
  });
});
