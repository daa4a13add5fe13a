/** What remote tools call this machine: read from their logs, said sealed and by managed machines only. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeviceIds } from '../../agent/device-ids.ts';
import { MAX_DEVICE_IDS } from '../../protocol/event.ts';
import { group, identity, LIMITS, openAll, type TestGroup, type World, world } from './support.ts';

const ID = '1555000444';
const own = (id = ID) => ({ tool: 'teamviewer', id }) as const;

const sourceOf = (w: World, n = 0) => w.journal.sourceId(`log ${n}`);
const log = (w: World) => w.journal.logs().find(({ open }) => open)!;

/** What was said so far, opened. */
function said(w: World, whole: TestGroup) {
  const out = w.journal.outgoing(log(w).log, 0, LIMITS);
  return out === null ? [] : openAll(out, [whole]).map(({ p }) => p);
}

test('K7 once by each process, again when it changed, as soon as there is a group to seal it under', () => {
  const w = world();
  const whole = group('whole', 'host.name');
  const ids = new DeviceIds(w.journal, 'managed');
  expect(ids.tell()).toBe(true);
  expect(ids.note(sourceOf(w), own())).toBe(true);
  expect(ids.tell()).toBe(false);
  w.journal.addGroups([whole.signed]);
  expect([ids.tell(), ids.tell(), ids.note(sourceOf(w), own())]).toEqual([true, true, false]);
  expect(said(w, whole)).toEqual([{ ids: [own()] }]);
  // A second installation shares the id; then the machine is called otherwise.
  ids.note(sourceOf(w, 1), own());
  ids.tell();
  expect(said(w, whole)).toHaveLength(1);
  for (const n of [0, 1]) ids.note(sourceOf(w, n), own('1555000555'));
  ids.tell();
  new DeviceIds(w.journal, 'managed').tell();
  expect(said(w, whole)).toEqual([{ ids: [own()] }, { ids: [own('1555000555')] }]);
});

test('K7 again in another log; no id lies on the disk, and no more of them are said than fit', () => {
  const w = world();
  w.journal.addGroups([group('whole', 'host.name').signed]);
  const ids = new DeviceIds(w.journal, 'managed');
  for (let n = 0; n < MAX_DEVICE_IDS + 3; n += 1) ids.note(sourceOf(w, n), own(`15550004${40 + n}`));
  ids.tell();
  const before = log(w);
  expect(before.next).toBe(2);
  w.journal.succeed(before.log, 'restored', { size: 0, head: null });
  expect(log(w).log).not.toBe(before.log);
  const next = log(w).next;
  ids.tell();
  ids.tell();
  expect(log(w).next).toBe(next + 1);
  w.journal.close();
  for (const file of readdirSync(w.dir)) expect(readFileSync(join(w.dir, file)).includes(ID)).toBe(false);
});

test('K8 a one-off machine says nothing', () => {
  const w = world({ identity: identity('one-off') });
  w.journal.addGroups([group('whole', 'host.name').signed]);
  const ids = new DeviceIds(w.journal, 'one-off');
  ids.note(sourceOf(w), own());
  expect(ids.tell()).toBe(true);
  expect(log(w).next).toBe(1);
});
