import { describe, expect, it } from 'vitest';
import { type Asked, coverageOf, hasGap, type WatchedHost } from '../../collector/coverage.ts';
import type { AgentRow, GapRow, SourceRow } from '../../collector/store/types.ts';
import type { AgentId, SourceId } from '../../protocol/ids.ts';
import { fromIso, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

const at = (clock: string): UtcMs => fromIso(`2026-11-22T${clock}.000Z`) as UtcMs;
const AGENT = 'a'.repeat(32) as AgentId;

function agent(change: Partial<AgentRow> = {}): AgentRow {
  return {
    agent: AGENT,
    key: 'k',
    customer: 'c'.repeat(32),
    site: 'd'.repeat(32),
    agreement: 'e'.repeat(32),
    mode: 'managed',
    state: 'approved',
    token: null,
    enrolledAt: at('06:00:00'),
    revokedAt: null,
    conflictAt: null,
    firstSeenAt: at('06:00:05'),
    lastSeenAt: at('11:59:50'),
    readThrough: at('11:59:50'),
    skewMs: 0,
    backlog: 0,
    software: null,
    namePos: null,
    ...change,
  } as AgentRow;
}
const source: SourceRow = {
  source: 'f'.repeat(32) as SourceId,
  agent: AGENT,
  tool: 'teamviewer',
  state: 'reading',
  since: at('06:00:06'),
  skipped: 3,
  unreadable: 1,
};
const journalGap = (from: UtcMs, to: UtcMs): GapRow => ({
  pos: 1,
  agent: AGENT,
  source: null,
  fromAt: from,
  toAt: to,
  reason: 'disk-full',
  count: 4,
});

const asked = (since: string | null, until: string | null): Asked => ({
  since: since === null ? null : at(since),
  until: until === null ? null : at(until),
  now: at('12:00:00'),
});

type Gap = [from: string, to: string, reason: string];
interface Case {
  name: string;
  agent?: Partial<AgentRow>;
  sources?: SourceRow[];
  gaps?: GapRow[];
  unconfirmed?: boolean;
  ask: Asked;
  /** Null: the host is not in the range. */
  span: [string, string] | null;
  found: Gap[];
}

const CASES: Case[] = [
  { name: 'all read up to now', ask: asked(null, null), span: ['06:00:00', '12:00:00'], found: [] },
  {
    name: 'evidence exactly 75 s behind is no gap',
    agent: { readThrough: at('11:58:45') },
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [],
  },
  {
    name: 'one millisecond more is one',
    agent: { readThrough: utcMs(at('11:58:45') - 1) },
    ask: asked('11:00:00', null),
    span: ['11:00:00', '12:00:00'],
    found: [[toIso(utcMs(at('11:58:45') - 1)), '12:00:00', 'no-contact']],
  },
  {
    name: 'a range that ends before the silence began is whole',
    agent: { readThrough: at('10:00:00') },
    ask: asked('07:00:00', '09:00:00'),
    span: ['07:00:00', '09:00:00'],
    found: [],
  },
  {
    name: 'a range inside the silence is all gap',
    agent: { readThrough: at('07:00:00') },
    ask: asked('08:00:00', '09:00:00'),
    span: ['08:00:00', '09:00:00'],
    found: [['08:00:00', '09:00:00', 'no-contact']],
  },
  {
    name: 'never connected, although enrolled a moment ago',
    agent: { enrolledAt: at('11:59:59'), firstSeenAt: null, readThrough: null },
    sources: [],
    ask: asked(null, null),
    span: ['11:59:59', '12:00:00'],
    found: [['11:59:59', '12:00:00', 'never-connected']],
  },
  {
    name: 'connected, but nothing read through yet',
    agent: { readThrough: null },
    sources: [],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['06:00:00', '12:00:00', 'not-read-yet']],
  },
  {
    name: 'connected a moment ago: its first evidence may be as late as any other',
    agent: { enrolledAt: at('11:59:00'), firstSeenAt: at('11:59:01'), readThrough: null },
    ask: asked(null, null),
    span: ['11:59:00', '12:00:00'],
    found: [],
  },
  {
    name: 'revoked before anything was read, a moment ago',
    agent: { enrolledAt: at('11:59:00'), firstSeenAt: at('11:59:01'), readThrough: null, state: 'revoked' },
    ask: asked(null, null),
    span: ['11:59:00', '12:00:00'],
    found: [['11:59:00', '12:00:00', 'revoked']],
  },
  {
    name: 'waiting for approval',
    agent: { state: 'waiting', readThrough: null },
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['06:00:00', '12:00:00', 'waiting']],
  },
  {
    name: 'revoked: what was read before still counts',
    agent: { state: 'revoked', revokedAt: at('08:00:00'), readThrough: at('08:00:00') },
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['08:00:00', '12:00:00', 'revoked']],
  },
  {
    name: 'revoked a second ago: nothing more will come, so there is no slack',
    agent: { state: 'revoked', revokedAt: at('11:59:59'), readThrough: at('11:59:59') },
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['11:59:59', '12:00:00', 'revoked']],
  },
  {
    name: 'no source at all',
    sources: [],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['06:00:00', '12:00:00', 'no-source']],
  },
  {
    name: 'no source, then no contact: two gaps that do not overlap',
    agent: { readThrough: at('09:00:00') },
    sources: [],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [
      ['06:00:00', '09:00:00', 'no-source'],
      ['09:00:00', '12:00:00', 'no-contact'],
    ],
  },
  {
    name: 'a source that is no longer there, another that reads',
    sources: [source, { ...source, state: 'lost', since: at('10:00:00') }],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['10:00:00', '12:00:00', 'source-lost']],
  },
  {
    name: 'two files that cannot be read since the same time are one gap',
    sources: [
      { ...source, state: 'unreadable', since: at('10:00:00') },
      { ...source, state: 'unreadable', since: at('10:00:00') },
    ],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [['10:00:00', '12:00:00', 'source-unreadable']],
  },
  {
    name: 'blind, then silent: each its own gap',
    agent: { readThrough: at('11:00:00') },
    sources: [{ ...source, state: 'unreadable', since: at('10:00:00') }],
    ask: asked(null, null),
    span: ['06:00:00', '12:00:00'],
    found: [
      ['10:00:00', '11:00:00', 'source-unreadable'],
      ['11:00:00', '12:00:00', 'no-contact'],
    ],
  },
  {
    name: 'the range starts with the enrolment, however early it was asked from',
    ask: asked('01:00:00', '07:00:00'),
    span: ['06:00:00', '07:00:00'],
    found: [],
  },
  {
    name: 'enrolled when the range had ended',
    ask: asked('01:00:00', '06:00:00'),
    span: null,
    found: [],
  },
  {
    name: 'a range that has not begun',
    ask: asked('13:00:00', '14:00:00'),
    span: null,
    found: [],
  },
  {
    name: 'a range that ends later than now ends now',
    ask: asked('11:00:00', '14:00:00'),
    span: ['11:00:00', '12:00:00'],
    found: [],
  },
  {
    name: 'a lost stretch is cut to the range',
    gaps: [journalGap(at('06:30:00'), at('08:00:00'))],
    ask: asked('07:00:00', '09:00:00'),
    span: ['07:00:00', '09:00:00'],
    found: [['07:00:00', '08:00:00', 'disk-full']],
  },
  {
    name: 'overlapping and touching stretches of one reason are one; another reason stands for itself',
    gaps: [
      journalGap(at('07:30:00'), at('08:00:00')),
      journalGap(at('07:00:00'), at('07:45:00')),
      { ...journalGap(at('07:10:00'), at('07:20:00')), reason: 'rotated-away' },
      journalGap(at('08:00:00'), at('08:30:00')),
      journalGap(at('09:00:00'), at('09:30:00')),
    ],
    ask: asked('06:30:00', '10:00:00'),
    span: ['06:30:00', '10:00:00'],
    found: [
      ['07:00:00', '08:30:00', 'disk-full'],
      ['07:10:00', '07:20:00', 'rotated-away'],
      ['09:00:00', '09:30:00', 'disk-full'],
    ],
  },
  {
    name: 'A6 a state that was set back says so of a host that has not spoken since',
    agent: { readThrough: at('08:00:00') },
    unconfirmed: true,
    ask: asked('07:00:00', null),
    span: ['07:00:00', '12:00:00'],
    found: [['08:00:00', '12:00:00', 'restore-unconfirmed']],
  },
  {
    name: 'A6 also where the range ends before what it knows of',
    unconfirmed: true,
    ask: asked('07:00:00', '08:00:00'),
    span: ['07:00:00', '08:00:00'],
    found: [['08:00:00', '08:00:00', 'restore-unconfirmed']],
  },
  {
    name: 'a lost stretch before the enrolment does not count',
    gaps: [journalGap(at('02:00:00'), at('05:00:00'))],
    ask: asked('01:00:00', null),
    span: ['06:00:00', '12:00:00'],
    found: [],
  },
  {
    name: 'a lost stretch that starts where the range ends does not count',
    gaps: [journalGap(at('09:00:00'), at('10:00:00'))],
    ask: asked('07:00:00', '09:00:00'),
    span: ['07:00:00', '09:00:00'],
    found: [],
  },
  {
    name: 'a loss without a length counts where it lies inside',
    gaps: [journalGap(at('08:00:00'), at('08:00:00'))],
    ask: asked('07:00:00', '09:00:00'),
    span: ['07:00:00', '09:00:00'],
    found: [['08:00:00', '08:00:00', 'disk-full']],
  },
];

