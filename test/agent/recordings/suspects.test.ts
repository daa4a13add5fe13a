import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { rest } from '../../../agent/recordings/rest.ts';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { Scanner } from '../../../agent/recordings/scan.ts';
import { Suspects } from '../../../agent/recordings/suspects.ts';
import { Sweep } from '../../../agent/recordings/sweep.ts';
import { newId } from '../../../protocol/ids.ts';
import { DAY_MS } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);

/** A scan and a sweep over one root, as the agent runs them. */
function both() {
  const it1 = new SweepWorld();
  it1.record(frigatePath(NOW - 40 * DAY_MS, 'gate'));
  it1.catalogue();
  const { journal, catalogue, clock, sweeps } = it1.base;
  const suspects = new Suspects(journal, catalogue);
  const { accepted } = it1.swept();
  const scanner = new Scanner(
    { journal, catalogue, clock, rest, suspects },
    {
      ...{ id: it1.id, source: it1.source, root: it1.root, accepted, inodes: true },
      layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
    },
  );
  const sweep = new Sweep({
    ...{ journal, clock, store: sweeps, faults: {}, random: randomBytes, rest, suspects },
    now: () => it1.trusted,
    around: () => it1.around(),
    unconfirmed: () => false,
    timeTrouble: () => null,
  });
  const state = () => (it1.sql('SELECT state FROM rec_sources')[0] as { state: string }).state;
  const told = () => it1.told('recordings.root-suspect').map(({ reason }) => reason);
  return { it1, scanner, run: () => sweep.run(it1.swept()), state, told };
}

describe('agent/recordings/suspects', () => {
  it.each(['scan', 'sweep'])(
    'C67 what the %s sees first is told once, and again when it changed',
    async (first) => {
      const { it1, scanner, run, state, told } = both();
      const look = async () => {
        if (first === 'scan') await scanner.pass();
        expect((await run())?.waits).toBe(told().at(-1));
        await scanner.pass();
      };
      renameSync(it1.root, `${it1.root}.away`);
      for (let n = 0; n < 3; n++) await look();
      expect(told()).toEqual(['root-gone']);
      expect(state()).toBe('suspect');
      renameSync(`${it1.root}.away`, it1.root);
      writeFileSync(join(it1.root, MARKER_FILE), markerText(newId<'source'>(randomBytes)));
      for (let n = 0; n < 3; n++) await look();
      expect(told()).toEqual(['root-gone', 'marker-other']);
      writeFileSync(join(it1.root, MARKER_FILE), markerText(it1.source));
      await scanner.pass();
      expect(state()).toBe('watched');
      writeFileSync(join(it1.root, MARKER_FILE), markerText(newId<'source'>(randomBytes)));
      for (let n = 0; n < 3; n++) await look();
      expect(told()).toEqual(['root-gone', 'marker-other', 'marker-other']);
      expect(it1.told('recordings.erasing')).toEqual([]);
    },
  );

  it('C67, C29: a root that was never read as a whole is not taken for one by being suspect for a while', async () => {
    const { it1, scanner, run, state } = both();
    it1.sql("UPDATE rec_sources SET state = 'first-scan'");
    renameSync(it1.root, `${it1.root}.away`);
    await scanner.pass();
    renameSync(`${it1.root}.away`, it1.root);
    expect(state()).toBe('first-scan');
    expect((await run())?.waits).toBe('first-scan');
    expect(it1.files()).toHaveLength(1);
  });

  it.each(['report', 'erase'] as const)(
    'C68 in mode %s a root that nobody accepted is waited for as such',
    async (mode) => {
      const { it1, run, told } = both();
      it1.mode = mode;
      it1.sql('UPDATE rec_sources SET fs = NULL');
      expect((await run())?.waits).toBe('not-accepted');
      expect(told()).toEqual([]);
    },
  );
});
