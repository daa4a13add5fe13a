import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { noteOrder } from '../../../agent/recordings/ordered.ts';
import { newId } from '../../../protocol/ids.ts';
import { group, LIMITS, type World, world } from '../support.ts';

const source = newId<'source'>(randomBytes);
const plan = newId<'plan'>(randomBytes);

function told(base: World) {
  const log = base.journal.logs()[0]?.log ?? ('' as never);
  const out = base.journal.outgoing(log, 0, LIMITS);
  const leaves = (out?.events ?? []).map(
    (text) => JSON.parse(text) as { type: string; data: object; pii: object[] },
  );
  return leaves.filter(({ type }) => type === 'recordings.ordered');
}

describe('agent/recordings/ordered', () => {
  it('C79 an order with a reason is told by ids and one of a few words, its reason sealed', () => {
    const base = world();
    base.journal.addGroups([group('whole', 'host.name').signed]);
    noteOrder(base.journal, 'sweep.approve', { plan, reason: 'seen by Specimen' }, null);
    noteOrder(base.journal, 'source.set', { act: 'retire', root: '/srv/x', reason: 'sold' }, source);
    noteOrder(base.journal, 'source.set', { act: 'Specimen', reason: 'odd' }, null);
    noteOrder(base.journal, 'sweep.approve', { plan: 'Specimen', reason: 'odd' }, null);
    const events = told(base);
    expect(events.map(({ data }) => data)).toEqual([
      { verb: 'sweep.approve', source: null, plan },
      { verb: 'retire', source, plan: null },
      { verb: 'other', source: null, plan: null },
      { verb: 'sweep.approve', source: null, plan: null },
    ]);
    expect(events.every(({ pii }) => pii.length === 1)).toBe(true);
    expect(JSON.stringify(events)).not.toMatch(/Specimen|srv/);
  });

  it('C79 without a reason nothing is told; without a key group the order is, and its reason is not', () => {
    const base = world();
    noteOrder(base.journal, 'sweep.run', {}, null);
    expect(told(base)).toEqual([]);
    noteOrder(base.journal, 'sweep.run', { reason: 'Specimen' }, null);
    expect(told(base)).toMatchObject([{ data: { verb: 'sweep.run' }, pii: [] }]);
    expect(JSON.stringify(told(base))).not.toContain('Specimen');
  });

  it('C79 what cannot be stored is not carried out', () => {
    const full = { append: () => expect.fail('the disk is full') };
    expect(() => noteOrder(full as never, 'sweep.run', { reason: 'x' }, null)).toThrow('the disk is full');
  });
});