const iso = (clock: string) => (clock.includes('T') ? clock : toIso(at(clock)));

describe('A2 coverage of a host', () => {
  it.each(CASES)('A2 $name', (c) => {
    const host: WatchedHost = {
      agent: agent(c.agent),
      name: 'srv-01',
      sources: c.sources ?? [source],
      gaps: c.gaps ?? [],
      unconfirmed: c.unconfirmed ?? false,
    };
    const coverage = coverageOf([host], c.ask);
    if (c.span === null) {
      expect(coverage.hosts).toEqual([]);
      return;
    }
    expect(coverage.hosts).toHaveLength(1);
    expect(coverage.hosts[0]).toMatchObject({ host: 'srv-01', from: iso(c.span[0]), to: iso(c.span[1]) });
    expect(coverage.hosts[0]?.gaps).toEqual(
      c.found.map(([from, to, reason]) => ({ from: iso(from), to: iso(to), reason })),
    );
    expect(hasGap(coverage)).toBe(c.found.length > 0);
  });

  it('A2 says which sources were read, and what was left alone in them', () => {
    const { hosts } = coverageOf(
      [{ agent: agent(), name: 'srv-01', sources: [source], gaps: [] }],
      asked(null, null),
    );
    expect(hosts[0]?.sources).toEqual([
      {
        source: source.source,
        type: 'teamviewer',
        state: 'reading',
        since: toIso(source.since),
        skipped: 3,
        unreadable: 1,
      },
    ]);
  });

  it('A4 what one host tells makes no answer long, and hides nothing', () => {
    const gaps = Array.from({ length: 1000 }, (_, i) => {
      const from = utcMs(at('07:00:00') + i * 10);
      return journalGap(from, utcMs(from + 1));
    });
    const sources = Array.from({ length: 257 }, () => source);
    const { hosts } = coverageOf([{ agent: agent(), name: null, sources, gaps }], asked(null, null));
    const [host] = hosts;
    expect(host?.sources).toHaveLength(256);
    expect(host?.gaps).toHaveLength(256);
    expect(host?.gaps[0]).toEqual({ from: iso('06:00:00'), to: iso('12:00:00'), reason: 'too-many-sources' });
    const last = host?.gaps.at(-1);
    const beyond = utcMs(at('07:00:00') + 254 * 10);
    expect(last).toEqual({ from: toIso(beyond), to: toIso(gaps[999]!.toAt), reason: 'more-gaps' });
  });

  it('A2 a host without an opened name is shown by its id', () => {
    const { hosts } = coverageOf(
      [{ agent: agent(), name: null, sources: [source], gaps: [] }],
      asked(null, null),
    );
    expect(hosts[0]).toMatchObject({ host: AGENT, hostId: AGENT });
  });

  it('A2 nobody watched: no host, and no invented start', () => {
    expect(coverageOf([], asked(null, null))).toEqual({ from: null, to: toIso(at('12:00:00')), hosts: [] });
  });
});
