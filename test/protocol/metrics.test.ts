import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposition, healthOf, type Metric, readLoopback, replyTo } from '../../protocol/metrics.ts';
import { parseExposition } from '../support/exposition.ts';

const metric = (change: Partial<Metric> = {}): Metric => ({
  name: 'tilsyn_agent_spool_rows',
  help: 'Events that wait.',
  kind: 'gauge',
  value: 3,
  ...change,
});

describe('exposition', () => {
  it('X11 is the text format: help and type once, a line per value, what is not known left out', () => {
    const text = exposition([
      metric({ labels: { state: 'never-connected' } }),
      metric({ labels: { state: 'online' }, value: 0.5 }),
      metric({ name: 'tilsyn_agent_acked_total', kind: 'counter', value: 12 }),
      metric({ name: 'tilsyn_agent_skew_seconds', value: null }),
      metric({ name: 'tilsyn_agent_other', value: Number.NaN }),
    ]);
    expect(text).toBe(
      [
        '# HELP tilsyn_agent_spool_rows Events that wait.',
        '# TYPE tilsyn_agent_spool_rows gauge',
        'tilsyn_agent_spool_rows{state="never-connected"} 3',
        'tilsyn_agent_spool_rows{state="online"} 0.5',
        '# HELP tilsyn_agent_acked_total Events that wait.',
        '# TYPE tilsyn_agent_acked_total counter',
        'tilsyn_agent_acked_total 12',
        '',
      ].join('\n'),
    );
  });

  it('X11 what is told is read back as it was, whatever the numbers', () => {
    const values = fc.array(
      fc.record({
        name: fc.stringMatching(/^[a-z][a-z_]{0,12}$/),
        help: fc.string(),
        kind: fc.constantFrom('counter' as const, 'gauge' as const),
        value: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null)),
      }),
    );
    fc.assert(
      fc.property(values, (all) => {
        const once = [...new Map(all.map((one) => [one.name, one])).values()];
        const metrics = once.map((one) => metric({ ...one, name: `tilsyn_collector_${one.name}` }));
        const read = parseExposition(exposition(metrics));
        const known = metrics.filter(({ value }) => value !== null);
        expect(read.map(({ name, kind, value }) => [name, kind, value])).toEqual(
          known.map(({ name, kind, value }) => [name, kind, Object.is(value, -0) ? 0 : value]),
        );
      }),
    );
  });

  it.each([
    { name: 'other_metric' },
    { name: 'tilsyn_agent_srv-01.example' },
    { labels: { host: 'srv-01.example' } },
    { labels: { host: '203.0.113.7' } },
    { labels: { agent: 'ab'.repeat(16) } },
    { labels: { name: 'Ada Example' } },
    { labels: { state: 'a"} 1\nx' } },
  ])('X11 a name or a label that may say who is refused: %o', (change) => {
    expect(() => exposition([metric(change)])).toThrow(expect.objectContaining({ code: 'metrics.name' }));
  });
});

describe('what is asked', () => {
  const well = { metrics: async () => [metric()], health: async () => healthOf({ a: { ok: true } }) };
  const broken = {
    metrics: async () => Promise.reject(Object.assign(new Error('a secret'), { code: 'EIO' })),
    health: async () => Promise.reject(new Error('a secret')),
  };

  it('metrics, health, and nothing else', async () => {
    expect(await replyTo('GET', '/metrics?x=1', well)).toMatchObject({
      status: 200,
      type: expect.stringContaining('version=0.0.4'),
    });
    expect(await replyTo('GET', '/health', well)).toMatchObject({
      status: 200,
      body: '{"ok":true,"checks":{"a":{"ok":true}}}\n',
    });
    const ill = { ...well, health: async () => healthOf({ a: { ok: true }, b: { ok: false, seconds: 7 } }) };
    const answer = await replyTo('GET', '/health', ill);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      { ok: false, checks: { a: { ok: true }, b: { ok: false, seconds: 7 } } },
    ]);
    expect((await replyTo('GET', '/', well)).status).toBe(404);
    expect((await replyTo('POST', '/metrics', well)).status).toBe(405);
  });

  it('what cannot be told is a failure, without the text of the error', async () => {
    const metrics = await replyTo('GET', '/metrics', broken);
    expect([metrics.status, metrics.body]).toEqual([500, 'EIO\n']);
    const health = await replyTo('GET', '/health', broken);
    expect([health.status, JSON.parse(health.body).ok]).toEqual([503, false]);
    expect(health.body).not.toContain('secret');
  });
});

describe('--metrics', () => {
  it.each([
    ['127.0.0.1:9464', { host: '127.0.0.1', port: 9464 }],
    ['127.1.2.3:0', { host: '127.1.2.3', port: 0 }],
    ['[::1]:9464', { host: '::1', port: 9464 }],
    ['localhost:9464', { host: 'localhost', port: 9464 }],
  ])('X12 %s is loopback', (text, at) => {
    expect(readLoopback(text)).toEqual(at);
  });

  it.each([
    '0.0.0.0:9464',
    '[::]:9464',
    '192.0.2.1:9464',
    '127.0.0.1',
    '9464',
    '127.0.0.1:99999',
    '127.0.0.999:1',
    'localhost.example:1',
    '127.0.0.1.example:80',
    '',
  ])('X12 %s is refused', (text) => {
    expect(() => readLoopback(text)).toThrow(
      expect.objectContaining({ code: 'metrics.address', exit: 'usage' }),
    );
  });
});
