/** What the agent finds wrong with its own state: groups, chain, sources. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkChain, STRETCH } from '../../../agent/self-audit/chain.ts';
import { judgeGroups } from '../../../agent/self-audit/groups.ts';
import { judgeSources, type SourceFacts } from '../../../agent/self-audit/sources.ts';
import { Pace } from '../../../agent/self-audit/types.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../../../protocol/time.ts';
import { beat, group, started } from '../support.ts';
import { AuditWorld } from './audit-world.ts';

function filled(): AuditWorld {
  const world = new AuditWorld();
  world.base.journal.addGroups([group('late').signed, group('span').signed]);
  const source = world.base.journal.sourceId('a source');
  for (let n = 0; n < 5; n += 1) world.base.journal.append([beat, started(source)]);
  return world;
}

describe('agent/self-audit: sealed data that should be gone', () => {
  it('S3 parts of an erased group that came back into the table are found', async () => {
    const world = filled();
    expect(await world.found()).toEqual({});
    world.sql("UPDATE groups SET state = 'dead', signed = NULL WHERE id = (SELECT max(grp) FROM parts)");
    expect(await world.found()).toMatchObject({ 'group-present': expect.any(Number) });
  });

  it('K6 a group whose span ends before what was erased is past due', async () => {
    const world = filled();
    world.sealFrom = utcMs(Date.UTC(2026, 11, 1));
    expect(await world.found()).toEqual({ 'group-present': 5 });
    world.sealFrom = utcMs(Date.UTC(2026, 10, 30));
    expect(await world.found()).toEqual({});
  });

  it('A1 copies that were acked for longer than they are kept are found, by an agent that had its turns', async () => {
    const world = filled();
    const [log] = world.base.journal.logs();
    world.base.journal.acked(log?.log as never, 10);
    world.base.journal.append([beat]);
    world.clock.advance(33 * DAY_MS);
    expect(await world.found()).toMatchObject({ 'copy-overdue': 4 });
    world.startedAt = world.clock.now();
    expect(await world.found()).not.toHaveProperty('copy-overdue');
    world.base.journal.prune();
    world.startedAt = utcMs(world.clock.now() - 30 * DAY_MS);
    expect(await world.found()).not.toHaveProperty('copy-overdue');
  });

  it('a group that belongs to no session is not held to the bound of sessions', () => {
    const live = [{ to: utcMs(5), parts: 3, session: false }];
    const facts = { ofDead: 0, live, sealFrom: utcMs(9), overdue: 0, ranLong: true };
    expect(judgeGroups(facts).found).toEqual([]);
    const ours = [{ to: utcMs(5), parts: 3, session: true }];
    expect(judgeGroups({ ...facts, live: ours }).found).toMatchObject([{ code: 'group-present', count: 3 }]);
  });
});

describe('agent/self-audit: a check that cannot look', () => {
  it('A1 is a finding, says so, and keeps no other check from looking', async () => {
    const world = filled();
    world.sql('ALTER TABLE ack_marks RENAME TO elsewhere');
    expect(await world.found()).toEqual({ 'check-failed': 1 });
    const [told] = world.told('audit.finding');
    expect(told).toMatchObject({ check: 'check-failed', of: 'groups', unseen: ['failed'] });
    const [run] = world.told('audit.run') as { checks: { check: string; looked: number }[] }[];
    expect(run?.checks.filter(({ looked }) => looked > 0).map(({ check }) => check)).toEqual(
      expect.arrayContaining(['canary-footage', 'canary-session', 'chain', 'schedule']),
    );
  });
});

describe('agent/self-audit: the chain', () => {
  const BREAKS: [string, string][] = [
    ['a leaf that was changed', "UPDATE leaves SET bytes = replace(bytes, 'tick', 'tack') WHERE seq = 3"],
    ['a hash that was changed', 'UPDATE leaves SET hash = zeroblob(32) WHERE seq = 3'],
    ['a leaf that is gone', 'DELETE FROM leaves WHERE seq = 4'],
    ['the newest leaf gone', 'DELETE FROM leaves WHERE seq = (SELECT max(seq) FROM leaves)'],
    ['an unacked beginning gone', 'DELETE FROM parts WHERE seq < 4; DELETE FROM leaves WHERE seq < 4'],
    ['a head of something else', 'UPDATE logs SET head = zeroblob(32)'],
    ['a birth that was changed', "UPDATE logs SET birth = replace(birth, 'enrolled', 'moved')"],
    ['no open log', 'UPDATE logs SET open = 0'],
  ];

  for (const [what, sql] of BREAKS) {
    it(`L1 L3 finds ${what}`, async () => {
      const world = filled();
      const { base } = world;
      const deps = {
        store: base.audits,
        random: randomBytes,
        pace: new Pace(base.clock),
        key: null,
        since: null,
      };
      expect((await checkChain(deps)).result).toMatchObject({ looked: 10, of: 10, found: [], unseen: [] });
      for (const one of sql.split('; ')) world.sql(one);
      expect((await checkChain(deps)).result.found).toMatchObject([{ code: 'chain-broken' }]);
    });
  }

  it('A24 of a long log two stretches are verified, and that it is longer is said', async () => {
    const world = new AuditWorld();
    const many = 2 * STRETCH + 1_000;
    for (let n = 0; n < many; n += 500) world.base.journal.append(Array.from({ length: 500 }, () => beat));
    const deps = {
      store: world.base.audits,
      random: randomBytes,
      pace: new Pace(world.clock),
      key: null,
      since: null,
    };
    const { result } = await checkChain(deps);
    expect(result).toMatchObject({ looked: 2 * STRETCH, of: many, unseen: ['beyond-sample'], found: [] });
    // Wherever the stretch is drawn, both its ends hang together with what stands before them.
    for (let n = 0; n < 5; n += 1) expect((await checkChain(deps)).result.found).toEqual([]);
  });

  it('what the agent writes, and drops because it was acked, while it is looked at is no break', async () => {
    const world = filled();
    const { journal } = world.base;
    const [log] = journal.logs();
    journal.succeed(log?.log as never, 'restored', { size: 10, head: null });
    journal.append(Array.from({ length: 300 }, () => beat));
    const open = journal.logs().find((one) => one.open);
    journal.acked(open?.log as never, 250);
    const at = (world.sql('SELECT id FROM logs WHERE open = 1') as { id: number }[])[0]?.id;
    let turns = 0;
    // A step of this clock is longer than any stretch: every page is followed by a turn of somebody else's.
    const clock = {
      mono: () => {
        turns += 1;
        return turns * 1_000;
      },
    };
    const pace = new Pace(clock, async () => {
      journal.append([beat]);
      world.sql('DELETE FROM leaves WHERE log = ? AND seq < ?', at, Math.min(250, turns));
    });
    const deps = { store: world.base.audits, random: randomBytes, key: null, since: null };
    expect((await checkChain({ ...deps, pace })).result.found).toEqual([]);
    expect(turns).toBeGreaterThan(4);
  });

  it('another key than the agent’s own is no birth of its log', async () => {
    const { base } = filled();
    const deps = { store: base.audits, random: randomBytes, pace: new Pace(base.clock), since: null };
    expect((await checkChain({ ...deps, key: 'another' })).result.found).toMatchObject([
      { code: 'chain-broken' },
    ]);
  });
});

describe('agent/self-audit: sources', () => {
  const facts: SourceFacts = {
    now: utcMs(10 * HOUR_MS),
    shown: [
      { source: 'a'.repeat(32), type: 'teamviewer', state: 'caught-up' },
      { source: 'b'.repeat(32), type: 'recordings', state: 'watched' },
    ],
    configured: 2,
    readThrough: utcMs(10 * HOUR_MS),
    uncovered: 0,
    gaps: 0,
  };
  const found = (more: Partial<SourceFacts>) =>
    Object.fromEntries(judgeSources({ ...facts, ...more }).found.map(({ code, count }) => [code, count]));

  it('A2 a source that is not read, one that is not even shown, and a tool without one are findings', () => {
    expect(found({})).toEqual({});
    for (const state of ['no-file', 'unreadable', 'waiting', 'starting', 'suspect', 'not-accepted'] as const)
      expect(found({ shown: [{ source: null, type: 'recordings', state }], configured: 1 })).toEqual({
        'source-unread': 1,
      });
    expect(found({ configured: 4 })).toEqual({ 'source-unread': 2 });
    expect(found({ uncovered: 2 })).toEqual({ 'tool-without-source': 2 });
  });

  it('A2 evidence that was lost since the last audit, and a source that is read no more, are gaps', () => {
    expect(found({ gaps: 3 })).toEqual({ 'source-gap': 3 });
    expect(found({ readThrough: utcMs(8 * HOUR_MS) })).toEqual({ 'source-gap': 1 });
    expect(found({ readThrough: null })).toEqual({ 'source-gap': 1 });
    // A host that only keeps recordings has no sessions to read.
    const [, recordings] = facts.shown;
    expect(
      found({ readThrough: null, shown: recordings === undefined ? [] : [recordings], configured: 1 }),
    ).toEqual({});
  });

  it('A2 a loss that the journal tells of is found by the next audit, and not again by the one after it', async () => {
    const world = new AuditWorld();
    expect(await world.found()).toEqual({});
    world.clock.advance(HOUR_MS);
    const lost = {
      source: null,
      log: null,
      from: 1,
      to: 4,
      count: 4,
      reason: 'database-lost',
      fromAt: null,
      toAt: null,
    } as const;
    world.base.journal.append([{ type: 'journal.gap', data: lost }]);
    expect(await world.found()).toEqual({ 'source-gap': 1 });
    world.clock.advance(HOUR_MS);
    expect(await world.found()).toEqual({});
  });
});
