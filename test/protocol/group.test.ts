/** G1: groups and their spans. */
import { describe, expect, it } from 'vitest';
import {
  type GroupSpec,
  signedGroup,
  signGroup,
  spanHolds,
  spanOf,
  verifyGroup,
} from '../../protocol/group.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { fromIso, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { idOf } from './seeded.ts';

function at(text: string): UtcMs {
  const value = fromIso(text);
  if (value === null) throw new Error(`not a time: ${text}`);
  return value;
}

const identity = newSigningKey();
const spec: GroupSpec = {
  group: idOf('a1'),
  kind: 'span',
  agreement: idOf('c4'),
  class: 'session',
  ...spanOf(at('2026-11-22T06:12:00.123Z'), 'month'),
  key: Buffer.alloc(32, 4).toString('base64url'),
};

describe('spans', () => {
  it.each([
    ['day', '2026-11-22T06:12:00.123Z', '2026-11-22', '2026-11-23'],
    ['day', '2026-11-22T00:00:00.000Z', '2026-11-22', '2026-11-23'],
    ['day', '2026-11-22T23:59:59.999Z', '2026-11-22', '2026-11-23'],
    ['day', '2026-12-31T23:59:59.999Z', '2026-12-31', '2027-01-01'],
    ['day', '2028-02-28T12:00:00.000Z', '2028-02-28', '2028-02-29'],
    ['day', '2028-02-29T12:00:00.000Z', '2028-02-29', '2028-03-01'],
    ['day', '2027-02-28T12:00:00.000Z', '2027-02-28', '2027-03-01'],
    ['day', '1969-12-31T23:59:59.999Z', '1969-12-31', '1970-01-01'],
    ['month', '2026-11-01T00:00:00.000Z', '2026-11-01', '2026-12-01'],
    ['month', '2026-11-30T23:59:59.999Z', '2026-11-01', '2026-12-01'],
    ['month', '2026-12-31T23:59:59.999Z', '2026-12-01', '2027-01-01'],
    ['month', '2027-01-01T00:00:00.000Z', '2027-01-01', '2027-02-01'],
    ['month', '2028-02-29T12:00:00.000Z', '2028-02-01', '2028-03-01'],
    ['month', '2026-03-31T23:00:00.000Z', '2026-03-01', '2026-04-01'],
    ['month', '0050-01-15T00:00:00.000Z', '0050-01-01', '0050-02-01'],
  ] as const)('G1 the %s of %s is %s to %s', (unit, time, from, to) => {
    const span = spanOf(at(time), unit);
    expect([toIso(span.from), toIso(span.to)]).toEqual([`${from}T00:00:00.000Z`, `${to}T00:00:00.000Z`]);
  });

  it('G1 spans are half open: each instant lies in exactly one', () => {
    for (const unit of ['day', 'month'] as const) {
      let span = spanOf(at('2026-10-30T05:00:00.000Z'), unit);
      for (let i = 0; i < 31; i += 1) {
        const group = signGroup(identity, { ...spec, ...span });
        expect(spanHolds(group, span.from)).toBe(true);
        expect(spanHolds(group, utcMs(span.to - 1))).toBe(true);
        expect(spanHolds(group, span.to)).toBe(false);
        expect(spanHolds(group, utcMs(span.from - 1))).toBe(false);
        const next = spanOf(span.to, unit);
        expect(next.from).toBe(span.to);
        span = next;
      }
    }
  });

  it('G1 a group without a span holds nothing by time', () => {
    const whole = signGroup(identity, { ...spec, kind: 'whole', from: null, to: null });
    expect(spanHolds(whole, at('2026-11-22T06:12:00.123Z'))).toBe(false);
  });
});

describe('signed groups', () => {
  const key = publicText(identity);
  const group = signGroup(identity, spec);

  it('X3 the collector signs id, kind, agreement, class, span and key', () => {
    expect(verifyGroup(key, group)).toBe(true);
    const changes: Record<string, unknown>[] = [
      { group: idOf('a2') },
      { kind: 'late' },
      { agreement: idOf('c5') },
      { class: 'host.name' },
      { from: null },
      { to: '2026-12-02T00:00:00.000Z' },
      { key: Buffer.alloc(32, 5).toString('base64url') },
    ];
    for (const change of changes) expect(verifyGroup(key, { ...group, ...change })).toBe(false);
    expect(verifyGroup(publicText(newSigningKey()), group)).toBe(false);
  });

  it('X3 fields of a later version survive reading', () => {
    const later = signGroup(identity, { ...spec, note: 1 } as never);
    expect(verifyGroup(key, signedGroup.parse(JSON.parse(JSON.stringify(later))))).toBe(true);
  });

  it.each<[string, Record<string, unknown>]>([
    ['an unknown kind', { kind: 'forever' }],
    ['a class with a capital', { class: 'Session' }],
    ['a span that is no time', { from: '2026-11' }],
    ['no agreement field', { agreement: undefined }],
    ['a key that is a number', { key: 4 }],
  ])('G1 refuses %s', (_name, change) => {
    expect(signedGroup.safeParse({ ...group, ...change }).success).toBe(false);
    expect(signedGroup.safeParse(group).success).toBe(true);
  });
});
