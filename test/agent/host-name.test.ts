/** What the host and its disks are called: said once, said again when it changed, sealed and never in clear. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fittingDisks, nameHost } from '../../agent/host-name.ts';
import { group, LIMITS, openAll, type World, world } from './support.ts';

const BASIC = { name: 'marker-host', os: 'Linux 6' };
const DISKS = [
  { index: 0, mount: '/' },
  { index: 1, mount: '/srv/marker-mount', label: 'marker-label' },
];
const FULL = { ...BASIC, os: 'Debian 12', virtualisation: 'KVM', disks: DISKS };

const named = (w: World) => (w.journal.logs()[0]?.next ?? 1) - 1;

test('said once; a provisional name is not said over a better one, at any later start', () => {
  let w = world();
  const host = group('whole', 'host.name');
  expect(nameHost(w.journal, BASIC, true)).toBe(false);
  w.journal.addGroups([host.signed]);
  nameHost(w.journal, BASIC, true);
  expect(named(w)).toBe(1);
  for (let start = 0; start < 3; start++) {
    nameHost(w.journal, BASIC, true);
    nameHost(w.journal, FULL);
    w = w.reopen();
  }
  expect(named(w)).toBe(2);
  nameHost(w.journal, { ...FULL, disks: DISKS.slice(0, 1) });
  expect(named(w)).toBe(3);
  const log = w.journal.logs()[0]!;
  const opened = openAll(w.journal.outgoing(log.log, 0, LIMITS)!, [host]);
  expect(opened.map(({ p }) => p)).toEqual([BASIC, FULL, { ...FULL, disks: DISKS.slice(0, 1) }]);
  w.journal.close();
  for (const file of ['agent.db', 'agent.db-wal']) {
    let bytes = '';
    try {
      bytes = readFileSync(join(w.dir, file), 'latin1');
    } catch {
      continue;
    }
    expect(bytes).not.toContain('marker-');
  }
});

test('more disks than a sealed part takes: as many as fit', () => {
  const many = Array.from({ length: 64 }, (_, index) => ({
    index,
    mount: `/srv/${'x'.repeat(400)}${index}`,
  }));
  const fitting = fittingDisks(many);
  expect(fitting.length).toBeGreaterThan(10);
  expect(JSON.stringify(fitting).length).toBeLessThan(9_000);
  expect(fittingDisks(DISKS)).toEqual(DISKS);
});
